import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FormatError, IoError, LimitError, OptionError } from "../../../src/errors.js";
import { readFileChecked, writeFileAtomic } from "../../../src/node/atomic.js";
import { checkWritable } from "../../../src/node/folders.js";

const folder = mkdtempSync(join(tmpdir(), "strata-atomic-"));
const at = (...names: string[]): string => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

describe("writeFileAtomic", () => {
  it("writes bytes and text, new and over what is there, and leaves nothing else", async () => {
    await writeFileAtomic(at("a"), Uint8Array.of(1, 2, 255));
    expect([...readFileSync(at("a"))]).toEqual([1, 2, 255]);
    await writeFileAtomic(at("a"), "later, ä");
    expect(readFileSync(at("a"), "utf8")).toBe("later, ä");
    await writeFileAtomic(at("empty"), new Uint8Array(0));
    expect(readdirSync(folder)).toEqual(["a", "empty"]);
  });

  it("writes only the bytes of a view", async () => {
    await writeFileAtomic(at("view"), new Uint8Array([9, 8, 7, 6]).subarray(1, 3));
    expect([...readFileSync(at("view"))]).toEqual([8, 7]);
  });

  it("many at once to one name leave one of them, whole", async () => {
    const contents = Array.from({ length: 8 }, (_, i) => String(i).repeat(100_000));
    await Promise.all(contents.map((content) => writeFileAtomic(at("race"), content)));
    expect(contents).toContain(readFileSync(at("race"), "utf8"));
    expect(readdirSync(folder).filter((name) => name.includes("tmp"))).toEqual([]);
  });

  it("says path and reason, and takes its temporary file away", async () => {
    await expect(writeFileAtomic(at("none/x.npz"), "x")).rejects.toThrow(IoError);
    await expect(writeFileAtomic(at("none/x.npz"), "x")).rejects.toThrow(
      `cannot write ${at("none/x.npz")}: its folder does not exist`,
    );
    await expect(writeFileAtomic(at("a/x"), "x")).rejects.toThrow("a part of the path is a file");
    mkdirSync(at("folder/inside"), { recursive: true });
    await expect(writeFileAtomic(at("folder"), "x")).rejects.toThrow("it is a folder");
    await expect(writeFileAtomic(at("n".repeat(256)), "x")).rejects.toThrow("the name is too long");
    expect(readdirSync(folder).filter((name) => name.includes("tmp"))).toEqual([]);
    expect(readFileSync(at("a"), "utf8")).toBe("later, ä");
  });

  it("writes every name that the file system takes, and says what is no path", async () => {
    for (const name of ["n".repeat(255), `${"ä".repeat(127)}n`, `${"写".repeat(85)}`, "😀".repeat(63), "-", "a b\nc"]) {
      await writeFileAtomic(at(name), name);
      expect(readFileSync(at(name), "utf8")).toBe(name);
    }
    for (const path of ["", "a\0b", null, 7, new Uint8Array(2)]) {
      await expect(writeFileAtomic(path as string, "x")).rejects.toThrow(OptionError);
      await expect(readFileChecked(path as string)).rejects.toThrow(OptionError);
      await expect(checkWritable([path as string])).rejects.toThrow(OptionError);
    }
  });

  it("follows links, which stay links: of links, relative ones, to other folders and to what is not there yet", async () => {
    mkdirSync(at("real/deep"), { recursive: true });
    mkdirSync(at("links"));
    symlinkSync(at("real/deep"), at("links/folder"));
    writeFileSync(at("real/there"), "old");
    const links: [link: string, to: string, file: string][] = [
      ["absolute", at("real/there"), "real/there"],
      ["relative", "../real/there", "real/there"],
      ["chain", "relative", "real/there"],
      ["dangling", "../real/new", "real/new"],
      // ".." of the folder that the link lies in, not of the one beside the link to it.
      ["folder/inside", "../other", "real/other"],
    ];
    for (const [link, to, file] of links) {
      symlinkSync(to, at("links", link));
      await checkWritable([at("links", link)]);
      await writeFileAtomic(at("links", link), link);
      expect(lstatSync(at("links", link)).isSymbolicLink(), link).toBe(true);
      expect(readFileSync(at(file), "utf8")).toBe(link);
    }
    expect(readdirSync(at("links"))).toEqual(["absolute", "chain", "dangling", "folder", "relative"]);
    symlinkSync("circle-b", at("circle-a"));
    symlinkSync("circle-a", at("circle-b"));
    await expect(writeFileAtomic(at("circle-a"), "x")).rejects.toThrow("its links form a circle");
    await expect(checkWritable([at("circle-a")])).rejects.toThrow("its links form a circle");
    symlinkSync("../nowhere/x", at("links/lost"));
    await expect(writeFileAtomic(at("links/lost"), "x")).rejects.toThrow(IoError);
    symlinkSync("../made/later", at("links/later"));
    await checkWritable([at("links/later/a/b")]);
    expect(statSync(at("made/later/a")).isDirectory()).toBe(true);
  });

  it.skipIf(!existsSync("/dev/full"))("puts no file in the place of a device", async () => {
    symlinkSync("/dev/null", at("null"));
    await checkWritable(["/dev/null", at("null")]);
    await writeFileAtomic(at("null"), "x");
    expect(statSync(at("null")).isCharacterDevice()).toBe(true);
    await expect(writeFileAtomic("/dev/full", "x")).rejects.toThrow("cannot write /dev/full: the disk is full");
    expect(statSync("/dev/full").isCharacterDevice()).toBe(true);
  });

  it.skipIf(!existsSync("/proc/self"))("names the path where the system takes no files", async () => {
    await expect(writeFileAtomic("/proc/strata-test", "x")).rejects.toThrow(/cannot write \/proc\/strata-test: /);
  });

  it.skipIf(process.getuid?.() === 0)("says that a folder cannot be written", async () => {
    mkdirSync(at("locked"));
    chmodSync(at("locked"), 0o500);
    await expect(writeFileAtomic(at("locked/x"), "x")).rejects.toThrow("permission denied");
  });
});

describe("readFileChecked", () => {
  it("reads bytes, also through a link", async () => {
    writeFileSync(at("bytes"), Uint8Array.of(1, 2, 3));
    symlinkSync(at("bytes"), at("link"));
    for (const name of ["bytes", "link"]) expect([...(await readFileChecked(at(name)))]).toEqual([1, 2, 3]);
    expect((await readFileChecked(at("bytes"), { limit: 3 })).constructor).toBe(Uint8Array);
  });

  it("says what is wrong before it reads", async () => {
    writeFileSync(at("nothing"), "");
    symlinkSync(at("circle"), at("circle"));
    const cases: [string, new (message: string) => Error, string][] = [
      ["missing", IoError, "there is no such file or folder"],
      ["folder", IoError, "it is a folder"],
      ["bytes/x", IoError, "a part of the path is a file"],
      ["circle", IoError, "its links form a circle"],
      ["nothing", FormatError, "is empty"],
    ];
    for (const [name, type, message] of cases) {
      const error = await readFileChecked(at(name)).catch((cause: unknown) => cause as Error);
      expect(error, name).toBeInstanceOf(type);
      expect((error as Error).message).toContain(at(name));
      expect((error as Error).message).toContain(message);
    }
    await expect(readFileChecked(at("bytes"), { limit: 2 })).rejects.toThrow(LimitError);
    await expect(readFileChecked("/dev/null")).rejects.toThrow("not a regular file");
  });
});
