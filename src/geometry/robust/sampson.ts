/**
 * Sampson's error of the epipolar constraint x₂ᵀ F x₁ = 0: the squared distance in pixels, to first order, of a
 * correspondence from the nearest one that obeys it (Luong and Faugeras 1996; Hartley and Zisserman, 11.4.3); and steps
 * that lessen its weighted sum while a matrix stays fundamental (rank 2) or essential (two equal singular values). Such a
 * step is Gauss and Newton's in the tangent space, which the singular vectors span (Helmke, Hüper, Lee, Moore 2007).
 */
import { eliminate, svd3 } from "./linear.js";
import { STRIDE } from "./model.js";

/** Squared Sampson errors of all pairs under the matrix at `offset` of `model`, both in pixels. */
export function sampsonErrors(model: Float64Array, offset: number, points: Float64Array, errors: Float64Array): void {
  const f0 = model[offset];
  const f1 = model[offset + 1];
  const f2 = model[offset + 2];
  const f3 = model[offset + 3];
  const f4 = model[offset + 4];
  const f5 = model[offset + 5];
  const f6 = model[offset + 6];
  const f7 = model[offset + 7];
  const f8 = model[offset + 8];
  for (let i = 0, k = 0; i < errors.length; i++, k += STRIDE) {
    const x = points[k];
    const y = points[k + 1];
    const u = points[k + 2];
    const v = points[k + 3];
    const a = f0 * x + f1 * y + f2;
    const b = f3 * x + f4 * y + f5;
    const c = f0 * u + f3 * v + f6;
    const d = f1 * u + f4 * v + f7;
    const e = u * a + v * b + f6 * x + f7 * y + f8;
    const error = (e * e) / (a * a + b * b + c * c + d * d);
    // Both points on their epipoles (0 / 0): nothing is known of the pair.
    errors[i] = error >= 0 ? error : Infinity;
  }
}

/**
 * Coordinates in which a fit computes: (p − centre) · scale, per image and axis: centre x, y and scale x, y of image 1,
 * then of image 2. Errors stay in pixels.
 */
export type Conditioning = Float64Array;

/** The matrix for conditioned coordinates of one for pixels. */
export function conditioned(pixels: ArrayLike<number>, c: Conditioning, into: Float64Array): void {
  // F̃ = T₂⁻ᵀ F T₁⁻¹, with T⁻¹ = [1/s, 0, c; …].
  carry(pixels, 1 / c[2], 1 / c[3], c[0], c[1], 1 / c[6], 1 / c[7], c[4], c[5], into);
}

/** The matrix for pixels of one for conditioned coordinates. */
export function unconditioned(matrix: ArrayLike<number>, c: Conditioning, into: Float64Array): void {
  carry(matrix, c[2], c[3], -c[2] * c[0], -c[3] * c[1], c[6], c[7], -c[6] * c[4], -c[7] * c[5], into);
}

/** Bᵀ·m·A for A = [ax, 0, ox; 0, ay, oy; 0, 0, 1], and B likewise. */
function carry(
  m: ArrayLike<number>,
  ax: number,
  ay: number,
  ox: number,
  oy: number,
  bx: number,
  by: number,
  px: number,
  py: number,
  into: Float64Array,
): void {
  const r2 = m[0] * ox + m[1] * oy + m[2];
  const r5 = m[3] * ox + m[4] * oy + m[5];
  const r8 = m[6] * ox + m[7] * oy + m[8];
  const [r0, r1, r3, r4, r6, r7] = [m[0] * ax, m[1] * ay, m[3] * ax, m[4] * ay, m[6] * ax, m[7] * ay];
  into[0] = bx * r0;
  into[1] = bx * r1;
  into[2] = bx * r2;
  into[3] = by * r3;
  into[4] = by * r4;
  into[5] = by * r5;
  into[6] = px * r0 + py * r3 + r6;
  into[7] = px * r1 + py * r4 + r7;
  into[8] = px * r2 + py * r5 + r8;
}

