/** Descriptors of bits, by Hamming distance; and what is never compared. */
import { describe, expect, it } from "vitest";
import { ShapeError } from "../../../src/errors.js";
import { type BinaryFeatures, emptyFeatures, type FloatFeatures } from "../../../src/features.js";
import { matchFeatures } from "../../../src/match/index.js";
import { Random } from "../../../src/random.js";
import { sampleFeatures } from "../formats/samples.js";
import { countingRuntime } from "./adapter.js";

/** Features of `count` rows of `bytes` bytes; those after the first `noise` share of bits with `like`, where given. */
function binary(random: Random, count: number, bytes: number, like?: BinaryFeatures): BinaryFeatures {
  const descriptors = Uint8Array.from({ length: count * bytes }, (_, i) =>
    like && i < like.descriptors.length ? like.descriptors[i] ^ (1 << random.integer(16)) : random.integer(256),
  );
  const { keypoints, scores } = sampleFeatures(count);
  return { count, dim: bytes, kind: "binary", imageSize: [640, 480], keypoints, scores, descriptors };
}

function hamming(a: BinaryFeatures, i: number, b: BinaryFeatures, j: number): number {
  let bits = 0;
  for (let k = 0; k < a.dim; k++) {
    for (let x = a.descriptors[i * a.dim + k] ^ b.descriptors[j * b.dim + k]; x > 0; x >>= 1) bits += x & 1;
  }
  return bits;
}

/** The first nearest of b to row i of a, its distance, and the next distance. */
function nearest(a: BinaryFeatures, i: number, b: BinaryFeatures): { j: number; first: number; second: number } {
  const distances = Array.from({ length: b.count }, (_, j) => hamming(a, i, b, j));
  const first = Math.min(...distances);
  const j = distances.indexOf(first);
  return { j, first, second: Math.min(Infinity, ...distances.filter((_, k) => k !== j)) };
}

