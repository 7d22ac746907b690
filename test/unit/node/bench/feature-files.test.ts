import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, IoError, OptionError } from "../../../../src/errors.js";
import { normalizeRows } from "../../../../src/extract/describe.js";
import type { Features } from "../../../../src/features.js";
import { writeHlocFeatures } from "../../../../src/formats/hloc.js";
import { writeNpz } from "../../../../src/formats/npz.js";
import { checkExtension, digestFiles, featureFiles, hlocFile } from "../../../../src/node/bench/feature-files.js";
import { openSequences, type Sequences } from "../../../../src/node/bench/sequences.js";
import { temporaryFolder } from "../../cli/fake.js";
import { writeSequence } from "./drawn.js";

const folder = temporaryFolder();
const at = (...parts: string[]) => folder.path(...parts);
let data: Sequences;
const load = async () => ({ width: 96, height: 72, data: new Uint8Array(3 * 96 * 72) });

beforeAll(async () => {
  await writeSequence(at("data/v_a"), 1, 3);
  data = await openSequences(at("data"));
});
afterAll(() => folder.remove());

const image = (k: number) => data.sequences[0].images[k - 1];
const floats = (shape: number[], values: number[]) => ({
  dtype: "float32" as const,
  shape,
  data: Float32Array.from(values),
});
type Arrays = Parameters<typeof writeNpz>[0];
const GOOD: Arrays = {
  keypoints: floats([2, 3], [1, 2, 1, 3, 4, 1]),
  scores: floats([2], [0.1, 0.9]),
  descriptors: floats([2, 2], [3, 4, 0, 2]),
};
const write = (k: number, arrays: Arrays) => writeFileSync(`${image(k).path}.x`, writeNpz(arrays));
const read = async (k: number) => featureFiles(".x").read(image(k), load);

