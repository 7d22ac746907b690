import { describe, expect, it } from "vitest";
import { fundamentalModel } from "../../../../src/geometry/robust/fundamental.js";
import { svd3 } from "../../../../src/geometry/robust/linear.js";
import { Random } from "../../../../src/random.js";
import { drawPairs, fundamentalOf, matrixDistance, noisy, randomPose } from "./scenes.js";

const SAMPLE = Int32Array.of(0, 1, 2, 3, 4, 5, 6);
const solutions = new Float64Array(27);
const errorsOf = (model: Float64Array, pairs: Float64Array, at = 0) => {
  const errors = new Float64Array(pairs.length / 4);
  fundamentalModel.squaredErrors(model, at, pairs, errors);
  return errors;
};
const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
/** The third singular value over the first, in units of about 1 (pixels over 500). */
function thirdSingular(f: Float64Array): number {
  const [u, s, v] = [new Float64Array(9), new Float64Array(3), new Float64Array(9)];
  svd3(
    f.map((value, k) => value * 500 ** ((k % 3 < 2 ? 1 : 0) + (k < 6 ? 1 : 0))),
    u,
    s,
    v,
  );
  return Math.abs(s[2] / s[0]);
}

describe("seven points", () => {
  it("give the true matrix among at most three, all of rank 2 and through all seven", () => {
    const random = new Random(1);
    for (let trial = 0; trial < 200; trial++) {
      const pose = randomPose(random);
      const pairs = drawPairs(random, pose, 7);
      const count = fundamentalModel.solve(pairs, SAMPLE, solutions);
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThanOrEqual(3);
      const truth = fundamentalOf(pose);
      const distances = Array.from({ length: count }, (_, k) => matrixDistance(solutions, truth, 9 * k));
      expect(Math.min(...distances)).toBeLessThan(1e-6);
      for (let k = 0; k < count; k++) {
        expect(thirdSingular(solutions.slice(9 * k, 9 * k + 9))).toBeLessThan(1e-9);
        for (const error of errorsOf(solutions, pairs, 9 * k)) expect(error).toBeLessThan(1e-8);
      }
    }
  });

  it("go with the coordinates: image 2 mirrored, or in other units", () => {
    const random = new Random(2);
    const pose = randomPose(random);
    const pairs = drawPairs(random, pose, 7);
    const changed = pairs.map((value, k) => (k % 4 === 2 ? 640 - value : k % 4 === 3 ? 0.01 * value : value));
    const count = fundamentalModel.solve(pairs, SAMPLE, solutions);
    const others = new Float64Array(27);
    expect(fundamentalModel.solve(changed, SAMPLE, others)).toBe(count);
    // x₂ᵀ F x₁ = x₂'ᵀ F' x₁: F' = M⁻ᵀ F for x₂' = M x₂.
    const truth = fundamentalOf(pose);
    const [a, b, c] = [0, 3, 6].map((k) => truth.subarray(k, k + 3));
    const wanted = Float64Array.of(
      ...a.map((value) => -value),
      ...b.map((value) => 100 * value),
      ...c.map((value, k) => value + 640 * a[k]),
    );
    const distances = Array.from({ length: count }, (_, k) => matrixDistance(others, wanted, 9 * k));
    expect(Math.min(...distances)).toBeLessThan(1e-6);
  });

  it("are refused where points repeat, and where they do not determine a matrix", () => {
    const random = new Random(3);
    const pairs = drawPairs(random, randomPose(random), 8);
    expect(fundamentalModel.isSampleGood(pairs, SAMPLE)).toBe(true);
    for (const image of [0, 2]) {
      const repeated = pairs.slice();
      repeated.copyWithin(4 * 6 + image, image, image + 2);
      expect(fundamentalModel.isSampleGood(repeated, SAMPLE)).toBe(false);
    }
    const one = new Float64Array(28).fill(5);
    expect(fundamentalModel.solve(one, SAMPLE, solutions)).toBe(0);
    const same = pairs.slice();
    same.copyWithin(4, 0, 4);
    expect(fundamentalModel.solve(same, SAMPLE, solutions)).toBe(0);
  });
});

