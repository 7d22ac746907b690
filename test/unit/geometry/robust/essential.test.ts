import { describe, expect, it } from "vitest";
import { compose, transposed } from "../../../../src/geometry/matrix3.js";
import { essentialOf } from "../../../../src/geometry/pose.js";
import { conditioningOf, essentialModel } from "../../../../src/geometry/robust/essential.js";
import { fundamentalModel } from "../../../../src/geometry/robust/fundamental.js";
import { Random } from "../../../../src/random.js";
import {
  CAMERA_A,
  CAMERA_B,
  drawPairs,
  fundamentalOf,
  matrixDistance,
  noisy,
  randomPose,
  rotationOf,
} from "./scenes.js";

const SAMPLE = Int32Array.of(0, 1, 2, 3, 4);
const model = essentialModel(conditioningOf(CAMERA_A, CAMERA_B));
const solutions = new Float64Array(90);
const errorsOf = (matrix: Float64Array, pairs: Float64Array, at = 0) => {
  const errors = new Float64Array(pairs.length / 4);
  model.squaredErrors(matrix, at, pairs, errors);
  return errors;
};
const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);

/** Largest entry of 2EEᵀE − tr(EEᵀ)E, which is 0 for an essential matrix. */
function departure(e: Float64Array): number {
  const square = compose(e, transposed(e));
  const cube = compose(square, e);
  const trace = square[0] + square[4] + square[8];
  return Math.max(...cube.map((value, k) => Math.abs(2 * value - trace * e[k])));
}

describe("five points", () => {
  it("give the true matrix among at most ten, all essential and through all five", () => {
    const random = new Random(1);
    let missed = 0;
    for (let trial = 0; trial < 300; trial++) {
      const pose = randomPose(random);
      const pairs = drawPairs(random, pose, 5);
      const count = model.solve(pairs, SAMPLE, solutions);
      expect(count).toBeLessThanOrEqual(10);
      const truth = essentialOf(pose);
      const distances = Array.from({ length: count }, (_, k) => matrixDistance(solutions, truth, 9 * k));
      if (!(Math.min(...distances) < 1e-4)) missed++;
      for (let k = 0; k < count; k++) {
        expect(departure(solutions.slice(9 * k, 9 * k + 9))).toBeLessThan(1e-3);
        for (const error of errorsOf(solutions, pairs, 9 * k)) expect(error).toBeLessThan(1e-8);
      }
    }
    // A polynomial of degree 10 is ill-conditioned for some: two matrices are almost one.
    expect(missed).toBeLessThanOrEqual(3);
  });

  it.each(["a plane", "forward", "sideways"])("work for %s: points on one, or a camera that only moves so", (kind) => {
    const random = new Random(2);
    const still = rotationOf(0, 0, 0);
    let found = 0;
    for (let trial = 0; trial < 100; trial++) {
      const pose =
        kind === "a plane"
          ? randomPose(random)
          : { rotation: still, translation: kind === "forward" ? Float64Array.of(0, 0, 1) : Float64Array.of(1, 0, 0) };
      const pairs = drawPairs(random, pose, 5, kind === "a plane");
      const count = model.solve(pairs, SAMPLE, solutions);
      const distances = Array.from({ length: count }, (_, k) => matrixDistance(solutions, essentialOf(pose), 9 * k));
      if (Math.min(...distances) < 1e-3) found++;
    }
    expect(found).toBeGreaterThanOrEqual(96);
  });

  it("of a pure rotation give essential matrices through all five, though any translation would do", () => {
    const random = new Random(3);
    const rotation = rotationOf(0.1, -0.2, 0.3);
    let solved = 0;
    for (let trial = 0; trial < 20; trial++) {
      const pairs = noisy(random, drawPairs(random, { rotation, translation: new Float64Array(3) }, 5), 0.1);
      const count = model.solve(pairs, SAMPLE, solutions);
      solved += count;
      for (let k = 0; k < count; k++) {
        expect(departure(solutions.slice(9 * k, 9 * k + 9))).toBeLessThan(1e-2);
        for (const error of errorsOf(solutions, pairs, 9 * k)) expect(error).toBeLessThan(1e-6);
      }
    }
    expect(solved).toBeGreaterThan(0);
  });

  it("are refused where points repeat", () => {
    const random = new Random(4);
    const pairs = drawPairs(random, randomPose(random), 5);
    expect(model.isSampleGood(pairs, SAMPLE)).toBe(true);
    pairs.copyWithin(4, 0, 4);
    expect(model.isSampleGood(pairs, SAMPLE)).toBe(false);
    expect(model.solve(pairs, SAMPLE, solutions)).toBe(0);
  });
});

describe("fits", () => {
  it("are exact on exact pairs, and errors are those of the fundamental matrix in pixels", () => {
    const random = new Random(5);
    for (let trial = 0; trial < 20; trial++) {
      const pose = randomPose(random);
      const exact = drawPairs(random, pose, 40);
      const weights = new Float64Array(40).fill(1);
      const fitted = new Float64Array(9);
      expect(model.fit(exact, weights, null, fitted)).toBe(true);
      expect(matrixDistance(fitted, essentialOf(pose))).toBeLessThan(1e-6);
      const off = essentialOf(pose).map((value) => value + 0.01 * random.normal());
      for (let step = 0; step < 10; step++) expect(model.fit(exact, weights, off, off)).toBe(true);
      expect(matrixDistance(off, essentialOf(pose))).toBeLessThan(1e-7);

      const pairs = noisy(random, exact, 1);
      const wanted = new Float64Array(40);
      fundamentalModel.squaredErrors(fundamentalOf(pose), 0, pairs, wanted);
      for (const [i, error] of errorsOf(essentialOf(pose), pairs).entries()) expect(error).toBeCloseTo(wanted[i], 6);
    }
  });

  it("near a model lessen the errors in pixels and stay essential, on planes too", () => {
    const random = new Random(6);
    for (let trial = 0; trial < 20; trial++) {
      const pose = randomPose(random);
      const pairs = noisy(random, drawPairs(random, pose, 60, trial % 2 === 1), 1);
      const weights = new Float64Array(60).fill(1);
      const matrix = essentialOf(pose).map((value) => value + 0.02 * random.normal());
      let last = Infinity;
      for (let step = 0; step < 10; step++) {
        expect(model.fit(pairs, weights, matrix, matrix)).toBe(true);
        const now = sum(errorsOf(matrix, pairs));
        expect(now).toBeLessThanOrEqual(last * (1 + 1e-9));
        last = now;
      }
      expect(departure(matrix)).toBeLessThan(1e-12);
      // 60 pairs of variance 1: no more than at the truth.
      expect(last).toBeLessThanOrEqual(sum(errorsOf(essentialOf(pose), pairs)));
    }
  });

  it("without a model need eight pairs that are not on a plane", () => {
    const random = new Random(7);
    const refit = (pairs: Float64Array) =>
      model.fit(pairs, new Float64Array(pairs.length / 4).fill(1), null, new Float64Array(9));
    expect(refit(drawPairs(random, randomPose(random), 7))).toBe(false);
    expect(refit(drawPairs(random, randomPose(random), 50, true))).toBe(false);
    expect(refit(drawPairs(random, randomPose(random), 8))).toBe(true);
  });
});