/** Which matrices a step stays among. */
export interface Manifold {
  /** Degrees of freedom: 7, 5. */
  readonly dimension: number;
  /** The nearest such matrix's singular values, of given ones (descending), in place. */
  project(s: Float64Array): void;
  /** Orthonormal tangents at diag(s) in the frame of the singular vectors, 9 numbers each. */
  tangents(s: Float64Array, into: Float64Array): void;
}

const MOST = 7;
const [u, s, v] = [new Float64Array(9), new Float64Array(3), new Float64Array(9)];
const frame = new Float64Array(9 * MOST);
const tangent = new Float64Array(9 * MOST);
const derivative = new Float64Array(9);
const along = new Float64Array(MOST);
const equations = new Float64Array(MOST * (MOST + 1));
const moved = new Float64Array(9);
const trial = new Float64Array(9);

/** Writes the nearest matrix on the manifold (by Frobenius' norm) to `into`, of norm √(sum of its squared singular values). */
export function projectTo(manifold: Manifold, matrix: ArrayLike<number>, into: Float64Array): void {
  svd3(matrix, u, s, v);
  manifold.project(s);
  compose(into);
}

/** u·diag(s)·vᵀ. */
function compose(into: Float64Array): void {
  for (let r = 0; r < 9; r += 3) {
    for (let c = 0; c < 3; c++) {
      into[r + c] = u[r] * s[0] * v[3 * c] + u[r + 1] * s[1] * v[3 * c + 1] + u[r + 2] * s[2] * v[3 * c + 2];
    }
  }
}

/**
 * One step of Gauss and Newton on `matrix` (in conditioned coordinates, changed in place), halved until it lessens the
 * weighted sum of squared errors; without such a step the matrix stays. False where the pairs do not determine it.
 */
export function sampsonStep(
  manifold: Manifold,
  matrix: Float64Array,
  c: Conditioning,
  points: Float64Array,
  weights: Float64Array,
): boolean {
  const p = manifold.dimension;
  projectTo(manifold, matrix, matrix);
  manifold.tangents(s, frame);
  for (let t = 0; t < p; t++) {
    // u · frame · vᵀ
    for (let r = 0; r < 3; r++) {
      for (let k = 0; k < 3; k++) {
        let sum = 0;
        for (let i = 0; i < 3; i++) {
          for (let j = 0; j < 3; j++) sum += u[3 * r + i] * frame[9 * t + 3 * i + j] * v[3 * k + j];
        }
        tangent[9 * t + 3 * r + k] = sum;
      }
    }
  }
  const before = normalEquations(matrix, c, points, weights, p);
  if (!solve(p)) return false;
  for (let half = 1; half > 0.1; half /= 2) {
    for (let k = 0; k < 9; k++) {
      let step = 0;
      for (let t = 0; t < p; t++) step += along[t] * tangent[9 * t + k];
      moved[k] = matrix[k] - half * step;
    }
    projectTo(manifold, moved, trial);
    if (weightedSum(trial, c, points, weights) < before) {
      matrix.set(trial);
      return true;
    }
  }
  return true;
}

