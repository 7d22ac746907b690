import { describe, expect, it } from "vitest";
import { essentialOf, recoverPose, triangulatePoints } from "../../../src/geometry/pose.js";
import { Random } from "../../../src/random.js";
import { CAMERA_A, CAMERA_B, drawPairs, noisy, poseErrors, randomPose, split } from "./robust/scenes.js";

const cameras = { intrinsicsA: CAMERA_A, intrinsicsB: CAMERA_B };

describe("recoverPose", () => {
  it("finds rotation and direction, whatever the matrix's sign and scale, with all points in front", () => {
    const random = new Random(1);
    for (let trial = 0; trial < 50; trial++) {
      const pose = randomPose(random);
      const [a, b] = split(drawPairs(random, pose, 20));
      const matrix = essentialOf(pose).map((value) => value * (trial % 2 ? -3 : 0.1));
      const found = recoverPose(matrix, a, b, cameras);
      expect(Math.max(...poseErrors(found!, pose))).toBeLessThan(1e-4);
      expect(found!.inFront.length).toBe(20);
      expect(Math.hypot(...found!.translation)).toBeCloseTo(1, 12);
    }
  });

  it("takes 3×3 intrinsics, asks the inliers only, and leaves out pairs that are not finite", () => {
    const random = new Random(2);
    const pose = randomPose(random);
    const [a, b] = split(drawPairs(random, pose, 12));
    for (let k = 0; k < 14; k++) b[k] = random.uniform(0, 500);
    a[22] = Number.NaN;
    const { fx, fy, cx, cy } = CAMERA_A;
    const inliers = Uint32Array.of(7, 8, 9, 10, 11);
    const found = recoverPose(essentialOf(pose), a, b, {
      ...cameras,
      intrinsicsA: [fx, 0, cx, 0, fy, cy, 0, 0, 1],
      inliers,
    });
    expect(Math.max(...poseErrors(found!, pose))).toBeLessThan(1e-4);
    expect([...found!.inFront]).toEqual([7, 8, 9, 10]);
    expect(recoverPose(essentialOf(pose), new Float32Array(0), new Float32Array(0), cameras)).toBe(null);
  });

  it("says what is wrong with cameras and arrays", () => {
    const points = new Float32Array(8);
    const call =
      (options: object, b = points) =>
      () =>
        recoverPose(new Float64Array(9), points, b, options as never);
    expect(call({})).toThrow('needs "intrinsicsA": { fx, fy, cx, cy } in pixels');
    expect(call({ intrinsicsA: CAMERA_A })).toThrow('needs "intrinsicsB"');
    expect(call({ ...cameras, intrinsicsA: { ...CAMERA_A, fx: 0 } })).toThrow(
      '"intrinsicsA.fx" must be a number above 0',
    );
    expect(call({ ...cameras, intrinsicsB: { fx: 1, fy: 1, cx: 1 } })).toThrow(
      '"intrinsicsB.cy" must be a finite number',
    );
    expect(call({ ...cameras, intrinsicsA: [1, 2, 3] })).toThrow("has 9 numbers, got 3");
    expect(call({ ...cameras, intrinsicsA: [900, 5, 1, 0, 900, 1, 0, 0, 1] })).toThrow("without skew");
    expect(call({ ...cameras, intrinsicsA: [900, 0, 0, 0, 900, 0, 400, 300, 1] })).toThrow("row by row");
    expect(call(cameras, new Float32Array(6))).toThrow("must pair up, got 4 of a and 3 of b");
    expect(call({ ...cameras, inliers: Uint32Array.of(4) })).toThrow("inlier 4 is no pair of 4");
    expect(call({ ...cameras, camera: 1 })).toThrow('unknown option "camera"');
  });
});

describe("triangulatePoints", () => {
  it("gives back the points of exact pairs, and near ones of noisy pairs", () => {
    const random = new Random(3);
    for (const sigma of [0, 0.5]) {
      const pose = randomPose(random);
      const pairs = drawPairs(random, pose, 200);
      const [a, b] = split(noisy(random, pairs, sigma));
      const space = triangulatePoints(pose, a, b, cameras);
      const off: number[] = [];
      for (let i = 0; i < 200; i++) {
        const [x, y, z] = space.subarray(3 * i, 3 * i + 3);
        off.push(
          Math.hypot(
            (CAMERA_A.fx * x) / z + CAMERA_A.cx - pairs[4 * i],
            (CAMERA_A.fy * y) / z + CAMERA_A.cy - pairs[4 * i + 1],
          ),
        );
      }
      off.sort((p, q) => p - q);
      expect(off[190]).toBeLessThan(sigma === 0 ? 1e-3 : 2);
      expect(off[100]).toBeLessThan(sigma === 0 ? 1e-3 : 1);
    }
  });

  it("is NaN where rays are parallel or not finite, and behind where they meet behind", () => {
    const pose = { rotation: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), translation: Float64Array.of(1, 0, 0) };
    const one = { fx: 1, fy: 1, cx: 0, cy: 0 };
    // At infinity; at depth 2 (x_b = x_a + 1/2); behind (x_b = x_a − 1/2); unknown.
    const space = triangulatePoints(
      pose,
      Float64Array.of(0.3, 0, 0, 0, 0, 0, Number.NaN, 0),
      Float64Array.of(0.3, 0, 0.5, 0, -0.5, 0, 0, 0),
      { intrinsicsA: one, intrinsicsB: one },
    );
    expect([...space.subarray(0, 3)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(space[5]).toBeCloseTo(2, 12);
    expect(space[8]).toBeCloseTo(-2, 12);
    expect(space[11]).toBeNaN();
  });
});
