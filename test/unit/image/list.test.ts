import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { IoError, OptionError } from "../../../src/errors.js";
import { listImages } from "../../../src/node/list-images.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-list-"));
  await mkdir(join(folder, "sub/deep"), { recursive: true });
  await mkdir(join(folder, "empty"));
  for (const name of [
    "b.png",
    "a.JPG",
    "notes.txt",
    "a.JPG.npz",
    ".hidden.png",
    "x[1].png",
    "sub/c.ppm",
    "sub/deep/d.tif",
  ]) {
    await writeFile(join(folder, name), "x");
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const list = async (inputs: string[], options = {}) =>
  (
    await listImages(
      inputs.map((input) => join(folder, input)),
      options,
    )
  ).map((path) => relative(folder, path));

it("takes files whatever they are called, and the images of folders and globs", async () => {
  expect(await list(["notes.txt"])).toEqual(["notes.txt"]);
  expect(await list(["."])).toEqual(["a.JPG", "b.png", "x[1].png"]);
  expect(await list(["."], { recursive: true })).toEqual(["a.JPG", "b.png", "sub/c.ppm", "sub/deep/d.tif", "x[1].png"]);
  expect(await list(["*"])).toEqual(["a.JPG", "b.png", "x[1].png"]);
  expect(await list(["**/*.{ppm,tif}"])).toEqual(["sub/c.ppm", "sub/deep/d.tif"]);
  expect(await list(["x[1].png"])).toEqual(["x[1].png"]);
  expect(await list(["empty"])).toEqual([]);
  expect(await listImages([])).toEqual([]);
});

it("sorts, and names each image once", async () => {
  expect(await list(["sub/c.ppm", "b.png", "*.png", ".", "sub/../b.png"])).toEqual([
    "a.JPG",
    "b.png",
    "sub/c.ppm",
    "x[1].png",
  ]);
  const here = relative(process.cwd(), join(folder, "b.png"));
  expect(await listImages([here, join(folder, "b.png")])).toEqual([here]);
});

it("names what is not there", async () => {
  await expect(list(["b.png", "nothing.png"])).rejects.toThrow(IoError);
  await expect(list(["nothing.png"])).rejects.toThrow(/nothing\.png: there is no such file/);
  await expect(list(["no*.png"])).rejects.toThrow(/no image matches .*no\*\.png/);
  await expect(list(["b.png/x.png"])).rejects.toThrow(/a part of the path is a file/);
  await expect(list(["."], { recursiv: true })).rejects.toThrow(OptionError);
});
