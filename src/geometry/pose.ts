/**
 * The relative pose of two cameras from their essential matrix, and points in space from a pose. Of the four poses that
 * share a matrix the right one has the points in front of both cameras (Hartley and Zisserman, 9.6.2). Before rays are
 * intersected, points are moved to the nearest that obey the pose (Lindstrom, CVPR 2010: two iterations are optimal).
 */
import { checkArray, checkNumbers, checkObject, checkPoints } from "../check.js";
import { OptionError, ShapeError } from "../errors.js";
import { withDefaults } from "../options.js";
import { checkIntrinsics, type Intrinsics, type IntrinsicsLike } from "./intrinsics.js";
import { checkMatrix, type Matrix3 } from "./matrix3.js";
import { svd3 } from "./robust/linear.js";

/** Where the second camera stands: x_b = rotation · x_a + translation. */
export interface Pose {
  /** Row-major 3×3. */
  rotation: Float64Array;
  /** Of length 1: two images do not tell how far apart they are. */
  translation: Float64Array;
}

/** A pose, and the pairs that speak for it. */
export interface RecoveredPose extends Pose {
  /** Indices of the pairs whose point lies in front of both cameras, ascending. */
  inFront: Uint32Array;
}

/** The cameras of a pair of images. */
export interface CameraPair {
  /** Camera of image a: { fx, fy, cx, cy } in pixels, or a 3×3 matrix. */
  intrinsicsA: IntrinsicsLike;
  /** Camera of image b. */
  intrinsicsB: IntrinsicsLike;
}

/** Options of recoverPose. */
export interface RecoverPoseOptions extends CameraPair {
  /** Indices of the pairs that are asked. Default null: all. */
  inliers?: Uint32Array | null;
}

type Points = Float32Array | Float64Array;

/**
 * The pose that an essential matrix (x_bᵀ E x_a = 0 for x = K⁻¹p) stands for, by the pairs of `pointsA` and `pointsB`
 * (pixels: x0, y0, x1, y1, …). Null where no pair lies in front of both cameras. Throws an OptionError where intrinsics are
 * missing, a ShapeError for arrays that do not pair up.
 */
export function recoverPose(
  essential: Matrix3,
  pointsA: Points,
  pointsB: Points,
  options: RecoverPoseOptions,
): RecoveredPose | null {
  const where = "recoverPose";
  checkMatrix(where, essential);
  const rays = checkRays(where, pointsA, pointsB, options, true);
  const count = pointsA.length / 2;
  const chosen = checkIndices(where, options.inliers ?? null, count);
  let best: RecoveredPose | null = null;
  for (const pose of posesOf(essential)) {
    const inFront = chosen.filter((i) => {
      const [a, b] = depths(pose, rays.a, rays.b, 2 * i);
      return a > 0 && b > 0;
    });
    if (inFront.length > (best?.inFront.length ?? 0)) best = { ...pose, inFront };
  }
  return best;
}

/**
 * The points in space that pairs show, in units of the distance between the cameras and coordinates of camera a: X0, Y0,
 * Z0, X1, …; behind a camera as computed. NaN where rays do not meet: they are parallel, or a coordinate is not finite.
 */
export function triangulatePoints(pose: Pose, pointsA: Points, pointsB: Points, cameras: CameraPair): Float64Array {
  const where = "triangulatePoints";
  const { a, b } = checkRays(where, pointsA, pointsB, cameras, false);
  const { rotation, translation } = checkObject(where, "the pose", pose) as Partial<Pose> as Pose;
  checkMatrix(where, rotation);
  if (checkNumbers(where, "translation", translation).length !== 3) {
    throw new ShapeError(`${where}: translation must be 3 numbers, got ${translation.length}`);
  }
  const essential = essentialOf(pose);
  const space = new Float64Array((3 * pointsA.length) / 2);
  for (let k = 0; k < pointsA.length; k += 2) {
    correct(essential, a, b, k);
    const [depth] = depths(pose, a, b, k);
    const known = Number.isFinite(depth) ? depth : Number.NaN;
    space.set([a[k] * known, a[k + 1] * known, known], (3 * k) / 2);
  }
  return space;
}

/** [t]× R, the essential matrix of a pose, row-major; of norm √2 for a translation of length 1. */
export function essentialOf({ rotation: r, translation: [x, y, z] }: Pose): Float64Array {
  const e = new Float64Array(9);
  for (let c = 0; c < 3; c++) {
    e[c] = y * r[6 + c] - z * r[3 + c];
    e[3 + c] = z * r[c] - x * r[6 + c];
    e[6 + c] = x * r[3 + c] - y * r[c];
  }
  return e;
}

