import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { askOn } from "../../../src/cli/ask.js";
import { Interrupted } from "../../../src/cli/context.js";

/** A terminal: what is typed into it, and all that it shows. */
function terminal() {
  const raw: boolean[] = [];
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => raw.push(on) });
  const output = new PassThrough();
  let shown = "";
  output.on("data", (piece) => {
    shown += piece;
  });
  return { input, ask: askOn(input, output), raw, shown: () => shown };
}

describe("askOn", () => {
  it("shows an answer as it is typed", async () => {
    const { input, ask, shown, raw } = terminal();
    const answer = ask("User: ", { hidden: false });
    input.write("me\r");
    expect(await answer).toBe("me");
    expect(shown()).toMatch(/User: .*me/s);
    // Ours while it asks, the shell's again after it.
    expect(raw).toEqual([true, false]);
  });

  it("shows nothing of a hidden one, which can be corrected", async () => {
    const { input, ask, shown, raw } = terminal();
    const answer = ask("Password: ", { hidden: true });
    input.write("s3crez\u007ft pä ss\r");
    expect(await answer).toBe("s3cret pä ss");
    expect(shown()).toBe("Password: \n");
    expect(raw).toEqual([true, false]);
    const next = ask("Again: ", { hidden: true });
    input.write("x\r");
    expect(await next).toBe("x");
  });

  it("Ctrl-C and the end of the input stop it", async () => {
    for (const end of ["\u0003", "\u0004"]) {
      const { input, ask, raw, shown } = terminal();
      const answer = ask("Password: ", { hidden: true });
      input.write(`${end === "\u0004" ? "" : "s3c"}${end}`);
      await expect(answer).rejects.toThrow(Interrupted);
      expect([raw.at(-1), shown()]).toEqual([false, "Password: \n"]);
    }
    const { input, ask } = terminal();
    const answer = ask("User: ", { hidden: false });
    input.end();
    await expect(answer).rejects.toThrow(Interrupted);
  });
});
