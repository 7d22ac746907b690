/** OpenCV 4.12 must not change how a process ends that has loaded it. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { noteListeners } from "../../../src/bench/opencv4/process-listeners.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Runs lines of a module after AKAZE's OpenCV was loaded; a failure to load would end with 99. */
function crash(...lines: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const script = `
    import { loadOpenCv4 } from "./src/bench/opencv4/index.ts";
    const mine = () => {};
    process.on("unhandledRejection", mine);
    const cv = await loadOpenCv4().catch(() => process.exit(99));
    if (typeof cv.AKAZE !== "function") process.exit(99);
    const names = ["uncaughtException", "unhandledRejection"];
    console.log(names.map((name) => process.listeners(name).map((one) => one === mine)).join("|"));
    process.off("unhandledRejection", mine);
    ${lines.join("\n")}`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], { cwd: root });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

describe("a process with OpenCV 4.12", () => {
  it.each([
    ["an exception", 'setTimeout(() => { throw new Error("of the user"); }, 10);'],
    ["a rejection", 'setTimeout(() => Promise.reject(new Error("of the user")), 10);'],
  ])("ends as Node does after %s that nobody handles, and keeps the listeners of others", async (_, line) => {
    const { code, out, err } = await crash(line, "setTimeout(() => process.exit(0), 5000);");
    expect(code).toBe(1);
    // None for exceptions; for rejections only the one that was there before.
    expect(out.trim()).toBe("|true");
    expect(err).toMatch(/Error: of the user/);
    expect(err).not.toMatch(/Aborted|RuntimeError/);
  });
});

describe("noteListeners", () => {
  it("takes off what has come since, and nothing else", () => {
    const [before, since] = [() => {}, () => {}];
    const had = process.listeners("uncaughtException");
    process.on("uncaughtException", before);
    try {
      const remove = noteListeners();
      process.on("uncaughtException", since);
      remove();
      expect(process.listeners("uncaughtException")).toEqual([...had, before]);
    } finally {
      process.off("uncaughtException", before);
      process.off("uncaughtException", since);
    }
  });

  it("does nothing where there is no process", () => {
    const holder = globalThis as { process?: unknown };
    const { process: own } = holder;
    try {
      for (const other of [undefined, {}, { listeners: 3 }]) {
        holder.process = other;
        expect(() => noteListeners()()).not.toThrow();
      }
    } finally {
      holder.process = own;
    }
  });
});
