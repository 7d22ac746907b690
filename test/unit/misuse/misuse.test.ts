/**
 * Misuse of every public function: null, nothing, numbers for files, plain arrays, arrays of another class, options that are
 * none. Each must give an error of ours; the table of samples (core.ts, node.ts, train.ts) must name every function.
 */
import { rmSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { StrataError } from "../../../src/errors.js";
import * as core from "../../../src/index.js";
import * as bench from "../../../src/node/bench/index.js";
import * as node from "../../../src/node/index.js";
import * as jobs from "../../../src/node/jobs/index.js";
import * as search from "../../../src/node/search/index.js";
import * as train from "../../../src/node/train/index.js";
import * as web from "../../../src/web/index.js";
import { noiseImage } from "../../models.js";
import { CORE, features, image, matches } from "./core.js";
import { JOBS, jobsFolder } from "./jobs.js";
import { NODE, samples, WEB } from "./node.js";
import { misuses, type Table } from "./probe.js";
import { SEARCH, searchFolder } from "./search.js";
import { BENCH, folder, TRAIN } from "./train.js";

afterAll(() => {
  core.setDefaultRuntime(node.nodeRuntime);
  for (const made of [samples, folder, searchFolder, jobsFolder]) rmSync(made, { recursive: true, force: true });
});

type Door = Readonly<Record<string, unknown>>;
const isClass = (value: unknown): boolean => typeof value === "function" && /^class\b/.test(String(value));
const functionsOf = (door: Door, before: Door = {}): string[] =>
  Object.keys(door).filter(
    (name) => typeof door[name] === "function" && !isClass(door[name]) && door[name] !== before[name],
  );

const doors: [string, Door, Door, Table][] = [
  [".", core, {}, CORE],
  ["./node", node, core, NODE],
  ["./web", web, core, WEB],
  ["./search", search, {}, SEARCH],
  ["./jobs", jobs, {}, JOBS],
  ["./train", train, {}, TRAIN],
  ["./bench", bench, {}, BENCH],
];

describe.each(doors)("the door %s", (_, door, before, table) => {
  const names = functionsOf(door, before);

  it("has a sample for every function, and for no other", () => {
    expect(Object.keys(table).sort()).toEqual(names.sort());
  });

  it.each(names)("%s", async (name) => {
    expect(await misuses(name, door[name] as never, await table[name]())).toEqual([]);
  });
});

describe("what is said", () => {
  const message = async (work: () => unknown): Promise<string> => {
    try {
      await work();
    } catch (error) {
      expect(error).toBeInstanceOf(StrataError);
      return (error as Error).message;
    }
    throw new Error("nothing was thrown");
  };

  it("of pixels in 0..1, of canvases and of grey images: how to make what is wanted", async () => {
    const floats = { ...image, data: new Float32Array(image.data.length) } as never;
    expect(await message(() => core.checkImage("extract", floats))).toMatch(
      /^extract: pixels must be a Uint8Array with values 0\.\.255, got a Float32Array of 144; .*Math\.round\(255/,
    );
    const { width, height } = image;
    const rgba = { width, height, data: new Uint8Array(4 * width * height) };
    expect(await message(() => core.resizeImage(rgba, 2, 2))).toMatch(/RGBA: leave every fourth value out/);
    const grey = { width, height, data: new Uint8Array(width * height) };
    expect(await message(() => core.padImage(grey, 16))).toMatch(/grey: repeat each value three times/);
    // A canvas gives its bytes so.
    expect(core.checkImage("x", { ...image, data: new Uint8ClampedArray(image.data) as never })).toBeDefined();
  });

  it("of a promise, plain arrays and other classes", async () => {
    const awaited = Promise.resolve(features) as never;
    expect(await message(() => core.matchFeatures(awaited, features))).toMatch(/a promise \(await it first\)/);
    const plain = { ...features, keypoints: [...features.keypoints] as never };
    expect(await message(() => core.matchedPoints("x", plain, features, matches))).toMatch(
      /keypoints must be a Float32Array, got an array of 8; Float32Array\.from/,
    );
    const doubles = { ...features, descriptors: new Float64Array(32) as never };
    expect(await message(() => core.writeFeatures("npz", doubles))).toMatch(/got a Float64Array of 32/);
    expect(await message(() => core.readNpz("features.npz" as never))).toMatch(
      /^readNpz: expected bytes \(a Uint8Array\), got "features\.npz"; of a file: read it first/,
    );
    expect(await message(() => core.readNpz(new ArrayBuffer(8) as never))).toMatch(/new Uint8Array\(buffer\)/);
  });

  it("of options and files: their names", async () => {
    expect(await message(() => core.matchFeatures(features, features, null as never))).toMatch(
      /matchFeatures: options must be an object, got null/,
    );
    expect(await message(() => core.matchFeatures(features, features, { mutual: "no" as never }))).toMatch(
      /"mutual" must be true or false, got "no"$/,
    );
    expect(await message(() => node.loadImage(5 as never))).toMatch(/5/);
    expect(await message(() => node.openExtractor({ model: 5 as never }))).toMatch(/"model" must be a text, got 5/);
    expect(await message(() => core.resizeImage(noiseImage(4, 4, 1), -2, 3))).toMatch(/whole and positive, got -2×3/);
  });

  it("of what a compiled function is fed", async () => {
    const compiled = await core.compile(({ x }) => x, { x: core.input([2]) }, { runtime: node.nodeRuntime });
    for (const [fed, text] of [
      [null, /feeds must be an object, got null/],
      [{ x: [1, 2] }, /"x" must be a Float32Array, got \[1,2\]; Float32Array\.from/],
      [{ x: new Float64Array(2) }, /"x" must be a Float32Array, got a Float64Array/],
      [{ x: 5 }, /"x" must be a Float32Array, got 5/],
      [{ x: { data: new Float32Array(2), shape: "2" } }, /the shape of "x" must be numbers in an array/],
    ] as [never, RegExp][]) {
      expect(await message(() => compiled.run(fed))).toMatch(text);
    }
    await compiled.dispose();
  });

  it("of extractors in use, and of seeds", async () => {
    const opened = await node.openExtractor({ model: `${samples}/tiny.safetensors` });
    expect(await message(() => opened.extract(null as never))).toMatch(
      /extract: the image must be an object, got null/,
    );
    expect(await message(() => opened.extractBatch(image as never))).toMatch(/images must be an array, got an object/);
    expect(await message(() => opened.extractBatch([image, 5 as never]))).toMatch(/got 5/);
    await opened.dispose();
    expect(await message(() => new core.Random("7" as never))).toMatch(/seed must be a number, got "7"/);
  });
});
