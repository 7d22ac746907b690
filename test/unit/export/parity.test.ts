/** The comparison of two lists of features. */
import { describe, expect, it } from "vitest";
import { compareFeatures, isSame, sumParity } from "../../../src/export/parity.js";
import type { FloatFeatures } from "../../../src/features.js";

/** x, y, score, angle of a descriptor of two numbers. */
function features(...rows: [number, number, number, number][]): FloatFeatures {
  return {
    count: rows.length,
    dim: 2,
    imageSize: [100, 100],
    keypoints: Float32Array.from(rows.flatMap((row) => row.slice(0, 2))),
    scores: Float32Array.from(rows, ([, , score]) => score),
    descriptors: Float32Array.from(rows.flatMap(([, , , angle]) => [Math.cos(angle), Math.sin(angle)])),
  };
}

describe("compareFeatures", () => {
  it("counts points that are the same, and near, in any order and across pixel edges", () => {
    const library = features([10.4999, 5, 0.9, 0], [20, 5, 0.8, 1], [30, 5, 0.7, 2]);
    const exported = features([20.3, 5, 0.8, 1], [10.5002, 5, 0.9, 0], [70, 70, 0.1, 0]);
    const parity = compareFeatures(library, exported);
    expect(parity).toMatchObject({ points: 3, exported: 3, same: 1, near: 2 });
    expect(parity.distance).toBeCloseTo(0.3, 5);
    expect(parity.meanDistance).toBeCloseTo(0.15, 3);
    expect(isSame(parity)).toBe(false);
  });

  it("tells points of one place apart by their scores", () => {
    const library = features([10, 5, 0.9, 0], [10, 5, 0.5, 1]);
    const parity = compareFeatures(library, features([10, 5, 0.5, 1], [10, 5, 0.9, 0]));
    expect(parity).toMatchObject({ same: 2, score: 0, distance: 0 });
    expect(parity.cosine).toBeCloseTo(1, 6);
    expect(isSame(parity)).toBe(true);
  });

  it("sees wrong descriptors and too many points", () => {
    expect(compareFeatures(features([1, 1, 1, 0]), features([1, 1, 1, Math.PI / 2])).cosine).toBeCloseTo(0, 6);
    const more = compareFeatures(features([1, 1, 1, 0]), features([1, 1, 1, 0], [50, 50, 1, 0]));
    expect(more.same).toBe(1);
    expect(isSame(more)).toBe(false);
  });

  it("takes empty lists for the same, alone and in a sum", () => {
    const none = compareFeatures(features(), features());
    expect(isSame(none)).toBe(true);
    const sum = sumParity([none, compareFeatures(features([1, 1, 1, 0]), features([1, 1.25, 0.75, 0]))]);
    expect(sum).toMatchObject({ points: 1, same: 0, near: 1, distance: 0.25, score: 0.25, meanDistance: 0.25 });
  });
});
