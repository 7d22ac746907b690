/**
 * The homography that patches agree on, near a predicted one. Where patches cover a part of the target only, its
 * perspective is open; its shape before, moved as the patches say by a similarity, is then weak evidence of its own.
 */
import { estimateModel } from "../geometry/robust/estimate.js";
import { homographyModel } from "../geometry/robust/homography.js";
import { STRIDE } from "../geometry/robust/model.js";
import { Refiner } from "../geometry/robust/refine.js";
import { MOST_PATCHES, type Patches } from "./patches.js";

/** How patches are fitted. */
export interface RefitOptions {
  /** Distance in pixels of the frame at which a patch is an outlier. */
  threshold: number;
  /** Patches of a lower correlation have no say. */
  leastCorrelation: number;
  /** The target's shape before, where it is known. */
  shape: Shape | null;
}

/** A target's shape in the frame before: a homography, and how far its corners move from frame to frame, in pixels. */
export interface Shape {
  homography: Float64Array;
  change: number;
}

/** Patches that must agree at least. */
const LEAST_PATCHES = 6;
/** Most samples of the robust estimation: most patches are right. */
const MOST_SAMPLES = 300;
/** Correlations above this are all the same: noise of the camera. */
const CLEAN_CORRELATION = 0.97;
/** Least deviation of an error in thresholds: patches are no better. */
const LEAST_SCALE = 0.03;

/** The target is cut into so many parts each way; with these shares of them covered its shape counts not at all, or fully. */
const PARTS = 4;
const COVERED = 0.85;
const HALF_COVERED = 0.5;
/** Most that a corner of the shape counts. */
const MOST_WEIGHT = 0.2;

const points = new Float64Array(STRIDE * (MOST_PATCHES + 4));
const errors = new Float64Array(MOST_PATCHES + 4);
const weights = new Float64Array(MOST_PATCHES + 4);
const sorted = new Float64Array(MOST_PATCHES);
const precision = new Float64Array(MOST_PATCHES);
const similarity = new Float64Array(4);
const fitted = new Float64Array(9);

/**
 * Writes the homography (picture to frame) to `homography`, which holds the predicted one; false, and nothing written,
 * where too few patches agree. `corners`: of the picture, x0, y0, …, x3, y3. Patches' errors are those of `residuals`.
 */
export function refit(
  patches: Patches,
  corners: ArrayLike<number>,
  homography: Float64Array,
  { threshold, leastCorrelation, shape }: RefitOptions,
): boolean {
  let count = 0;
  for (let i = 0; i < patches.count; i++) {
    if (patches.correlation[i] < leastCorrelation) continue;
    const at = STRIDE * count++;
    points[at] = patches.source[2 * i];
    points[at + 1] = patches.source[2 * i + 1];
    points[at + 2] = patches.found[2 * i];
    points[at + 3] = patches.found[2 * i + 1];
    const correlation = Math.min(patches.correlation[i], CLEAN_CORRELATION);
    sorted[count - 1] = correlation;
    // Signal over noise: what half hides a patch moves it, and lowers its correlation.
    precision[count - 1] = correlation ** 2 / (1 - correlation ** 2);
  }
  if (count < LEAST_PATCHES) return false;
  const pairs = points.subarray(0, STRIDE * count);
  const found = estimateModel(homographyModel, pairs, {
    threshold,
    confidence: 0.99,
    maxIterations: MOST_SAMPLES,
    seed: 0,
    kernel: "magsac",
    scores: sorted.slice(0, count),
  });
  if (!found) return false;
  fitted.set(found.model);
  const own = errors.subarray(0, count);
  const refiner = new Refiner(homographyModel, pairs, own, threshold, precision.slice(0, count));
  refiner.polish(fitted);
  homographyModel.squaredErrors(fitted, 0, pairs, own);
  if (shape) {
    weights.set(refiner.weights);
    keepShape(shape, corners, count, own, threshold);
  }
  homography.set(fitted);
  return true;
}

/**
 * Fits once more, with the corners of the shape as further pairs: the fewer parts of the target the patches cover, and
 * the less its shape changes, the more they count.
 */
