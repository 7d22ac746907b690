import { describe, expect, it } from "vitest";
import { recalibrated } from "../../../src/bench/search/recalibrate.js";
import { EVIDENCE, probabilityOf } from "../../../src/geometry/verdict.js";
import { Random } from "../../../src/random.js";

const verdict = {
  weights: { inliers: 1, share: 0.5, spread: 0, tightness: -1, form: 2 },
  bias: -3,
  same: 0.9,
  different: 0.05,
};
const evidence = (inliers: number) => ({ ...Object.fromEntries(EVIDENCE.map((name) => [name, 0])), inliers }) as never;

describe("recalibrated", () => {
  it("finds the stretch and the shift by which finds were drawn", () => {
    const random = new Random(1);
    const finds = Array.from({ length: 4000 }, () => {
      const inliers = random.uniform(-2, 8);
      const probability = probabilityOf(verdict, evidence(inliers));
      const truth = 1 / (1 + Math.exp(-(2 * (inliers - 3) + 1.5)));
      return { probability, right: random.uniform() < truth };
    });
    const found = recalibrated(verdict, finds);
    expect(found.weights.inliers).toBeCloseTo(2, 0);
    expect(found.weights.share / found.weights.inliers).toBeCloseTo(0.5, 9);
    expect(probabilityOf(found, evidence(3))).toBeCloseTo(1 / (1 + Math.exp(-1.5)), 1);
    expect(found.same).toBe(0.9);
  });

  it("stays finite where finds are told apart entirely, and as it is without any", () => {
    const apart = [0.02, 0.01, 0.6, 0.7].map((probability) => ({ probability, right: probability > 0.5 }));
    const found = recalibrated(verdict, apart);
    expect(Object.values(found.weights).every(Number.isFinite)).toBe(true);
    expect(found.weights.inliers).toBeGreaterThan(1);
    expect(recalibrated(verdict, [{ probability: 0, right: false }])).toEqual(verdict);
  });
});
