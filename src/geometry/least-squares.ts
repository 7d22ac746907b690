/**
 * Weighted least squares for a homography: the normalised direct linear transform (Hartley 1997), whose rows are
 * divided by the current denominators so that repeated fits minimise the distance in image 2; and the same reweighted
 * by Tukey's biweight, which polishes an estimate on all matches near it.
 */
import { compose, type Matrix3, normalized } from "./matrix3.js";

/** Unknowns: the matrix entries but the last, which is 1 in normalised coordinates. */
const N = 8;
/**
 * Least ratio of the smallest to the largest pivot, in normalised coordinates. Measured: points on a line 1e-17, on a
 * line 640 px long with 0.1 px of noise 6e-8, with 0.5 px 1.5e-6; four random points 6e-6 to 0.2; the right matches of
 * 60 real pairs 9e-5 to 0.2. Below it the direction across the line is noise.
 */
const LEAST_PIVOT = 1e-6;
/** Least variance of an error in square pixels; keypoints are float32, no better than that. */
const LEAST_VARIANCE = 1e-8;

/**
 * The homography (last entry 1) that takes `from` to `to` (x0, y0, x1, y1, …) with the least weighted error; one
 * weight ≥ 0 per pair. With `near`, an estimate, errors are distances in image 2 to first order, without it algebraic.
 * Null when the pairs do not determine a homography: fewer than 4, or on a line but for one.
 */
export function fitHomography(
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  weights: ArrayLike<number>,
  near: Matrix3 | null = null,
): Float64Array | null {
  const source = normalization(from, weights);
  const target = normalization(to, weights);
  if (!source || !target) return null;
  const equations = new Float64Array(N * (N + 1)); // upper triangle of the normal equations, and their right side
  const row = new Float64Array(N + 1);
  // The denominator at the centroid is the unit of the others.
  const unit = near ? near[6] * source.x + near[7] * source.y + near[8] : 1;
  for (let i = 0; i < weights.length; i++) {
    if (!(weights[i] > 0)) continue;
    const denominator = near ? (near[6] * from[2 * i] + near[7] * from[2 * i + 1] + near[8]) / unit : 1;
    if (!(denominator > 1e-6)) continue; // on or behind the vanishing line
    const weight = weights[i] / (denominator * denominator);
    const x = (from[2 * i] - source.x) * source.scale;
    const y = (from[2 * i + 1] - source.y) * source.scale;
    const u = (to[2 * i] - target.x) * target.scale;
    const v = (to[2 * i + 1] - target.y) * target.scale;
    row.set([x, y, 1, 0, 0, 0, -u * x, -u * y, u]);
    accumulate(equations, row, weight);
    row.set([0, 0, 0, x, y, 1, -v * x, -v * y, v]);
    accumulate(equations, row, weight);
  }
  const h = solve(equations);
  if (!h) return null;
  const toNormalized = [source.scale, 0, -source.scale * source.x, 0, source.scale, -source.scale * source.y, 0, 0, 1];
  const fromNormalized = [1 / target.scale, 0, target.x, 0, 1 / target.scale, target.y, 0, 0, 1];
  return normalized(compose(fromNormalized, compose([...h, 1], toNormalized)));
}

/** Tukey's constant: with it the biweight is 95 % as efficient as least squares on Gaussian errors. */
const TUKEY = 4.685;
/** Median of the squared length of a two-dimensional error whose coordinates have variance 1: 2·ln 2. */
const MEDIAN_SQUARED_ERROR = 2 * Math.LN2;

/**
 * `estimate` drawn to the nearest optimum of Tukey's biweight. Its scale follows from the median error of the pairs
 * within `threshold` pixels, so exact pairs count more than rough ones at whatever precision the keypoints have: a
 * fixed scale of 3 px loses a quarter on Gaussian errors of 1 px, and a third on ORB's mixed ones. Null where the pairs near
 * it do not determine a homography.
 */
