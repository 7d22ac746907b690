/**
 * A flat target's pose from where its corners are: two poses look nearly alike when it is small or far away (infinitesimal
 * plane-based pose estimation, IPPE; Collins and Bartoli, IJCV 2014). Both are refined on the corners and weighed by
 * their error and by what was seen before.
 */
import type { Intrinsics } from "../geometry/intrinsics.js";
import { homographyOfCorners } from "./plane.js";

/** A pose: point of the target → camera by rotation · p + translation; x right, y down, z away from the camera. */
interface PlanarPose {
  rotation: Float64Array;
  translation: Float64Array;
  /** Root mean square error of a corner, in pixels. */
  error: number;
}

/** What a corner's error and a turn from the last pose (radians) count. */
const CORNER_SIGMA = 0.3;
const TURN_SIGMA = 0.35;
const REFINEMENTS = 6;

/**
 * The pose (see TrackedTarget.pose) of a target of that width and height whose corners are seen at `corners`. `before`: the
 * pose in the last frame, where it is known. Null where no pose shows them.
 */
export function planarPose(
  corners: ArrayLike<number>,
  [width, height]: readonly [number, number],
  camera: Intrinsics,
  before: Float64Array | null,
): Float64Array | null {
  const [x, y] = [width / 2, height / 2];
  const plane = [-x, -y, x, -y, x, y, -x, y];
  const rays = Float64Array.from({ length: 8 }, (_, k) =>
    k & 1 ? (corners[k] - camera.cy) / camera.fy : (corners[k] - camera.cx) / camera.fx,
  );
  const homography = homographyOfCorners(plane, rays);
  if (!homography) return null;
  let best: Float64Array | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const rotation of rotationsOf(homography)) {
    const pose = refined(rotation, plane, rays, camera);
    if (!pose) continue;
    const matrix = asCameraMatrix(pose);
    const cost = (pose.error / CORNER_SIGMA) ** 2 + (before ? (turn(matrix, before) / TURN_SIGMA) ** 2 : 0);
    if (!(cost < least)) continue;
    least = cost;
    best = matrix;
  }
  return best;
}

/** The two rotations that a homography from the plane's origin to rays (x, y, 1) allows to first order. */
function rotationsOf(h: Float64Array): Float64Array[] {
  const [p, q] = [h[2] / h[8], h[5] / h[8]];
  const [h20, h21] = [h[6] / h[8], h[7] / h[8]];
  const j = [h[0] / h[8] - h20 * p, h[1] / h[8] - h21 * p, h[3] / h[8] - h20 * q, h[4] / h[8] - h21 * q];
  const view = turnTo(p, q);
  // B = [1 0 −p; 0 1 −q] · view, its first two columns.
  const b = [view[0] - p * view[6], view[1] - p * view[7], view[3] - q * view[6], view[4] - q * view[7]];
  const determinant = b[0] * b[3] - b[1] * b[2];
  if (!(Math.abs(determinant) > 1e-12)) return [];
  const a = [
    (b[3] * j[0] - b[1] * j[2]) / determinant,
    (b[3] * j[1] - b[1] * j[3]) / determinant,
    (b[0] * j[2] - b[2] * j[0]) / determinant,
    (b[0] * j[3] - b[2] * j[1]) / determinant,
  ];
  const [s00, s01, s11] = [a[0] ** 2 + a[1] ** 2, a[0] * a[2] + a[1] * a[3], a[2] ** 2 + a[3] ** 2];
  const largest = Math.sqrt((s00 + s11 + Math.sqrt((s00 - s11) ** 2 + 4 * s01 ** 2)) / 2);
  if (!(largest > 0)) return [];
  const [r00, r01, r10, r11] = a.map((value) => value / largest);
  const third = Math.sqrt(Math.max(0, 1 - r00 * r00 - r10 * r10));
  const product = -(r00 * r01 + r10 * r11);
  const fourth = Math.sqrt(Math.max(0, 1 - r01 * r01 - r11 * r11)) * (product < 0 ? -1 : 1);
  return [1, -1].map((sign) => {
    const [u, v] = [sign * third, sign * fourth];
    const local = [r00, r01, r10 * v - u * r11, r10, r11, u * r01 - r00 * v, u, v, r00 * r11 - r10 * r01];
    return product3(view, local);
  });
}

/** The rotation that takes the optical axis to the direction (p, q, 1). */
function turnTo(p: number, q: number): Float64Array {
  const squared = p * p + q * q;
  const cosine = 1 / Math.sqrt(squared + 1);
  // (1 − cos) / (p² + q²), which stays finite at 0.
  const k = (cosine * cosine) / (1 + cosine);
  const [x, y] = [p * cosine, q * cosine];
  return Float64Array.of(1 - k * p * p, -k * p * q, x, -k * p * q, 1 - k * q * q, y, -x, -y, cosine);
}

function product3(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const c = new Float64Array(9);
  for (let r = 0; r < 3; r++) {
    for (let k = 0; k < 3; k++) c[3 * r + k] = a[3 * r] * b[k] + a[3 * r + 1] * b[3 + k] + a[3 * r + 2] * b[6 + k];
  }
  return c;
}

