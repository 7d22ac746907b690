/**
 * Questions at the terminal, on standard error so that results stay alone on standard output. A hidden answer does not
 * appear: readline edits the line but what it draws goes nowhere.
 */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import type { Ask } from "../node/models/login.js";
import { Interrupted } from "./context.js";

/** Asks over these streams, of which `input` is a terminal. Ctrl-C and the input's end reject with `Interrupted`. */
export function askOn(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Ask {
  return (question, { hidden }) =>
    new Promise((resolve, reject) => {
      const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
      if (hidden) output.write(question);
      const lines = createInterface({ input, output: hidden ? nowhere : output, terminal: true, historySize: 0 });
      let answer: string | undefined;
      lines.on("SIGINT", () => lines.close());
      lines.on("close", () => {
        if (hidden || answer === undefined) output.write("\n");
        if (answer === undefined) reject(new Interrupted());
        else resolve(answer);
      });
      lines.question(hidden ? "" : question, (text) => {
        answer = text;
        lines.close();
      });
    });
}