describe("fits", () => {
  it("are exact on exact pairs, and leave out pairs of weight 0", () => {
    const random = new Random(4);
    for (let trial = 0; trial < 20; trial++) {
      const pose = randomPose(random);
      const pairs = drawPairs(random, pose, 40);
      for (let k = 0; k < 40; k++) pairs[k] = random.uniform(0, 600);
      const weights = Float64Array.from({ length: 40 }, (_, i) => (i < 10 ? 0 : random.uniform(0.1, 2)));
      const model = new Float64Array(9);
      expect(fundamentalModel.fit(pairs, weights, null, model)).toBe(true);
      expect(matrixDistance(model, fundamentalOf(pose))).toBeLessThan(1e-7);
      const near = fundamentalOf(pose).map((value) => value * (1 + 0.001 * random.normal()));
      for (let step = 0; step < 10; step++) fundamentalModel.fit(pairs, weights, near, near);
      expect(matrixDistance(near, fundamentalOf(pose))).toBeLessThan(1e-7);
    }
  });

  it("near a model lessen Sampson's errors step by step, below those of the eight points, at rank 2", () => {
    const random = new Random(5);
    for (let trial = 0; trial < 20; trial++) {
      const pairs = noisy(random, drawPairs(random, randomPose(random), 60), 1);
      const weights = new Float64Array(60).fill(1);
      const model = new Float64Array(9);
      expect(fundamentalModel.fit(pairs, weights, null, model)).toBe(true);
      const first = sum(errorsOf(model, pairs));
      let last = first;
      for (let step = 0; step < 8; step++) {
        expect(fundamentalModel.fit(pairs, weights, model, model)).toBe(true);
        const now = sum(errorsOf(model, pairs));
        expect(now).toBeLessThanOrEqual(last * (1 + 1e-9));
        last = now;
      }
      expect(last).toBeLessThan(first);
      expect(thirdSingular(model)).toBeLessThan(1e-9);
      // 60 pairs less 7 of freedom, of variance 1: the least sum is near 53.
      expect(last).toBeLessThan(100);
    }
  });

  it("say that too few pairs, pairs on a plane and repeated ones do not determine a matrix", () => {
    const random = new Random(6);
    const model = Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
    const refit = (pairs: Float64Array) =>
      fundamentalModel.fit(pairs, new Float64Array(pairs.length / 4).fill(1), null, model);
    expect(refit(drawPairs(random, randomPose(random), 7))).toBe(false);
    expect(refit(drawPairs(random, randomPose(random), 50, true))).toBe(false);
    expect(refit(new Float64Array(200).fill(3))).toBe(false);
    expect(refit(new Float64Array(0))).toBe(false);
    expect([...model]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("Sampson's error is that of the nearest pair that obeys, to first order", () => {
    const random = new Random(7);
    const pose = randomPose(random);
    const truth = fundamentalOf(pose);
    const exact = drawPairs(random, pose, 100);
    for (const shift of [0.5, 2]) {
      // Moved along the constraint's gradient, the exact pair is the nearest one.
      const moved = exact.slice();
      for (let k = 0; k < moved.length; k += 4) {
        const [x, y, u, v] = exact.subarray(k, k + 4);
        const gradient = [
          truth[0] * u + truth[3] * v + truth[6],
          truth[1] * u + truth[4] * v + truth[7],
          truth[0] * x + truth[1] * y + truth[2],
          truth[3] * x + truth[4] * y + truth[5],
        ];
        const length = Math.hypot(...gradient);
        for (let j = 0; j < 4; j++) moved[k + j] += (shift * gradient[j]) / length;
      }
      for (const error of errorsOf(truth, moved)) expect(Math.abs(Math.sqrt(error) - shift)).toBeLessThan(0.02 * shift);
    }
    const lost = errorsOf(new Float64Array(9), exact);
    expect(lost.every((error) => error === Infinity)).toBe(true);
  });
});
