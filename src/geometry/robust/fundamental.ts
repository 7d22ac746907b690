/**
 * The fundamental matrix as a robust model: seven pairs leave a pencil of matrices, in which det F = 0 has one or three
 * real solutions (Hartley 1994; Hartley and Zisserman, 11.1.2); all pairs by the normalised eight-point algorithm (Hartley
 * 1997), then by steps that lessen Sampson's errors among matrices of rank 2.
 */
import { eightPoints, epipolarRow } from "./eight-point.js";
import { nullSpace } from "./linear.js";
import { type RobustModel, STRIDE } from "./model.js";
import { realRoots } from "./polynomial.js";
import { conditioned, type Manifold, sampsonErrors, sampsonStep, unconditioned } from "./sampson.js";

/** Matrices of rank 2 up to scale. */
export const RANK_TWO: Manifold = {
  dimension: 7,
  project(s) {
    const norm = Math.hypot(s[0], s[1]) || 1;
    s[0] /= norm;
    s[1] /= norm;
    s[2] = 0;
  },
  tangents(s, into) {
    into.fill(0, 0, 63);
    // All entries but the last, which would make the rank 3; of the first two, what keeps the norm.
    for (const [t, entry] of [1, 2, 3, 5, 6, 7].entries()) into[9 * t + entry] = 1;
    into[54] = -s[1];
    into[58] = s[0];
  },
};

const rows = new Float64Array(7 * 9);
const basis = new Float64Array(2 * 9);
const cubic = new Float64Array(4);
const roots = new Float64Array(10);
const conditioning = new Float64Array(8);
const matrix = new Float64Array(9);

/** The fundamental matrix: x₂ᵀ F x₁ = 0 in pixels, of norm 1. */
export const fundamentalModel: RobustModel = {
  name: "fundamental",
  sampleSize: 7,
  mostSolutions: 3,
  isSampleGood: (points, sample) => isWithoutRepeats(points, sample, 7),
  solve(points, sample, models) {
    if (!condition(points, sample, null)) return 0;
    for (let i = 0; i < 7; i++) epipolarRow(points, STRIDE * sample[i], conditioning, rows, 9 * i);
    if (!nullSpace(rows, 7, basis)) return 0;
    // det(F₀ + x·F₁): its ends are the determinants, the middle ones mix columns.
    cubic[0] = determinant(0, 0, 0);
    cubic[1] = determinant(9, 0, 0) + determinant(0, 9, 0) + determinant(0, 0, 9);
    cubic[2] = determinant(9, 9, 0) + determinant(9, 0, 9) + determinant(0, 9, 9);
    cubic[3] = determinant(9, 9, 9);
    const count = realRoots(cubic, 3, roots);
    let kept = 0;
    for (let r = 0; r < count; r++) {
      const norm = Math.hypot(1, roots[r]);
      for (let k = 0; k < 9; k++) matrix[k] = (basis[k] + roots[r] * basis[9 + k]) / norm;
      unconditioned(matrix, conditioning, matrix);
      if (!isOriented(matrix, points, sample, 7)) continue;
      writeUnit(matrix, models, 9 * kept++);
    }
    return kept;
  },
  fit(points, weights, near, model) {
    if (!condition(points, null, weights)) return false;
    if (near === null) {
      if (!eightPoints(points, weights, conditioning, RANK_TWO, matrix)) return false;
    } else {
      conditioned(near, conditioning, matrix);
      if (!sampsonStep(RANK_TWO, matrix, conditioning, points, weights)) return false;
    }
    unconditioned(matrix, conditioning, matrix);
    writeUnit(matrix, model, 0);
    return true;
  },
  squaredErrors: sampsonErrors,
};

