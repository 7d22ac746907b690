/** Streams that take everything, a part or nothing; and text that is safe to show. */
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { afterAll, describe, expect, it } from "vitest";
import { openOutput } from "../../../src/cli/output.js";
import { errorText } from "../../../src/cli/report-error.js";
import { IoError } from "../../../src/errors.js";
import { printable } from "../../../src/printable.js";
import { fakeStrata, savePlain, temporaryFolder } from "./fake.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** A stream of that file descriptor, as process.stdout is one. */
const streamOf = (fd: number) => Object.assign(new PassThrough(), { fd });

describe("openOutput", () => {
  it("writes everything to a file", async () => {
    const fd = openSync(folder.path("file"), "w");
    const output = openOutput(streamOf(fd));
    output.write("ä\n");
    output.write("b".repeat(100_000));
    expect(await output.flush()).toBeNull();
    closeSync(fd);
    expect(readFileSync(folder.path("file"), "utf8")).toBe(`ä\n${"b".repeat(100_000)}`);
  });

  it.skipIf(!existsSync("/dev/full"))("remembers that the disk is full, and throws nothing", async () => {
    const fd = openSync("/dev/full", "w");
    const output = openOutput(streamOf(fd));
    output.write("a");
    output.write("b");
    expect(await output.flush()).toMatchObject({ code: "ENOSPC" });
    expect(await output.flush()).toMatchObject({ code: "ENOSPC" });
    closeSync(fd);
  });

  it("remembers a file that cannot be written, and a descriptor that is closed", async () => {
    const fd = openSync(folder.path("file"), "r");
    for (const close of [false, true]) {
      if (close) closeSync(fd);
      const output = openOutput(streamOf(fd));
      output.write("a");
      expect(await output.flush()).toMatchObject({ code: "EBADF" });
    }
  });

  it.skipIf(process.platform === "win32")(
    "waits for a slow reader, and remembers one that leaves in the middle",
    async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await new Promise((listening) => server.once("listening", listening));
      const pair = async () => {
        const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
        const writer = connect((server.address() as AddressInfo).port, "127.0.0.1");
        const reader = await accepted;
        const { fd } = (writer as unknown as { _handle: { fd: number } })._handle;
        return { writer: Object.assign(writer, { fd }), reader };
      };
      const text = "x".repeat(8 << 20);
      const slow = await pair();
      const output = openOutput(slow.writer);
      output.write(text);
      let flushed = false;
      const flush = output.flush().then((failure) => {
        flushed = true;
        return failure;
      });
      // Nobody reads yet, and more is written than any buffer holds.
      await new Promise((resolve) => setImmediate(resolve));
      expect(flushed).toBe(false);
      slow.reader.resume();
      expect(await flush).toBeNull();

      const leaving = await pair();
      const cut = openOutput(leaving.writer);
      cut.write(text);
      leaving.reader.resetAndDestroy();
      expect((await cut.flush())?.message).toMatch(/EPIPE|ECONNRESET/);
      cut.write("no more");
      expect((await cut.flush())?.message).toMatch(/EPIPE|ECONNRESET/);
      slow.writer.destroy();
      server.close();
    },
  );
});

describe("printable", () => {
  it("spells out what moves a cursor or turns text round, and leaves names of all languages alone", () => {
    expect(printable("a\u001b[2Jb\rc\u0007d\u009be\u007ff\u0000")).toBe(
      "a\\u001b[2Jb\\u000dc\\u0007d\\u009be\\u007ff\\u0000",
    );
    expect(printable("x\u202egnp.exe\u2066\u200f\u2028")).toBe("x\\u202egnp.exe\\u2066\\u200f\\u2028");
    const plain = "foto ä 写真 צילום 👩‍🔬\tb\n";
    expect(printable(plain)).toBe(plain);
  });

  it("JSON stays the same value", () => {
    const value = { name: "\u001b[31m\u009b0m\u202e\u2028 \\u001b \n" };
    const text = JSON.stringify(value, null, 2);
    expect(JSON.parse(printable(text))).toEqual(value);
    expect(printable(text)).not.toMatch(/[\u0080-\u009f\u202e]/);
  });

  it("a line break in a name begins no line of its own", () => {
    expect(errorText(new IoError("cannot read a\nstrata: all is well"), false)).toBe(
      "strata: cannot read a\n  strata: all is well\n",
    );
  });

  it("names of files and of commands reach the terminal only so", async () => {
    const fake = fakeStrata();
    const name = "\u001b]0;title\u0007\u202e\u009b2J.png";
    await savePlain(folder.path("good.png"), 9);
    for (const argv of [
      ["extract", folder.path(name)],
      ["extract", folder.path("good.png"), folder.path(name), "--out", folder.path("out\u001b[7m")],
      ["match", folder.path(name), folder.path(name)],
      [name],
      ["extract", `--${name}`],
    ]) {
      const { code, out, err } = await fake.run(...argv);
      expect(code).not.toBe(0);
      expect(out + err).toContain("\\u001b");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come.
      expect(out + err).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  });
});