/** The four poses: E = U diag(1, 1, 0) Vᵀ, R = U W Vᵀ or U Wᵀ Vᵀ, t = ± the last column of U. */
function posesOf(essential: Matrix3): Pose[] {
  const [u, s, v] = [new Float64Array(9), new Float64Array(3), new Float64Array(9)];
  svd3(essential, u, s, v);
  return [1, -1].flatMap((turn) => {
    const rotation = new Float64Array(9);
    for (let r = 0; r < 3; r++) {
      for (let c = 0; c < 3; c++) {
        // W = [0, -1, 0; 1, 0, 0; 0, 0, 1]
        rotation[3 * r + c] = turn * (u[3 * r + 1] * v[3 * c] - u[3 * r] * v[3 * c + 1]) + u[3 * r + 2] * v[3 * c + 2];
      }
    }
    return [1, -1].map((sign) => ({
      rotation,
      translation: Float64Array.of(sign * u[2], sign * u[5], sign * u[8]),
    }));
  });
}

/** How far along each ray (x, y, 1) the two come nearest to each other; not finite for parallel rays. */
function depths({ rotation: r, translation: t }: Pose, a: Float64Array, b: Float64Array, k: number): [number, number] {
  const [x, y] = [a[k], a[k + 1]];
  const p = [r[0] * x + r[1] * y + r[2], r[3] * x + r[4] * y + r[5], r[6] * x + r[7] * y + r[8]];
  const q = [b[k], b[k + 1], 1];
  // depthB · q = depthA · p + t, times p or q: three parallel vectors.
  const normal = cross(p, q);
  const squared = dot(normal, normal);
  return [dot(cross(q, t), normal) / squared, dot(cross(p, t), normal) / squared];
}

/** Moves the pair at `k` to the nearest that obeys the essential matrix. */
function correct(e: Float64Array, a: Float64Array, b: Float64Array, k: number): void {
  const [x, y, u, v] = [a[k], a[k + 1], b[k], b[k + 1]];
  const lines = (x: number, y: number, u: number, v: number) => [
    e[0] * u + e[3] * v + e[6],
    e[1] * u + e[4] * v + e[7],
    e[0] * x + e[1] * y + e[2],
    e[3] * x + e[4] * y + e[5],
  ];
  const first = lines(x, y, u, v);
  const c = u * first[2] + v * first[3] + e[6] * x + e[7] * y + e[8];
  let n = first;
  for (let iteration = 0; iteration < 2; iteration++) {
    const p = dot(first, n);
    const q = n[2] * (e[0] * n[0] + e[1] * n[1]) + n[3] * (e[3] * n[0] + e[4] * n[1]);
    // The smaller root of q λ² − p λ + c = 0, in the form that holds for q = 0 too.
    const root = Math.sqrt(Math.max(0, p * p - 4 * q * c));
    const step = p + (p < 0 ? -root : root);
    const lambda = step === 0 ? 0 : (2 * c) / step;
    a[k] = x - lambda * n[0];
    a[k + 1] = y - lambda * n[1];
    b[k] = u - lambda * n[2];
    b[k + 1] = v - lambda * n[3];
    n = lines(a[k], a[k + 1], b[k], b[k + 1]);
  }
}

const cross = (p: ArrayLike<number>, q: ArrayLike<number>): number[] => [
  p[1] * q[2] - p[2] * q[1],
  p[2] * q[0] - p[0] * q[2],
  p[0] * q[1] - p[1] * q[0],
];

function dot(p: ArrayLike<number>, q: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < p.length; k++) sum += p[k] * q[k];
  return sum;
}

/** The points as rays x, y (1), of checked cameras. */
function checkRays(where: string, pointsA: Points, pointsB: Points, options: CameraPair, withInliers: boolean) {
  checkPoints(where, "pointsA", pointsA);
  checkPoints(where, "pointsB", pointsB);
  if (pointsA.length !== pointsB.length) {
    throw new ShapeError(
      `${where}: points must pair up, got ${pointsA.length / 2} of a and ${pointsB.length / 2} of b`,
    );
  }
  const known: RecoverPoseOptions = { intrinsicsA: undefined as never, intrinsicsB: undefined as never };
  const given = withDefaults(where, withInliers ? { ...known, inliers: null } : known, options);
  const rays = (points: Points, { fx, fy, cx, cy }: Intrinsics) =>
    Float64Array.from(points, (value, k) => (k & 1 ? (value - cy) / fy : (value - cx) / fx));
  return {
    a: rays(pointsA, checkIntrinsics(where, "intrinsicsA", given.intrinsicsA)),
    b: rays(pointsB, checkIntrinsics(where, "intrinsicsB", given.intrinsicsB)),
  };
}

function checkIndices(where: string, inliers: Uint32Array | null, count: number): Uint32Array {
  if (inliers === null) return Uint32Array.from({ length: count }, (_, i) => i);
  checkArray(where, "inliers", inliers, Uint32Array);
  const beyond = inliers.find((i) => i >= count);
  if (beyond !== undefined) throw new OptionError(`${where}: inlier ${beyond} is no pair of ${count}`);
  return inliers;
}
