/** The matcher's graph against `matchFeatures`. */
import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { exportMatcher } from "../../../src/export/matcher.js";
import type { Features } from "../../../src/features.js";
import { matchFeatures } from "../../../src/match/mutual.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { Random } from "../../../src/random.js";

const DIM = 8;

function features(count: number, seed: number): Features {
  const random = new Random(seed);
  const descriptors = new Float32Array(count * DIM);
  for (let i = 0; i < count; i++) {
    const row = Array.from({ length: DIM }, () => random.normal());
    descriptors.set(row, i * DIM);
    const norm = Math.hypot(...row);
    for (let c = 0; c < DIM; c++) descriptors[i * DIM + c] /= norm;
  }
  return {
    count,
    dim: DIM,
    imageSize: [9, 9],
    keypoints: new Float32Array(2 * count),
    scores: new Float32Array(count),
    descriptors,
  };
}

describe("exportMatcher", () => {
  it.each([null, DIM])("with dim %s finds the pairs of matchFeatures, of no rows as well", async (dim) => {
    const session = await nodeRuntime.open(exportMatcher(dim), { threads: 1 });
    for (const [n, m] of [
      [200, 150],
      [1, 1],
      [1, 40],
      [0, 5],
      [5, 0],
      [0, 0],
    ] as const) {
      const [a, b] = [features(n, n), features(m, m + 1)];
      const tensor = ({ count, descriptors }: Features) =>
        ({ type: "float32", shape: [count, DIM], data: descriptors }) as const;
      const { pairs, scores } = await session.run({ a: tensor(a), b: tensor(b) });
      const wanted = await matchFeatures(a, b, { runtime: null });
      expect(pairs.shape).toEqual([wanted.count, 2]);
      expect([...pairs.data]).toEqual([...wanted.pairs]);
      wanted.scores.forEach((score, i) => {
        expect(scores.data[i]).toBeCloseTo(score, 5);
      });
    }
    await session.dispose();
  });

  it("gives the lower row where two are alike", async () => {
    const session = await nodeRuntime.open(exportMatcher(), { threads: 1 });
    const a = { type: "float32", shape: [2, 2], data: Float32Array.of(1, 0, 1, 0) } as const;
    const b = { type: "float32", shape: [3, 2], data: Float32Array.of(0, 1, 1, 0, 1, 0) } as const;
    const { pairs } = await session.run({ a, b });
    expect([...pairs.data]).toEqual([0, 1]);
    await session.dispose();
  });

  it("refuses an impossible length", () => {
    expect(() => exportMatcher(0)).toThrow(OptionError);
    expect(() => exportMatcher(1.5)).toThrow(/"dim" must be a whole number/);
  });
});