/** Hartley's conditioning of a sample, or of all pairs by their weights; false where the points of an image are one. */
function condition(points: Float64Array, sample: Int32Array | null, weights: Float64Array | null): boolean {
  const count = sample ? 7 : points.length / STRIDE;
  for (let image = 0; image < 2; image++) {
    let sum = 0;
    let x = 0;
    let y = 0;
    for (let i = 0; i < count; i++) {
      const weight = weights ? weights[i] : 1;
      if (!(weight > 0)) continue;
      const at = STRIDE * (sample ? sample[i] : i) + 2 * image;
      sum += weight;
      x += weight * points[at];
      y += weight * points[at + 1];
    }
    x /= sum;
    y /= sum;
    let distance = 0;
    for (let i = 0; i < count; i++) {
      const weight = weights ? weights[i] : 1;
      if (!(weight > 0)) continue;
      const at = STRIDE * (sample ? sample[i] : i) + 2 * image;
      distance += weight * Math.hypot(points[at] - x, points[at + 1] - y);
    }
    const scale = (Math.SQRT2 * sum) / distance;
    if (!(Number.isFinite(scale) && scale > 0)) return false;
    conditioning[4 * image] = x;
    conditioning[4 * image + 1] = y;
    conditioning[4 * image + 2] = scale;
    conditioning[4 * image + 3] = scale;
  }
  return true;
}

/** The determinant of the matrix whose columns come from the basis at these offsets. */
function determinant(first: number, second: number, third: number): number {
  const b = basis;
  return (
    b[first] * (b[second + 4] * b[third + 8] - b[third + 5] * b[second + 7]) -
    b[second + 1] * (b[first + 3] * b[third + 8] - b[third + 5] * b[first + 6]) +
    b[third + 2] * (b[first + 3] * b[second + 7] - b[second + 4] * b[first + 6])
  );
}

/** Whether no point of either image occurs twice: two pairs that share one say as much as one pair, or one is wrong. */
export function isWithoutRepeats(points: Float64Array, sample: Int32Array, size: number): boolean {
  for (let i = 1; i < size; i++) {
    const p = STRIDE * sample[i];
    for (let j = 0; j < i; j++) {
      const q = STRIDE * sample[j];
      if (points[p] === points[q] && points[p + 1] === points[q + 1]) return false;
      if (points[p + 2] === points[q + 2] && points[p + 3] === points[q + 3]) return false;
    }
  }
  return true;
}

const epipole = new Float64Array(3);

/**
 * Whether the pairs of a sample lie on the same side of their epipoles, as what a camera sees does (Chum, Werner, Matas
 * 2004): e₂ × x₂ and F x₁ are parallel, all alike or all opposite, the latter where one image is mirrored.
 */
export function isOriented(f: Float64Array, points: Float64Array, sample: Int32Array, size: number): boolean {
  epipoleOf(f, epipole);
  let sign = 0;
  for (let i = 0; i < size; i++) {
    const side = sideOf(f, epipole, points, STRIDE * sample[i]);
    if (side * sign < 0) return false;
    if (side !== 0) sign = side;
  }
  return true;
}

/** Writes the epipole of image 2, homogeneous, of whatever norm. */
export function epipoleOf(f: Float64Array, into: Float64Array): void {
  // It is at right angles to every column; the two longest give it best.
  const first = f[0] ** 2 + f[3] ** 2 + f[6] ** 2 > f[1] ** 2 + f[4] ** 2 + f[7] ** 2 ? 0 : 1;
  into[0] = f[first + 3] * f[8] - f[first + 6] * f[5];
  into[1] = f[first + 6] * f[2] - f[first] * f[8];
  into[2] = f[first] * f[5] - f[first + 3] * f[2];
}

/** Of the pair at `k`: (e₂ × x₂) · F x₁, whose sign says on which side of its epipoles it lies. */
export function sideOf(f: Float64Array, e: Float64Array, points: Float64Array, k: number): number {
  const x = points[k];
  const y = points[k + 1];
  const u = points[k + 2];
  const v = points[k + 3];
  const a = f[0] * x + f[1] * y + f[2];
  const b = f[3] * x + f[4] * y + f[5];
  const c = f[6] * x + f[7] * y + f[8];
  return (e[1] - e[2] * v) * a + (e[2] * u - e[0]) * b + (e[0] * v - e[1] * u) * c;
}

/** Writes the matrix, of norm 1, to `into` at `offset`. */
export function writeUnit(m: Float64Array, into: Float64Array, offset: number): void {
  let norm = 0;
  for (let k = 0; k < 9; k++) norm += m[k] * m[k];
  norm = 1 / Math.sqrt(norm);
  for (let k = 0; k < 9; k++) into[offset + k] = m[k] * norm;
}
