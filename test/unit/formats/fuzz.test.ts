import { zlibSync } from "fflate";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Features } from "../../../src/features.js";
import {
  readColmapFeatures,
  readColmapMatches,
  writeColmapFeatures,
  writeColmapMatches,
} from "../../../src/formats/colmap.js";
import { readFeatures, writeFeatures } from "../../../src/formats/features.js";
import {
  inspectHloc,
  listHlocImages,
  readHlocFeatures,
  readHlocMatches,
  writeHlocFeatures,
  writeHlocMatches,
} from "../../../src/formats/hloc.js";
import { readMat, writeMat } from "../../../src/formats/mat.js";
import type { NdArray } from "../../../src/formats/ndarray.js";
import { readNpy, writeNpy } from "../../../src/formats/npy.js";
import { readNpz, writeNpz } from "../../../src/formats/npz.js";
import { readSafetensors, writeSafetensors } from "../../../src/formats/safetensors.js";
import { fuzz } from "../../fuzz.js";
import { expectSound, expectWellFormed, plain, sampleArray, sampleFeatures } from "./samples.js";

/** Damage must be refused or give something sound; enough of it must be refused for the checks to be alive. */
const ROUNDS = 1000;
const matches = { count: 3, pairs: Uint32Array.of(0, 1, 2, 0, 4, 3), scores: Float32Array.of(1, 0.5, 0.25) };
const arrays = { a: sampleArray("float32", [4, 3]), b: sampleArray("uint8", [5]), c: sampleArray("int64", [2, 1, 2]) };
const wellFormed = (read: Record<string, NdArray>): void => Object.values(read).forEach(expectWellFormed);

describe("damaged bytes give sound data or a StrataError", () => {
  const allocated: number[] = [];
  const peak = process.memoryUsage();
  afterEach(() => {
    allocated.push(process.memoryUsage().arrayBuffers - peak.arrayBuffers);
  });

  it("npy", async () => {
    for (const [seed, shape] of [[4, 3], [], [0, 7]].entries()) {
      const { refused } = await fuzz(writeNpy(sampleArray("float32", shape)), readNpy, expectWellFormed, {
        rounds: ROUNDS,
        seed,
      });
      expect(refused).toBeGreaterThan(ROUNDS / 10);
    }
  });

  it("npz: with a checksum over all of it, what is read is what was written", async () => {
    for (const compress of [false, true]) {
      const check = (read: Record<string, NdArray>): void => {
        wellFormed(read);
        for (const [name, { data }] of Object.entries(arrays))
          if (read[name]) expect(plain(read[name].data)).toEqual(plain(data));
      };
      const { refused } = await fuzz(writeNpz(arrays, { compress }), readNpz, check, { rounds: ROUNDS });
      expect(refused).toBeGreaterThan(ROUNDS / 3);
    }
  });

  it("mat, plain and compressed", async () => {
    const bytes = writeMat(arrays);
    const element = bytes.subarray(128, 128 + 8 + new DataView(bytes.buffer).getUint32(132, true));
    const packed = zlibSync(element);
    const compressed = new Uint8Array(128 + 8 + packed.length);
    compressed.set(bytes.subarray(0, 128));
    new Uint32Array(compressed.buffer, 128, 2).set([15, packed.length]);
    compressed.set(packed, 136);
    expect(plain(readMat(compressed).a.data)).toEqual(plain(arrays.a.data));
    for (const file of [bytes, compressed]) {
      const { refused } = await fuzz(file, readMat, wellFormed, { rounds: ROUNDS });
      expect(refused).toBeGreaterThan(ROUNDS / 4);
    }
  });

  it("safetensors", async () => {
    const bytes = writeSafetensors(Object.entries(arrays), { model: "test" });
    const check = ({ tensors }: { tensors: Map<string, NdArray> }): void => tensors.forEach(expectWellFormed);
    const { refused } = await fuzz(bytes, readSafetensors, check, { rounds: 2 * ROUNDS });
    expect(refused).toBeGreaterThan(ROUNDS / 2);
  });

  it("features as npz, mat and json", async () => {
    const features = sampleFeatures(3, { dim: 4 });
    for (const format of ["npz", "mat", "json"] as const) {
      const read = (bytes: Uint8Array) => readFeatures(format, bytes, { imageSize: [9, 9] });
      const { refused } = await fuzz(writeFeatures(format, features), read, expectSound, { rounds: ROUNDS });
      expect(refused, format).toBeGreaterThan(ROUNDS / 10);
    }
  });

  it("COLMAP's features and matches", async () => {
    const check = (read: ReturnType<typeof readColmapFeatures>): void => {
      expect(read.descriptors.length).toBe(128 * read.count);
      expect(read.keypoints.every(Number.isFinite)).toBe(true);
    };
    const file = await fuzz(writeColmapFeatures(sampleFeatures(2)), readColmapFeatures, check, { rounds: ROUNDS });
    expect(file.refused).toBeGreaterThan(ROUNDS / 10);
    const pairs = await fuzz(
      writeColmapMatches([{ name0: "a.jpg", name1: "b.jpg", matches }]),
      readColmapMatches,
      (read) => {
        for (const pair of read) expect(pair.matches.pairs.length).toBe(2 * pair.matches.count);
      },
      { rounds: ROUNDS },
    );
    expect(pairs.refused).toBeGreaterThan(ROUNDS / 10);
  });

  it("HDF5, and the library still reads good files afterwards", async () => {
    // HDF5 notes the time; a fixed one makes the same damage on every run.
    vi.setSystemTime(new Date(2020, 0, 1));
    const good = await writeHlocFeatures([
      ["db/1.jpg", sampleFeatures(3, { dim: 4 })],
      ["2.jpg", sampleFeatures(0)],
    ]);
    const told = await writeHlocFeatures([
      ["a.jpg", sampleFeatures(1, { dim: 2 }), { image: "a.jpg", text: "ä".repeat(99) }],
    ]);
    const pairs = await writeHlocMatches([{ name0: "a", name1: "b", count0: 5, matches }]);
    vi.useRealTimers();
    const check = (images: Map<string, Features>): void => images.forEach(expectSound);
    const { refused } = await fuzz(good, (bytes) => readHlocFeatures(bytes), check, { rounds: ROUNDS });
    expect(refused).toBeGreaterThan(ROUNDS / 10);
    await fuzz(
      pairs,
      (bytes) => readHlocMatches(bytes),
      () => {},
      { rounds: ROUNDS },
    );
    await fuzz(good, listHlocImages, () => {}, { rounds: 200 });
    await fuzz(told, inspectHloc, () => {}, { rounds: ROUNDS });
    expect([...(await readHlocFeatures(good)).keys()]).toEqual(["2.jpg", "db/1.jpg"]);
  });

  it("took no memory out of proportion", () => {
    expect(Math.max(...allocated)).toBeLessThan(300e6);
  });
});