export function polishHomography(
  estimate: Matrix3,
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  threshold: number,
  iterations = 20,
): Float64Array | null {
  const weights = new Float64Array(from.length / 2);
  let current: Float64Array = Float64Array.from(estimate);
  for (let iteration = 0; iteration < iterations; iteration++) {
    squaredErrors(current, from, to, weights);
    const near = weights.filter((error) => error <= threshold * threshold).sort();
    if (near.length <= 4) return current; // they fit exactly: nothing says how precise they are
    // Rousseeuw's correction for few samples: a fit comes closer to its own pairs than the truth does.
    const deviation = (1 + 5 / (near.length - 4)) * Math.sqrt(near[near.length >> 1] / MEDIAN_SQUARED_ERROR);
    const limit = Math.max(LEAST_VARIANCE, (TUKEY * deviation) ** 2);
    for (let i = 0; i < weights.length; i++) {
      const rest = 1 - weights[i] / limit;
      weights[i] = rest > 0 ? rest * rest : 0; // NaN has no say
    }
    const next = fitHomography(from, to, weights, current);
    if (!next) return null;
    const settled = next.every((value, k) => Math.abs(value - current[k]) <= 1e-9 * (Math.abs(value) + 1e-6));
    current = next;
    if (settled) break;
  }
  return current;
}

/** Squared distances in image 2 between the projected points of image 1 and theirs, into `errors`. */
export function squaredErrors(
  homography: Matrix3,
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  errors: Float64Array,
): void {
  const [h0, h1, h2, h3, h4, h5, h6, h7, h8] = Array.from(homography);
  for (let i = 0; i < errors.length; i++) {
    const x = from[2 * i];
    const y = from[2 * i + 1];
    const w = h6 * x + h7 * y + h8;
    const dx = (h0 * x + h1 * y + h2) / w - to[2 * i];
    const dy = (h3 * x + h4 * y + h5) / w - to[2 * i + 1];
    errors[i] = dx * dx + dy * dy;
  }
}

/** Weighted centroid, and the scale that brings the mean distance from it to √2; null for fewer than two points. */
function normalization(points: ArrayLike<number>, weights: ArrayLike<number>) {
  let sum = 0;
  let x = 0;
  let y = 0;
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i];
    x += weights[i] * points[2 * i];
    y += weights[i] * points[2 * i + 1];
  }
  x /= sum;
  y /= sum;
  let distance = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] > 0) distance += weights[i] * Math.hypot(points[2 * i] - x, points[2 * i + 1] - y);
  }
  const scale = (Math.SQRT2 * sum) / distance;
  return Number.isFinite(scale) && scale > 0 ? { x, y, scale } : null;
}

/** Adds weight · row · rowᵀ to the upper triangle. */
function accumulate(equations: Float64Array, row: Float64Array, weight: number): void {
  for (let p = 0; p < N; p++) {
    const factor = weight * row[p];
    if (factor === 0) continue;
    for (let q = p; q <= N; q++) equations[p * (N + 1) + q] += factor * row[q];
  }
}

/** Solves the normal equations by elimination with diagonal pivots; null where they are singular to LEAST_PIVOT. */
function solve(upper: Float64Array): Float64Array | null {
  const width = N + 1;
  const m = upper.slice();
  for (let p = 0; p < N; p++) for (let q = 0; q < p; q++) m[p * width + q] = m[q * width + p];
  const free = Array.from({ length: N }, (_, k) => k);
  let largest = 0;
  for (let step = 0; step < N; step++) {
    const pivot = free.reduce((best, k) => (m[k * width + k] > m[best * width + best] ? k : best));
    const value = m[pivot * width + pivot];
    largest = Math.max(largest, value);
    if (!(value > LEAST_PIVOT * largest)) return null;
    free.splice(free.indexOf(pivot), 1);
    for (let r = 0; r < N; r++) {
      if (r === pivot) continue;
      const factor = m[r * width + pivot] / value;
      if (factor === 0) continue;
      for (let q = 0; q < width; q++) m[r * width + q] -= factor * m[pivot * width + q];
    }
  }
  return Float64Array.from({ length: N }, (_, k) => m[k * width + N] / m[k * width + k]);
}