describe("features beside the images", () => {
  it("lose the third column, get unit descriptors and the image's size", async () => {
    write(1, GOOD);
    const features = await read(1);
    expect([...features.keypoints]).toEqual([1, 2, 3, 4]);
    expect(features.imageSize).toEqual([96, 72]);
    expect([...features.descriptors].map((value) => Math.round(100 * value))).toEqual([60, 80, 0, 100]);
    expect(features.scores[1]).toBeCloseTo(0.9);
  });

  it("without scores keep their order; without keypoints are no error", async () => {
    const { scores: _, ...rest } = GOOD;
    write(1, rest);
    expect([...(await read(1)).scores]).toEqual([1, 1]);
    write(1, { keypoints: floats([0, 2], []), descriptors: floats([0, 5], []) });
    expect((await read(1)).count).toBe(0);
  });

  it.each<[string, Arrays, RegExp]>([
    ["NaN keypoints", { ...GOOD, keypoints: floats([2, 2], [1, Number.NaN, 3, 4]) }, /keypoints\[1\] is NaN/],
    ["infinite descriptors", { ...GOOD, descriptors: floats([2, 1], [1, Infinity]) }, /descriptors\[1\] is Infinity/],
    ["NaN scores", { ...GOOD, scores: floats([2], [Number.NaN, 1]) }, /scores\[0\] is NaN/],
    ["one column", { ...GOOD, keypoints: floats([2, 1], [1, 2]) }, /keypoints must be \[N, 2\]/],
    ["too few descriptors", { ...GOOD, descriptors: floats([1, 4], [1, 2, 3, 4]) }, /descriptors must be \[2, D\]/],
    ["too many scores", { ...GOOD, scores: floats([3], [1, 2, 3]) }, /scores must be \[2\]/],
    ["no keypoints", { scores: GOOD.scores, descriptors: GOOD.descriptors }, /no array "keypoints"/],
    [
      "no descriptors",
      { scores: GOOD.scores, keypoints: GOOD.keypoints },
      /it has no descriptors, which matching needs/,
    ],
  ])("%s: a FormatError that names the file", async (_, arrays, message) => {
    write(1, arrays);
    const error = await read(1).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain(`${image(1).path}.x`);
  });

  it("that are missing, empty or no npz say so with their path", async () => {
    rmSync(`${image(1).path}.x`, { force: true });
    await expect(read(1)).rejects.toThrow(IoError);
    for (const bytes of ["", "no archive"]) {
      writeFileSync(`${image(1).path}.x`, bytes);
      await expect(read(1)).rejects.toThrow(FormatError);
      await expect(read(1)).rejects.toThrow(`${image(1).path}.x`);
    }
  });

  it("of different lengths are refused, both files named; an image without keypoints has no length", async () => {
    const files = featureFiles(".x");
    write(1, { keypoints: floats([0, 2], []), descriptors: floats([0, 5], []) });
    write(2, GOOD);
    write(3, { ...GOOD, descriptors: floats([2, 3], [1, 0, 0, 1, 0, 0]) });
    await files.read(image(1), load);
    await files.read(image(2), load);
    await expect(files.read(image(3), load)).rejects.toThrow(/3\.png\.x.* are 3 floats, those of .*2\.png\.x 2 floats/);
  });

  it("of bits stay bits, and are not mixed with floats", async () => {
    const files = featureFiles(".x");
    const bits: Arrays = { ...GOOD, descriptors: { dtype: "uint8", shape: [2, 2], data: Uint8Array.of(3, 255, 0, 9) } };
    write(1, bits);
    write(2, GOOD);
    expect(await files.read(image(1), load)).toMatchObject({
      kind: "binary",
      descriptors: Uint8Array.of(3, 255, 0, 9),
    });
    await expect(files.read(image(2), load)).rejects.toThrow(
      /2\.png\.x.* are 2 floats, those of .*1\.png\.x 2 bytes of bits/,
    );
  });

  it("have unit vectors to the last bit, however they come", async () => {
    // What reading does to rows that are no unit vectors, and what is done here to all, must not add up to more.
    const values = Array.from({ length: 2 * 128 }, (_, i) => ((i * 37) % 91) / 7);
    const once = normalizeRows(Float32Array.from(values), 128);
    write(1, { ...GOOD, descriptors: floats([2, 128], values) });
    expect((await read(1)).descriptors).toEqual(once);
    write(1, { ...GOOD, descriptors: floats([2, 128], [...once]) });
    expect((await read(1)).descriptors).toEqual(once);
  });

  it("have a digest of all files, missing ones too", async () => {
    for (const k of [1, 2, 3]) write(k, GOOD);
    const before = await digestFiles(".x", data);
    write(3, { ...GOOD, scores: floats([2], [0.2, 0.9]) });
    const changed = await digestFiles(".x", data);
    rmSync(`${image(3).path}.x`);
    const missing = await digestFiles(".x", data);
    expect(new Set([before, changed, missing]).size).toBe(3);
  });

  it("have an ending with a dot", () => {
    expect(checkExtension(".d2-net")).toBe(".d2-net");
    for (const text of ["", "d2-net", ".", "./x", ".a/b", ".x."])
      expect(() => checkExtension(text)).toThrow(OptionError);
  });
});

describe("features in hloc's file", () => {
  const made: Features = {
    count: 2,
    dim: 2,
    imageSize: [96, 72],
    keypoints: Float32Array.of(1, 2, 3, 4),
    scores: Float32Array.of(0.1, 0.9),
    descriptors: Float32Array.of(3, 4, 0, 2),
  };

  it("are found by the image's name below the data", async () => {
    writeFileSync(at("f.h5"), await writeHlocFeatures([["v_a/1.png", made]]));
    const file = hlocFile(at("f.h5"));
    const features = await file.read(image(1), load);
    expect([...features.keypoints]).toEqual([1, 2, 3, 4]);
    expect(features.descriptors[0]).toBeCloseTo(0.6);
    await expect(file.read(image(2), load)).rejects.toThrow(
      /f\.h5 has no features of "v_a\/2\.png"; its images are named like "v_a\/1\.png"/,
    );
  });

  it("that is no such file is said with its path", async () => {
    writeFileSync(at("bad.h5"), "no HDF5");
    await expect(hlocFile(at("bad.h5")).read(image(1), load)).rejects.toThrow(/bad\.h5/);
    await expect(hlocFile(at("none.h5")).read(image(1), load)).rejects.toThrow(IoError);
  });
});