/** Gauss and Newton's steps on the corners, in pixels, from that rotation and the translation that fits it best. */
function refined(
  rotation: Float64Array,
  plane: readonly number[],
  rays: Float64Array,
  camera: Intrinsics,
): PlanarPose | null {
  let r = rotation;
  let t = translationFor(r, plane, rays);
  if (!t) return null;
  for (let step = 0; step < REFINEMENTS; step++) {
    const normal = new Float64Array(6 * 7);
    for (let k = 0; k < 4; k++) {
      const [x, y] = [plane[2 * k], plane[2 * k + 1]];
      // The point turned, before it is moved: small turns move it by ω × v.
      const v = [r[0] * x + r[1] * y, r[3] * x + r[4] * y, r[6] * x + r[7] * y];
      const z = v[2] + t[2];
      if (!(z > 0)) return null;
      const [u, w] = [(v[0] + t[0]) / z, (v[1] + t[1]) / z];
      const rows = [
        [-u * v[1], v[2] + u * v[0], -v[1], 1, 0, -u].map((value) => (camera.fx * value) / z),
        [-v[2] - w * v[1], w * v[0], v[0], 0, 1, -w].map((value) => (camera.fy * value) / z),
      ];
      const rest = [camera.fx * (rays[2 * k] - u), camera.fy * (rays[2 * k + 1] - w)];
      for (let e = 0; e < 2; e++) {
        for (let i = 0; i < 6; i++) {
          for (let j = 0; j < 6; j++) normal[7 * i + j] += rows[e][i] * rows[e][j];
          normal[7 * i + 6] += rows[e][i] * rest[e];
        }
      }
    }
    const move = solve6(normal);
    if (!move) break;
    r = product3(rotationBy(move[0], move[1], move[2]), r);
    t = Float64Array.of(t[0] + move[3], t[1] + move[4], t[2] + move[5]);
  }
  let square = 0;
  for (let k = 0; k < 4; k++) {
    const [x, y] = [plane[2 * k], plane[2 * k + 1]];
    const z = r[6] * x + r[7] * y + t[2];
    if (!(z > 0)) return null;
    square += (camera.fx * ((r[0] * x + r[1] * y + t[0]) / z - rays[2 * k])) ** 2;
    square += (camera.fy * ((r[3] * x + r[4] * y + t[1]) / z - rays[2 * k + 1])) ** 2;
  }
  return Number.isFinite(square) ? { rotation: r, translation: t, error: Math.sqrt(square / 4) } : null;
}

/** The translation that, with that rotation, brings the corners nearest to their rays (linear least squares). */
function translationFor(r: Float64Array, plane: readonly number[], rays: Float64Array): Float64Array | null {
  // Rows [1 0 −u] and [0 1 −w]: normal equations [4 0 −Σu; 0 4 −Σw; −Σu −Σw Σ(u² + w²)].
  let [su, sw, sq, bx, by, bz] = [0, 0, 0, 0, 0, 0];
  for (let k = 0; k < 4; k++) {
    const [x, y, u, w] = [plane[2 * k], plane[2 * k + 1], rays[2 * k], rays[2 * k + 1]];
    const z = r[6] * x + r[7] * y;
    const dx = u * z - (r[0] * x + r[1] * y);
    const dy = w * z - (r[3] * x + r[4] * y);
    su += u;
    sw += w;
    sq += u * u + w * w;
    bx += dx;
    by += dy;
    bz -= u * dx + w * dy;
  }
  const rest = sq - (su * su + sw * sw) / 4;
  if (!(rest > 0)) return null;
  const z = (bz + (su * bx + sw * by) / 4) / rest;
  return z > 0 ? Float64Array.of((bx + su * z) / 4, (by + sw * z) / 4, z) : null;
}

/** Rodrigues' formula. */
function rotationBy(x: number, y: number, z: number): Float64Array {
  const angle = Math.hypot(x, y, z);
  const s = angle > 1e-9 ? Math.sin(angle) / angle : 1;
  const c = angle > 1e-9 ? (1 - Math.cos(angle)) / (angle * angle) : 0.5;
  return Float64Array.of(
    1 - c * (y * y + z * z),
    c * x * y - s * z,
    c * x * z + s * y,
    c * x * y + s * z,
    1 - c * (x * x + z * z),
    c * y * z - s * x,
    c * x * z - s * y,
    c * y * z + s * x,
    1 - c * (x * x + y * y),
  );
}

/** Six unknowns by elimination with row pivots; null where they are open. */
function solve6(m: Float64Array): Float64Array | null {
  for (let c = 0; c < 6; c++) {
    let pivot = c;
    for (let r = c + 1; r < 6; r++) if (Math.abs(m[7 * r + c]) > Math.abs(m[7 * pivot + c])) pivot = r;
    if (!(Math.abs(m[7 * pivot + c]) > 1e-12)) return null;
    for (let k = 0; k < 7; k++) {
      const kept = m[7 * c + k];
      m[7 * c + k] = m[7 * pivot + k];
      m[7 * pivot + k] = kept;
    }
    for (let r = 0; r < 6; r++) {
      if (r === c) continue;
      const factor = m[7 * r + c] / m[7 * c + c];
      for (let k = c; k < 7; k++) m[7 * r + k] -= factor * m[7 * c + k];
    }
  }
  return Float64Array.from({ length: 6 }, (_, k) => m[7 * k + 6] / m[8 * k]);
}

/** Column-major 4×4 with y up and z towards the viewer, in the target and in the camera. */
function asCameraMatrix({ rotation: r, translation: t }: PlanarPose): Float64Array {
  return Float64Array.of(r[0], -r[3], -r[6], 0, -r[1], r[4], r[7], 0, -r[2], r[5], r[8], 0, t[0], -t[1], -t[2], 1);
}

/** The angle between two poses' rotations, in radians. */
function turn(a: Float64Array, b: Float64Array): number {
  let trace = 0;
  for (const k of [0, 1, 2, 4, 5, 6, 8, 9, 10]) trace += a[k] * b[k];
  return Math.acos(Math.min(1, Math.max(-1, (trace - 1) / 2)));
}