function keepShape(
  { homography: h, change }: Shape,
  corners: ArrayLike<number>,
  count: number,
  squared: Float64Array,
  threshold: number,
): void {
  const limit = threshold * threshold;
  const open = Math.min(1, (COVERED - coveredShare(corners, squared, limit)) / (COVERED - HALF_COVERED));
  if (!(open > 0)) return;
  const pairs = points.subarray(0, STRIDE * count);
  if (!writeSimilarity(h, pairs, squared, threshold)) return;
  const noise = Math.max(deviation(squared, threshold), LEAST_SCALE * threshold);
  // Of a patch that counts fully.
  const full = weights.subarray(0, count).reduce((most, one) => Math.max(most, one), 0);
  const weight = full * open * Math.min(MOST_WEIGHT, (noise / change) ** 2);
  for (let k = 0; k < 4; k++) {
    const [x, y] = [corners[2 * k], corners[2 * k + 1]];
    const w = h[6] * x + h[7] * y + h[8];
    const u = (h[0] * x + h[1] * y + h[2]) / w;
    const v = (h[3] * x + h[4] * y + h[5]) / w;
    const at = STRIDE * (count + k);
    points[at] = x;
    points[at + 1] = y;
    points[at + 2] = similarity[0] * u - similarity[1] * v + similarity[2];
    points[at + 3] = similarity[1] * u + similarity[0] * v + similarity[3];
    weights[count + k] = weight;
  }
  homographyModel.fit(points.subarray(0, STRIDE * (count + 4)), weights.subarray(0, count + 4), fitted, fitted);
}

/** Share of the target's parts that have a patch whose squared error is within `limit`. */
function coveredShare(corners: ArrayLike<number>, squared: Float64Array, limit: number): number {
  let parts = 0;
  for (let i = 0; i < squared.length; i++) {
    if (squared[i] > limit) continue;
    const column = Math.min(PARTS - 1, Math.floor((PARTS * points[STRIDE * i]) / corners[2]));
    const row = Math.min(PARTS - 1, Math.floor((PARTS * points[STRIDE * i + 1]) / corners[5]));
    parts |= 1 << (PARTS * row + column);
  }
  let share = 0;
  for (let k = 0; k < PARTS * PARTS; k++) share += (parts >> k) & 1;
  return share / (PARTS * PARTS);
}

/** Standard deviation of a coordinate by the median of the errors within the threshold; 0 for none. */
function deviation(squared: Float64Array, threshold: number): number {
  let near = 0;
  for (const error of squared) if (error <= threshold * threshold) sorted[near++] = error;
  return near === 0 ? 0 : Math.sqrt(sorted.subarray(0, near).sort()[near >> 1] / (2 * Math.LN2));
}

/** The similarity [a, b, tx, ty] (u → a·u − b·v + tx, v → b·u + a·v + ty) from inliers' places under `shape` to their own. */
function writeSimilarity(shape: Float64Array, pairs: Float64Array, squared: Float64Array, threshold: number): boolean {
  let [n, mu, mv, mx, my] = [0, 0, 0, 0, 0];
  let [uu, ux, uy] = [0, 0, 0];
  // Two passes: means, then moments about them.
  for (let pass = 0; pass < 2; pass++) {
    for (let i = 0; i < squared.length; i++) {
      if (squared[i] > threshold * threshold) continue;
      const [x, y] = [pairs[STRIDE * i], pairs[STRIDE * i + 1]];
      const w = shape[6] * x + shape[7] * y + shape[8];
      const u = (shape[0] * x + shape[1] * y + shape[2]) / w;
      const v = (shape[3] * x + shape[4] * y + shape[5]) / w;
      const [px, py] = [pairs[STRIDE * i + 2], pairs[STRIDE * i + 3]];
      if (pass === 0) {
        n++;
        mu += u;
        mv += v;
        mx += px;
        my += py;
      } else {
        const [du, dv, dx, dy] = [u - mu / n, v - mv / n, px - mx / n, py - my / n];
        uu += du * du + dv * dv;
        ux += du * dx + dv * dy;
        uy += du * dy - dv * dx;
      }
    }
    if (n < LEAST_PATCHES) return false;
  }
  if (!(uu > 0)) return false;
  const [a, b] = [ux / uu, uy / uu];
  similarity[0] = a;
  similarity[1] = b;
  similarity[2] = (mx - a * mu + b * mv) / n;
  similarity[3] = (my - b * mu - a * mv) / n;
  return true;
}