/** Normal equations over the tangents (upper triangle and right side) in `equations`; the weighted sum of squares. */
function normalEquations(
  m: Float64Array,
  c: Conditioning,
  points: Float64Array,
  weights: Float64Array,
  p: number,
): number {
  equations.fill(0);
  let total = 0;
  for (let i = 0, k = 0; i < weights.length; i++, k += STRIDE) {
    const weight = weights[i];
    if (!(weight > 0)) continue;
    const x = (points[k] - c[0]) * c[2];
    const y = (points[k + 1] - c[1]) * c[3];
    const X = (points[k + 2] - c[4]) * c[6];
    const Y = (points[k + 3] - c[5]) * c[7];
    // Lines in image 2 and 1; scales bring their gradients to pixels.
    const a = (m[0] * x + m[1] * y + m[2]) * c[6];
    const b = (m[3] * x + m[4] * y + m[5]) * c[7];
    const d = (m[0] * X + m[3] * Y + m[6]) * c[2];
    const e = (m[1] * X + m[4] * Y + m[7]) * c[3];
    const squared = a * a + b * b + d * d + e * e;
    if (!(squared > 0)) continue;
    const length = 1 / Math.sqrt(squared);
    const residual =
      (X * (m[0] * x + m[1] * y + m[2]) + Y * (m[3] * x + m[4] * y + m[5]) + m[6] * x + m[7] * y + m[8]) * length;
    total += weight * residual * residual;
    // d(n / √q) = dn/√q − n·dq / (2 q√q)
    const pull = residual * length;
    const ga = pull * a * c[6];
    const gb = pull * b * c[7];
    const gd = pull * d * c[2];
    const ge = pull * e * c[3];
    derivative[0] = length * (X * x - ga * x - gd * X);
    derivative[1] = length * (X * y - ga * y - ge * X);
    derivative[2] = length * (X - ga);
    derivative[3] = length * (Y * x - gb * x - gd * Y);
    derivative[4] = length * (Y * y - gb * y - ge * Y);
    derivative[5] = length * (Y - gb);
    derivative[6] = length * (x - gd);
    derivative[7] = length * (y - ge);
    derivative[8] = length;
    for (let t = 0; t < p; t++) {
      let slope = 0;
      for (let j = 0; j < 9; j++) slope += derivative[j] * tangent[9 * t + j];
      along[t] = slope;
    }
    for (let t = 0; t < p; t++) {
      const row = t * (p + 1);
      const scaled = weight * along[t];
      for (let q = t; q < p; q++) equations[row + q] += scaled * along[q];
      equations[row + p] += scaled * residual;
    }
  }
  return total;
}

/** Solves them into `along`; false where a direction is not determined. */
function solve(p: number): boolean {
  for (let t = 0; t < p; t++) {
    // Unit diagonals, and a trace of damping against directions that hardly matter.
    along[t] = 1 / Math.sqrt(equations[t * (p + 1) + t]);
    if (!Number.isFinite(along[t])) return false;
  }
  for (let t = 0; t < p; t++) {
    for (let q = t; q < p; q++) equations[t * (p + 1) + q] *= along[t] * along[q];
    equations[t * (p + 1) + p] *= along[t];
  }
  for (let t = 0; t < p; t++) {
    for (let q = 0; q < t; q++) equations[t * (p + 1) + q] = equations[q * (p + 1) + t];
    equations[t * (p + 1) + t] += DAMPING;
  }
  if (!eliminate(equations, p, p + 1)) return false;
  for (let t = 0; t < p; t++) along[t] *= equations[t * (p + 1) + p];
  return true;
}

/** Share of each diagonal added to it: pairs on a plane leave two directions open, which then stay as they are. */
const DAMPING = 1e-9;

function weightedSum(m: Float64Array, c: Conditioning, points: Float64Array, weights: Float64Array): number {
  let total = 0;
  for (let i = 0, k = 0; i < weights.length; i++, k += STRIDE) {
    if (!(weights[i] > 0)) continue;
    const x = (points[k] - c[0]) * c[2];
    const y = (points[k + 1] - c[1]) * c[3];
    const X = (points[k + 2] - c[4]) * c[6];
    const Y = (points[k + 3] - c[5]) * c[7];
    const a = m[0] * x + m[1] * y + m[2];
    const b = m[3] * x + m[4] * y + m[5];
    const d = m[0] * X + m[3] * Y + m[6];
    const e = m[1] * X + m[4] * Y + m[7];
    const n = X * a + Y * b + m[6] * x + m[7] * y + m[8];
    const squared = (a * c[6]) ** 2 + (b * c[7]) ** 2 + (d * c[2]) ** 2 + (e * c[3]) ** 2;
    if (squared > 0) total += (weights[i] * n * n) / squared;
  }
  return total;
}
