/** Drawn scenes for the solvers' tests: two cameras, points in space, pixels of both. */
import type { Intrinsics } from "../../../../src/geometry/intrinsics.js";
import { compose, inverse3x3, transposed } from "../../../../src/geometry/matrix3.js";
import { essentialOf, type Pose } from "../../../../src/geometry/pose.js";
import type { Random } from "../../../../src/random.js";

export const CAMERA_A: Intrinsics = { fx: 900, fy: 920, cx: 500, cy: 340 };
export const CAMERA_B: Intrinsics = { fx: 700, fy: 690, cx: 310, cy: 250 };

/** Rotations about x, y, z, one after the other. */
export function rotationOf(x: number, y: number, z: number): Float64Array {
  const [cx, cy, cz] = [x, y, z].map(Math.cos);
  const [sx, sy, sz] = [x, y, z].map(Math.sin);
  const about = [
    [1, 0, 0, 0, cx, -sx, 0, sx, cx],
    [cy, 0, sy, 0, 1, 0, -sy, 0, cy],
    [cz, -sz, 0, sz, cz, 0, 0, 0, 1],
  ];
  return compose(about[2], compose(about[1], about[0]));
}

export function randomPose(random: Random): Pose {
  const direction = [random.normal(), random.normal(), random.normal() / 2];
  const length = Math.hypot(...direction);
  return {
    rotation: rotationOf(random.uniform(-0.4, 0.4), random.uniform(-0.4, 0.4), random.uniform(-1, 1)),
    translation: Float64Array.from(direction, (value) => value / length),
  };
}

/** x1, y1, x2, y2 per point, in pixels; `plane`: points on one plane. Points lie in front of both cameras. */
export function drawPairs(
  random: Random,
  { rotation: r, translation: t }: Pose,
  count: number,
  plane = false,
): Float64Array {
  const pairs = new Float64Array(4 * count);
  for (let i = 0; i < count; ) {
    const [x, y] = [random.uniform(-3, 3), random.uniform(-2, 2)];
    const z = plane ? 6 + 0.3 * x - 0.2 * y : random.uniform(4, 9);
    const [u, v, w] = [0, 3, 6].map((k) => r[k] * x + r[k + 1] * y + r[k + 2] * z + t[k / 3]);
    if (w < 0.5) continue;
    const { fx, fy, cx, cy } = CAMERA_B;
    pairs.set(
      [(CAMERA_A.fx * x) / z + CAMERA_A.cx, (CAMERA_A.fy * y) / z + CAMERA_A.cy, (fx * u) / w + cx, (fy * v) / w + cy],
      4 * i++,
    );
  }
  return pairs;
}

/** Adds normal errors of that standard deviation to every coordinate. */
export const noisy = (random: Random, pairs: Float64Array, sigma: number): Float64Array =>
  pairs.map((value) => value + sigma * random.normal());

/** Points of image 1 and of image 2, as the public functions take them. */
export function split(pairs: Float64Array): [Float32Array, Float32Array] {
  const half = (at: number) =>
    Float32Array.from({ length: pairs.length / 2 }, (_, k) => pairs[4 * (k >> 1) + at + (k & 1)]);
  return [half(0), half(2)];
}

const inverseCamera = ({ fx, fy, cx, cy }: Intrinsics) => inverse3x3([fx, 0, cx, 0, fy, cy, 0, 0, 1]) as Float64Array;

/** The fundamental matrix of a pose, for pixels. */
export const fundamentalOf = (pose: Pose): Float64Array =>
  compose(transposed(inverseCamera(CAMERA_B)), compose(essentialOf(pose), inverseCamera(CAMERA_A)));

/** Distance of two matrices of norm 1, whatever their sign; `at`: where the first one lies in its array. */
export function matrixDistance(a: Float64Array, b: Float64Array, at = 0): number {
  const one = a.subarray(at, at + 9);
  const [p, q] = [Math.hypot(...one), Math.hypot(...b)];
  const difference = (sign: number) => Math.hypot(...one.map((value, k) => value / p - (sign * b[k]) / q));
  return Math.min(difference(1), difference(-1));
}

/** Angle between the rotations, and between the directions of the translations, in degrees. */
export function poseErrors(a: Pose, b: Pose): [number, number] {
  const trace = a.rotation.reduce((sum, value, k) => sum + value * b.rotation[k], 0);
  const along = a.translation.reduce((sum, value, k) => sum + value * b.translation[k], 0);
  return [(trace - 1) / 2, along].map((cosine) => (Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI) as [
    number,
    number,
  ];
}
