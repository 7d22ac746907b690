import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FormatError, IoError, LimitError, OptionError } from "../../../src/errors.js";
import { type UnpackOptions, unpackTar } from "../../../src/node/unpack.js";
import { fuzz } from "../../fuzz.js";
import { temporaryFolder } from "../cli/fake.js";

let folder: ReturnType<typeof temporaryFolder>;
let out: string;
beforeEach(() => {
  folder = temporaryFolder();
  out = folder.path("out", "set");
});
afterEach(() => folder.remove());

type Piece = [name: string, content?: string | Uint8Array, header?: Record<string, unknown>];

async function tar(...pieces: Piece[]): Promise<Buffer> {
  const archive = pack();
  for (const [name, content = "", header = {}] of pieces) archive.entry({ name, ...header }, Buffer.from(content));
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function unpack(bytes: Uint8Array, options?: UnpackOptions) {
  writeFileSync(folder.path("a.tar"), bytes);
  return unpackTar(folder.path("a.tar"), out, options);
}

const read = (name: string) => readFileSync(`${out}/${name}`, "utf8");
const nothingLeft = () => expect(existsSync(folder.path("out")) ? readdirSync(folder.path("out")) : []).toEqual([]);
const big = Uint8Array.from({ length: 1_500_000 }, (_, i) => (i * i) >> 3);

describe("unpackTar", () => {
  it("unpacks plain and compressed archives, with folders, long names, empty and large files", async () => {
    const long = `${"deep/".repeat(40)}ä name.txt`;
    const pieces: Piece[] = [
      ["top/", "", { type: "directory" }],
      ["top/a.txt", "hello"],
      ["./top/b//c.txt", "there"],
      ["top/empty"],
      [long, "long"],
      ["big.bin", big],
    ];
    const plain = await tar(...pieces);
    for (const bytes of [plain, gzipSync(plain)]) {
      const seen: number[] = [];
      const done = await unpack(bytes, { onProgress: (at, total) => seen.push(at, total) });
      expect(done).toEqual({ files: 5, bytes: 14 + big.length, skipped: 0 });
      expect([read("top/a.txt"), read("top/b/c.txt"), read("top/empty"), read(long)]).toEqual([
        "hello",
        "there",
        "",
        "long",
      ]);
      expect(new Uint8Array(readFileSync(`${out}/big.bin`))).toEqual(big);
      expect(seen.slice(-2)).toEqual([bytes.length, bytes.length]);
      expect(readdirSync(folder.path("out"))).toEqual(["set"]);
      out = folder.path("out2", "set");
    }
  });

  it("leaves out what the filter does not want, links among it; unwraps a single folder", async () => {
    const bytes = await tar(
      ["top/a.txt", "a"],
      ["top/b.txt", "b"],
      ["top/link", "", { type: "symlink", linkname: "/etc/passwd" }],
    );
    const done = await unpack(bytes, { filter: (name) => name === "top/a.txt", unwrap: true });
    expect(done).toMatchObject({ files: 1, skipped: 2 });
    expect(readdirSync(out)).toEqual(["a.txt"]);
    out = folder.path("out", "two");
    await unpack(await tar(["top/a.txt", "a"], ["side.txt", "b"]), { unwrap: true });
    expect(readdirSync(out).sort()).toEqual(["side.txt", "top"]);
  });

  it.each<[string, Piece[], RegExp]>([
    ["an absolute path", [["/etc/evil", "x"]], /"\/etc\/evil" would lie outside/],
    ["a way up", [["a/../../evil", "x"]], /would lie outside/],
    ["a way up as folder", [["../evil/", "", { type: "directory" }]], /would lie outside/],
    ["a drive", [["C:/evil", "x"]], /would lie outside/],
    ["backslashes", [["..\\evil", "x"]], /would lie outside/],
    ["a symbolic link", [["a", "", { type: "symlink", linkname: "b" }]], /"a" is a symlink; only files/],
    ["a hard link", [["a", "", { type: "link", linkname: "b" }]], /"a" is a link; only files/],
    ["a device", [["a", "", { type: "character-device" }]], /"a" is a character-device; only files/],
    ["a pipe", [["a", "", { type: "fifo" }]], /"a" is a fifo; only files/],
    [
      "a file twice",
      [
        ["a", "x"],
        ["./a", "y"],
      ],
      /"a" is in it twice/,
    ],
    [
      "a file that is a folder",
      [
        ["a", "x"],
        ["a/b", "y"],
      ],
      /"a\/b" lies in what is a file/,
    ],
    ["nothing", [], /the archive is empty/],
  ])("%s is refused, and nothing is left", async (_, pieces, message) => {
    const bytes = await tar(["fine", "fine"], ...pieces);
    const wanted = pieces.length === 0 ? await tar() : bytes;
    await expect(unpack(wanted)).rejects.toThrow(FormatError);
    await expect(unpack(gzipSync(wanted))).rejects.toThrow(message);
    nothingLeft();
  });

  it.each<[string, Uint8Array | string, RegExp]>([
    ["nothing", "", /a\.tar is empty/],
    ["a web page", "<!DOCTYPE html><html>", /begins with "<!DOCTYPE html><html>", which is a web page/],
    ["a zip", "PK\x03\x04....", /zip archive/],
    ["text", "not an archive", /begins with "not an archive"/],
    ["bytes", Uint8Array.of(1, 2, 255), /begins with the bytes 01 02 ff/],
    ["bzip2", "BZh91AY", /bzip2/],
    ["xz", Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), /xz/],
    ["gzip of something else", gzipSync("x".repeat(2000)), /damaged: Invalid tar header/],
    ["gzip of nothing", gzipSync(""), /truncated/],
    ["only the beginning of gzip", Uint8Array.of(0x1f, 0x8b), /truncated/],
  ])("%s is no archive", async (_, content, message) => {
    const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
    await expect(unpack(bytes)).rejects.toThrow(FormatError);
    await expect(unpack(bytes)).rejects.toThrow(message);
    nothingLeft();
  });

  it("truncated anywhere it is refused, compressed or not", async () => {
    const plain = await tar(["a", "x".repeat(700)], ["b", big.subarray(0, 3000)], ["c", "end"]);
    for (const bytes of [plain, gzipSync(plain)]) {
      for (let cut = 513; cut < bytes.length - 1024; cut += Math.ceil(bytes.length / 37)) {
        await expect(unpack(bytes.subarray(0, cut)), `cut at ${cut}`).rejects.toThrow(FormatError);
        await expect(unpack(bytes.subarray(0, cut)), `cut at ${cut}`).rejects.toThrow(/truncated/);
      }
    }
    // Between two files nothing else tells.
    await expect(unpack(plain.subarray(0, 512 + 1024))).rejects.toThrow(/archive's end is missing/);
    nothingLeft();
  });

  it("damage gives files or a typed error", async () => {
    const bytes = await tar(["a/x", "text"], ["b", big.subarray(0, 600)]);
    let round = 0;
    const unpackOne = async (damaged: Uint8Array) => {
      out = folder.path("fuzz", String(round++));
      return unpack(damaged, { maxBytes: 1e6 });
    };
    const counts = await fuzz(bytes, unpackOne, ({ files }) => expect(files).toBeGreaterThanOrEqual(0), {
      rounds: 300,
    });
    expect(counts.refused).toBeGreaterThan(50);
    const zipped = await fuzz(gzipSync(bytes), unpackOne, () => {}, { rounds: 150, seed: 2 });
    expect(zipped.refused).toBeGreaterThan(100);
    expect(existsSync(folder.path("evil"))).toBe(false);
  });

  it("limits entries and bytes, skipped ones included", async () => {
    const bytes = gzipSync(await tar(["a", new Uint8Array(3e6)], ["b", "b"], ["c", "c"]));
    const failures = [
      [{ maxBytes: 1e6 }, /more than the limit of 1000000 bytes/],
      [{ maxBytes: 1e6, filter: () => false }, /more than the limit/],
      [{ maxEntries: 2 }, /more than 2 entries/],
    ] as const;
    for (const [options, message] of failures) {
      await expect(unpack(bytes, options)).rejects.toThrow(LimitError);
      await expect(unpack(bytes, options)).rejects.toThrow(message);
      nothingLeft();
    }
    await expect(unpack(bytes, { maxEntries: 0 })).rejects.toThrow(OptionError);
    await expect(unpack(bytes, { max: 1 } as UnpackOptions)).rejects.toThrow(/unknown option "max"/);
  });

  it("does not write over what is there; an empty folder may be, and litter of a killed run", async () => {
    const bytes = await tar(["a", "x"]);
    mkdirSync(`${out}.unpacking/old`, { recursive: true });
    mkdirSync(out);
    await unpack(bytes);
    expect(readdirSync(out)).toEqual(["a"]);
    await expect(unpack(bytes)).rejects.toThrow(/cannot unpack into .*set: it is there and not empty/);
    expect(read("a")).toBe("x");
    rmSync(out, { recursive: true });
    out += "/";
    await unpack(bytes);
    expect(readdirSync(out)).toEqual(["a"]);
    out = folder.path("a.tar", "inside");
    await expect(unpack(bytes)).rejects.toThrow(IoError);
    await expect(unpackTar(folder.path("missing.tar"), out)).rejects.toThrow(/missing\.tar: there is no such file/);
    await expect(unpackTar(folder.path("out"), out)).rejects.toThrow(/not a regular file/);
  });

  it("stopped in the middle it leaves nothing", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const bytes = await tar(["a", big], ["b", big], ["c", big]);
    await expect(unpack(bytes, { signal: stop.signal, onProgress: () => stop.abort(reason) })).rejects.toBe(reason);
    nothingLeft();
  });
});
