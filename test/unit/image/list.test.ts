import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { IoError, OptionError } from "../../../src/errors.js";
import { findImages, listImages } from "../../../src/node/list-images.js";

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

/** Names that mean something in a pattern, and folders of that name with one image each. */
const ODD = [
  "photos (1)",
  "set {a,b}",
  "!new",
  "a[1]",
  "..up",
  "q(x|y)",
  "star*",
  "what?",
  "at@(b)",
  "+(c)",
  "#d",
  "-e",
  "$f",
  "~g",
  "%41",
  "ü 日本",
];

it("takes the leading folders of a glob by their names, whatever these are", async () => {
  const inner = "in {1}";
  for (const name of ODD) {
    await mkdir(join(folder, "odd", name, inner), { recursive: true });
    await writeFile(join(folder, "odd", name, "x.png"), "x");
    await writeFile(join(folder, "odd", name, inner, "y.png"), "x");
  }
  const cwd = process.cwd();
  process.chdir(join(folder, "odd"));
  try {
    for (const name of ODD) {
      const [x, y] = [join(name, "x.png"), join(name, inner, "y.png")];
      expect(await listImages([`${name}/*.png`]), name).toEqual([x]);
      expect(await listImages([`./${name}/*.{png,jpg}`]), name).toEqual([x]);
      expect(await listImages([`${name}/${inner}/?.png`]), name).toEqual([y]);
      expect(await listImages([`${name}/**/*.png`]), name).toEqual([y, x].sort());
      expect(await listImages([join(folder, "odd", name, "*.png")]), name).toEqual([join(folder, "odd", x)]);
      expect(await listImages([`../odd/${name}/*.png`]), name).toEqual([join("..", "odd", x)]);
      expect(await listImages([name], { recursive: true }), name).toEqual([y, x].sort());
      await expect(listImages([`${name}/z.png`]), name).rejects.toThrow("no such file");
    }
    // What is no folder stays a pattern.
    expect(await listImages(["{photos (1),what\\?}/x.png"])).toEqual([
      join("photos (1)", "x.png"),
      join("what?", "x.png"),
    ]);
    expect(await listImages(["photos \\(1\\)/*.png"])).toEqual([join("photos (1)", "x.png")]);
    expect(await listImages(["[!a-z]new/*.png"])).toEqual([join("!new", "x.png")]);
  } finally {
    process.chdir(cwd);
  }
});

it("takes parentheses in a pattern as they are, and brackets where they find nothing as patterns", async () => {
  await mkdir(join(folder, "odd names"));
  for (const name of ["IMG (1).png", "IMG (2).jpg", "b[2] 1.png", "!c1.png", "d1.png"]) {
    await writeFile(join(folder, "odd names", name), "x");
  }
  const found = async (pattern: string) => (await list([`odd names/${pattern}`])).map((path) => path.slice(10));
  expect(await found("IMG (1)*")).toEqual(["IMG (1).png"]);
  expect(await found("IMG*(1)*")).toEqual(["IMG (1).png"]);
  expect(await found("IMG (?).@(png|jpg)")).toEqual(["IMG (1).png", "IMG (2).jpg"]);
  expect(await found("b[2]*.png")).toEqual(["b[2] 1.png"]);
  expect(await found("!c*.png")).toEqual(["!c1.png"]);
  expect(await found("[a-d]?.png")).toEqual(["d1.png"]);
});

it("counts what it passes over, by kind and once", async () => {
  const at = join(folder, "phone");
  await mkdir(join(at, "more"), { recursive: true });
  for (const name of ["1.HEIC", "2.heic", "3.bmp", "4.png", "4.png.strata-s", ".5.heic", "more/6.nef", "more/7.txt"]) {
    await writeFile(join(at, name), "x");
  }
  await symlink(join(at, "gone.png"), join(at, "link.png"));
  await symlink(at, join(at, "more", "round"));
  const top = { HEIC: 2, BMP: 1, "without access": 1 };
  expect(await findImages([at])).toEqual({ paths: [join(at, "4.png")], passedOver: top });
  expect((await findImages([at, `${at}/*`, join(at, "1.HEIC")])).passedOver).toEqual(top);
  const all = await findImages([at], { recursive: true });
  expect(all).toEqual({ paths: [join(at, "4.png")], passedOver: { ...top, RAW: 1 } });
  await expect(listImages([`${at}/*.heic`])).rejects.toThrow(/no image matches .*heic \(passed over: 1 HEIC\)$/);
});
