import { describe, expect, it } from "vitest";
import { type EssentialOptions, estimateEssential, estimateFundamental } from "../../../src/geometry/epipolar.js";
import { essentialOf, type Pose } from "../../../src/geometry/pose.js";
import { sampsonErrors } from "../../../src/geometry/robust/sampson.js";
import { Random } from "../../../src/random.js";
import {
  CAMERA_A,
  CAMERA_B,
  drawPairs,
  fundamentalOf,
  matrixDistance,
  noisy,
  poseErrors,
  randomPose,
  rotationOf,
  split,
} from "./robust/scenes.js";

const cameras: EssentialOptions = { intrinsicsA: CAMERA_A, intrinsicsB: CAMERA_B };

/** Pairs with noise, the first ones right: `flat` on a plane, `deep` anywhere, `wrong` at random. */
function mixed(random: Random, pose: Pose, flat: number, deep: number, wrong: number, noise = 0.3): Float64Array {
  const right = [...drawPairs(random, pose, flat, true), ...drawPairs(random, pose, deep)];
  const outliers = Array.from({ length: 4 * wrong }, (_, k) => random.uniform(0, k % 2 ? 700 : 1000));
  return Float64Array.of(...noisy(random, Float64Array.from(right), noise), ...outliers);
}

/** The error in pixels below which 80 % of exact pairs of the scene stay: large where the epipole is wrong. */
function errorOf(random: Random, pose: Pose, matrix: Float64Array): number {
  const errors = new Float64Array(200);
  sampsonErrors(matrix, 0, drawPairs(random, pose, 200), errors);
  return Math.sqrt(errors.sort()[160]);
}

describe("estimateFundamental", () => {
  it("finds the matrix among 40 % outliers, and its inliers", async () => {
    const random = new Random(1);
    for (let trial = 0; trial < 6; trial++) {
      const pose = randomPose(random);
      const [a, b] = split(mixed(random, pose, 0, 180, 120));
      const { model, matrix, inliers } = await estimateFundamental(a, b, { seed: trial });
      expect(model).toBe("fundamental");
      expect(errorOf(random, pose, matrix as Float64Array)).toBeLessThan(1);
      expect(inliers.filter((i) => i < 180).length).toBeGreaterThan(170);
      expect(inliers.filter((i) => i >= 180).length).toBeLessThan(12);
    }
  });

  it("is not deceived by a plane that holds nine pairs of ten", async () => {
    const random = new Random(2);
    for (let trial = 0; trial < 6; trial++) {
      const pose = randomPose(random);
      const [a, b] = split(mixed(random, pose, 270, 30, 100));
      const { matrix, inliers } = await estimateFundamental(a, b, { seed: trial });
      expect(errorOf(random, pose, matrix as Float64Array)).toBeLessThan(2);
      expect(inliers.filter((i) => i >= 270 && i < 300).length).toBeGreaterThan(24);
    }
  });

  it("gives the same seed the same matrix, takes scores, and leaves out what is not finite", async () => {
    const random = new Random(3);
    const pairs = mixed(random, randomPose(random), 0, 100, 100);
    const [a, b] = split(pairs);
    a[3] = Number.NaN;
    b[8] = Infinity;
    const scores = Float32Array.from({ length: 200 }, (_, i) => (i < 100 ? 1 : 0) + random.uniform());
    const one = await estimateFundamental(a, b, { scores, seed: 7 });
    expect(await estimateFundamental(a, b, { scores, seed: 7 })).toEqual(one);
    expect(one.inliers.length).toBeGreaterThan(90);
    expect(one.inliers.includes(1) || one.inliers.includes(4)).toBe(false);
    expect(Math.hypot(...(one.matrix as Float64Array))).toBeCloseTo(1, 12);
  });

  it("answers too few pairs, repeated ones and a sample that only agrees with itself with null", async () => {
    const random = new Random(4);
    const none = { model: "fundamental", matrix: null, inliers: new Uint32Array(0) };
    expect(await estimateFundamental(new Float32Array(0), new Float32Array(0))).toEqual(none);
    const seven = split(drawPairs(random, randomPose(random), 7));
    expect(await estimateFundamental(...seven)).toEqual(none);
    expect(await estimateFundamental(new Float32Array(40).fill(5), new Float32Array(40).fill(6))).toEqual(none);
    const lost = split(mixed(random, randomPose(random), 0, 0, 9));
    expect(await estimateFundamental(...lost, { threshold: 0.01 })).toEqual(none);
  });

  it("refuses options by name", async () => {
    const points = new Float32Array(40);
    await expect(estimateFundamental(points, points, { minInliers: 7 })).rejects.toThrow(
      '"minInliers" must be a whole',
    );
    await expect(estimateFundamental(points, points, { threshold: 0 })).rejects.toThrow('"threshold" must be');
    await expect(estimateFundamental(points, points, cameras)).rejects.toThrow('unknown option "intrinsicsA"');
    await expect(estimateFundamental(points, new Float32Array(8))).rejects.toThrow("got 40 and 8 numbers");
  });
});

describe("estimateEssential", () => {
  it("finds the pose among 40 % outliers, in scenes with depth and where a plane holds nine pairs of ten", async () => {
    const random = new Random(5);
    for (let trial = 0; trial < 8; trial++) {
      const pose = randomPose(random);
      const [a, b] = split(mixed(random, pose, trial % 2 ? 270 : 0, trial % 2 ? 30 : 180, 120));
      const found = await estimateEssential(a, b, { ...cameras, seed: trial });
      expect(found.model).toBe("essential");
      expect(Math.max(...poseErrors(found as Pose, pose))).toBeLessThan(2);
      expect(found.matrix).toEqual(essentialOf(found as Pose));
    }
  });

  it("of exact pairs is exact, from six pairs on, on a plane too", async () => {
    const random = new Random(6);
    const pose = randomPose(random);
    const [a, b] = split(drawPairs(random, pose, 6));
    const found = await estimateEssential(a, b, cameras);
    expect(matrixDistance(found.matrix as Float64Array, essentialOf(pose))).toBeLessThan(1e-3);
    const five = await estimateEssential(a.subarray(0, 10), b.subarray(0, 10), cameras);
    expect(five).toEqual({ model: "essential", matrix: null, inliers: new Uint32Array(0) });
  });

  it("of a camera that only turns gives the rotation", async () => {
    const random = new Random(7);
    const rotation = rotationOf(0.1, -0.2, 0.3);
    const [a, b] = split(mixed(random, { rotation, translation: new Float64Array(3) }, 0, 200, 60));
    const found = await estimateEssential(a, b, cameras);
    expect(poseErrors(found as Pose, { rotation, translation: found.translation as Float64Array })[0]).toBeLessThan(
      0.5,
    );
  });

  it("says which camera is missing", async () => {
    const points = new Float32Array(40);
    const { intrinsicsA } = cameras;
    await expect(estimateEssential(points, points, {} as EssentialOptions)).rejects.toThrow('needs "intrinsicsA"');
    await expect(estimateEssential(points, points, { intrinsicsA } as EssentialOptions)).rejects.toThrow(
      "without them estimate a fundamental matrix",
    );
  });

  it("agrees with the fundamental matrix of the same pairs", async () => {
    const random = new Random(8);
    const pose = randomPose(random);
    const [a, b] = split(drawPairs(random, pose, 100));
    const { matrix } = await estimateFundamental(a, b);
    expect(matrixDistance(matrix as Float64Array, fundamentalOf(pose))).toBeLessThan(1e-5);
  });
});
