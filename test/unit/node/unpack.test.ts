import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
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

/** Writes a size into a header, above 8 GiB and below zero as GNU tar does, and its checksum. */
function setSize(header: Buffer, size: number | bigint): void {
  if (size >= 0 && size < 2 ** 33) header.write(`${size.toString(8).padStart(11, "0")} `, 124);
  else for (let i = 0; i < 12; i++) header[124 + i] = Number((BigInt(size) >> BigInt(8 * (11 - i))) & 255n);
  if (size >= 2 ** 33) header[124] = 0x80;
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
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

  it("goes where a link leads, also to what is not there yet", async () => {
    mkdirSync(folder.path("real"));
    mkdirSync(folder.path("out"));
    symlinkSync("../real/later", out);
    await unpack(await tar(["a.txt", "hello"]));
    expect(lstatSync(out).isSymbolicLink()).toBe(true);
    expect(readFileSync(folder.path("real/later/a.txt"), "utf8")).toBe("hello");
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

  it.each<[string, number | bigint, RegExp, number?]>([
    ["more than the limit", 2_000_000, /more than the limit of 1000000 bytes: "b" claims 2000000 bytes/, 1e6],
    ["with the one before more than the limit", 999_999, /the limit of 1000000 bytes: "b" claims 999999/, 1e6],
    ["more than the archive can hold", 2 ** 32, /more than \d+ bytes can hold: "b" claims 4294967296 bytes/],
    ["an absurd number", 2n ** 80n, /more than the limit of 68719476736 bytes: "b" claims 1\.2\d+e\+24 bytes/],
    ["less than nothing", -5n, /damaged: Invalid header/],
  ])(
    "a header that claims %s is refused before its file is made",
    async (_, size, message, maxBytes = 64 * 2 ** 30) => {
      const bytes = await tar(["a", "hello"], ["b", "x"]);
      setSize(bytes.subarray(1024, 1536), size);
      for (const archive of [bytes, gzipSync(bytes)]) {
        const wanted: string[] = [];
        const filter = (name: string) => wanted.push(name) > 0;
        await expect(unpack(archive, { maxBytes, filter })).rejects.toThrow(message);
        expect(wanted).toEqual(["a"]);
        nothingLeft();
      }
    },
  );

  it("sizes in extended headers count as those in headers, and headers themselves are bounded", async () => {
    const long = await tar(["a", "hello"], ["b", "x", { pax: { size: String(2 ** 40) } }]);
    await expect(unpack(gzipSync(long))).rejects.toThrow(/"b" claims 1099511627776 bytes/);
    for (const [pax, message] of [
      [{ size: "-3" }, /damaged/],
      [{ size: "many" }, /damaged/],
      [{ "GNU.sparse.major": "1", "GNU.sparse.minor": "0" }, /"b" is a sparse file; only plain files/],
    ] as const) {
      await expect(unpack(await tar(["a"], ["b", "x", { pax }]))).rejects.toThrow(message);
      nothingLeft();
    }
    // 64 MB of a name, in an archive of 64 kB: of GNU's kind, of POSIX' kind.
    for (const type of ["L", "x"]) {
      const bytes = await tar(["a", new Uint8Array(2 ** 26)], ["b", "x"]);
      bytes[156] = type.charCodeAt(0);
      setSize(bytes.subarray(0, 512), 2 ** 26);
      await expect(unpack(gzipSync(bytes))).rejects.toThrow(/damaged: Header exceeds max size/);
    }
    const old = await tar(["a", "x"]);
    old[156] = "S".charCodeAt(0);
    setSize(old.subarray(0, 512), 1);
    await expect(unpack(old)).rejects.toThrow(/"a" is a thing of unknown kind/);
    nothingLeft();
  });

  it("does not write over what is there, nor take away what is not its own; an empty folder may be", async () => {
    const bytes = await tar(["a", "x"]);
    mkdirSync(`${out}.unpacking/old`, { recursive: true });
    mkdirSync(folder.path("out", ".set.photos.tmp"));
    mkdirSync(out);
    await unpack(bytes);
    expect(readdirSync(out)).toEqual(["a"]);
    expect(readdirSync(folder.path("out")).sort()).toEqual([".set.photos.tmp", "set", "set.unpacking"]);
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