describe("matchFeatures on bits", () => {
  it("is the definition: nearest by Hamming distance, ratio of distances, both ways, whatever the length and tile", async () => {
    const random = new Random(3);
    // 600 bytes are more words than the counts of one go hold; 61 and 7 do not fill their last word.
    for (const [rows, columns, bytes] of [
      [40, 33, 32],
      [25, 41, 61],
      [9, 1, 7],
      [1, 12, 1],
      [12, 9, 600],
    ]) {
      const a = binary(random, rows, bytes);
      const b = binary(random, columns, bytes, a);
      for (const mutual of [true, false]) {
        for (const ratio of [null, 0.8]) {
          const wanted: number[] = [];
          for (let i = 0; i < rows; i++) {
            const { j, first, second } = nearest(a, i, b);
            if (mutual && nearest(b, j, a).j !== i) continue;
            if (ratio === null || first < ratio * second) wanted.push(i, j);
          }
          for (const [tileRows, runtime] of [
            [1, null],
            [7, null],
            [256, null],
            [7, countingRuntime()],
          ] as const) {
            const { pairs, scores } = await matchFeatures(a, b, { mutual, ratio, tileRows, runtime });
            expect([...pairs], `${bytes} bytes`).toEqual(wanted);
            for (const [m, score] of scores.entries()) {
              const distance = hamming(a, pairs[2 * m], b, pairs[2 * m + 1]);
              expect(score).toBeCloseTo(1 - (2 * distance) / (8 * bytes), 6);
            }
          }
        }
      }
    }
  });

  it("counts every bit: all that differ, none that does", async () => {
    const ones: BinaryFeatures = { ...binary(new Random(1), 1, 500), descriptors: new Uint8Array(500).fill(255) };
    const zeros: BinaryFeatures = { ...ones, descriptors: new Uint8Array(500) };
    expect((await matchFeatures(ones, zeros)).scores[0]).toBe(-1);
    expect((await matchFeatures(ones, ones)).scores[0]).toBe(1);
    expect((await matchFeatures(ones, zeros, { minSimilarity: -0.5 })).count).toBe(0);
    // Two that are equally near: the ratio test of a distance of 0 with another of 0 fails, as OpenCV's does.
    const twice: BinaryFeatures = { ...binary(new Random(1), 2, 500), descriptors: new Uint8Array(1000).fill(255) };
    expect((await matchFeatures(ones, twice, { ratio: 1 })).count).toBe(0);
  });

  it("gives the pairs and scores of the same bits as vectors of ±1", async () => {
    const random = new Random(5);
    const a = binary(random, 60, 32);
    const b = binary(random, 50, 32, a);
    const signs = ({ kind: _, ...features }: BinaryFeatures): FloatFeatures => ({
      ...features,
      dim: 256,
      descriptors: Float32Array.from({ length: features.count * 256 }, (_, i) =>
        (features.descriptors[i >> 3] >> (i & 7)) & 1 ? 1 / 16 : -1 / 16,
      ),
    });
    const wanted = await matchFeatures(signs(a), signs(b), { runtime: null });
    for (const runtime of [null, countingRuntime()]) expect(await matchFeatures(a, b, { runtime })).toEqual(wanted);
  });

  it("lets other work run between pairs that follow each other", async () => {
    const a = binary(new Random(2), 400, 64);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    while (turns === 0) await matchFeatures(a, a, { runtime: null });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
});

describe("what is never compared", () => {
  it("bits with floats, other lengths, descriptors that are missing: refused by name", async () => {
    const bits = binary(new Random(1), 3, 32);
    const floats = sampleFeatures(3, { dim: 32 });
    const none: FloatFeatures = { ...floats, dim: 0, descriptors: new Float32Array(0) };
    for (const [a, b, message] of [
      [bits, floats, "descriptors of a are 32 bytes of bits, those of b 32 floats"],
      [floats, bits, "descriptors of a are 32 floats, those of b 32 bytes of bits"],
      [bits, binary(new Random(1), 3, 61), "those of b 61 bytes of bits"],
      [none, floats, "a has no descriptors"],
      [bits, none, "b has no descriptors"],
      [
        { ...bits, kind: undefined },
        bits,
        'descriptors must be a Float32Array, got a Uint8Array of 96; bits need kind "binary"',
      ],
      [{ ...floats, kind: "binary" }, bits, 'of kind "binary" must be a Uint8Array'],
      [{ ...floats, kind: "bits" }, bits, "kind must be one of float, binary"],
    ] as [FloatFeatures, BinaryFeatures, string][]) {
      await expect(matchFeatures(a, b)).rejects.toThrow(ShapeError);
      await expect(matchFeatures(a, b)).rejects.toThrow(message);
    }
    // Nothing to compare is an answer, whatever the other side is.
    expect((await matchFeatures(bits, emptyFeatures([9, 9], 64))).count).toBe(0);
  });

  it("lengths of floats: only the angle counts, and unit vectors stay as they are", async () => {
    const [a, b] = [sampleFeatures(30, { dim: 128 }), sampleFeatures(40, { dim: 128, seed: 2 })];
    const scaled = (features: FloatFeatures): FloatFeatures => ({
      ...features,
      descriptors: features.descriptors.map((value, i) => value * (100 + (i >> 7))),
    });
    const options = { ratio: 0.97, runtime: null };
    const wanted = await matchFeatures(a, b, options);
    const found = await matchFeatures(scaled(a), scaled(b), options);
    expect(wanted.count).toBeGreaterThan(3);
    expect([...found.pairs]).toEqual([...wanted.pairs]);
    for (const [m, score] of found.scores.entries()) expect(score).toBeCloseTo(wanted.scores[m], 5);
    const zero: FloatFeatures = { ...sampleFeatures(1, { dim: 128 }), descriptors: new Float32Array(128) };
    expect([...(await matchFeatures(zero, b, { runtime: null })).scores].every(Number.isFinite)).toBe(true);
  });
});
