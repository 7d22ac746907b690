/**
 * The homography that patches agree on, near a predicted one. Where patches cover a part of the target only, its
 * perspective is open; the corners of the prediction, moved as the patches say by a similarity, are then weak evidence
 * of their own.
 */
import { estimateModel } from "../geometry/robust/estimate.js";
import { homographyModel } from "../geometry/robust/homography.js";
import { STRIDE } from "../geometry/robust/model.js";
import { MOST_PATCHES, type Patches } from "./patches.js";

/** How patches are fitted. */
export interface RefitOptions {
  /** Distance in pixels of the frame at which a patch is an outlier. */
  threshold: number;
  /** Patches of a lower correlation have no say. */
  leastCorrelation: number;
  /** Weight of each predicted corner; a patch has 1. */
  cornerWeight: number;
}

/** Patches that must agree at least. */
const LEAST_PATCHES = 6;
/** Most samples of the robust estimation: most patches are right. */
const MOST_SAMPLES = 300;
const REFITS = 4;
/** Tukey's constant, and the least scale of an error in thresholds: patches are no better. */
const TUKEY = 4.685;
const LEAST_SCALE = 0.1;

const points = new Float64Array(STRIDE * (MOST_PATCHES + 4));
const errors = new Float64Array(MOST_PATCHES + 4);
const weights = new Float64Array(MOST_PATCHES + 4);
const sorted = new Float64Array(MOST_PATCHES);
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
  { threshold, leastCorrelation, cornerWeight }: RefitOptions,
): boolean {
  let count = 0;
  for (let i = 0; i < patches.count; i++) {
    if (patches.correlation[i] < leastCorrelation) continue;
    const at = STRIDE * count++;
    points[at] = patches.source[2 * i];
    points[at + 1] = patches.source[2 * i + 1];
    points[at + 2] = patches.found[2 * i];
    points[at + 3] = patches.found[2 * i + 1];
    sorted[count - 1] = patches.correlation[i];
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
  homographyModel.squaredErrors(fitted, 0, pairs, own);
  if (!writeSimilarity(patches, homography, pairs, own, threshold)) return false;
  for (let k = 0; k < 4; k++) {
    const [x, y] = [corners[2 * k], corners[2 * k + 1]];
    const w = homography[6] * x + homography[7] * y + homography[8];
    const u = (homography[0] * x + homography[1] * y + homography[2]) / w;
    const v = (homography[3] * x + homography[4] * y + homography[5]) / w;
    const at = STRIDE * (count + k);
    points[at] = x;
    points[at + 1] = y;
    points[at + 2] = similarity[0] * u - similarity[1] * v + similarity[2];
    points[at + 3] = similarity[1] * u + similarity[0] * v + similarity[3];
    weights[count + k] = cornerWeight;
  }
  const all = points.subarray(0, STRIDE * (count + 4));
  const allWeights = weights.subarray(0, count + 4);
  for (let step = 0; step < REFITS; step++) {
    const scale = TUKEY * Math.max(deviation(own, threshold), LEAST_SCALE * threshold);
    for (let i = 0; i < count; i++) {
      const rest = 1 - own[i] / (scale * scale);
      weights[i] = rest > 0 ? rest * rest : 0;
    }
    if (!homographyModel.fit(all, allWeights, fitted, fitted)) return false;
    homographyModel.squaredErrors(fitted, 0, pairs, own);
  }
  homography.set(fitted);
  return true;
}

/** Standard deviation of a coordinate by the median of the errors within the threshold; 0 for none. */
function deviation(squared: Float64Array, threshold: number): number {
  let near = 0;
  for (const error of squared) if (error <= threshold * threshold) sorted[near++] = error;
  return near === 0 ? 0 : Math.sqrt(sorted.subarray(0, near).sort()[near >> 1] / (2 * Math.LN2));
}

/** The similarity [a, b, tx, ty] (u → a·u − b·v + tx, v → b·u + a·v + ty) from inliers' predicted places to their own. */
function writeSimilarity(
  patches: Patches,
  homography: Float64Array,
  pairs: Float64Array,
  squared: Float64Array,
  threshold: number,
): boolean {
  let [n, mu, mv, mx, my] = [0, 0, 0, 0, 0];
  let [uu, ux, uy] = [0, 0, 0];
  // Two passes: means, then moments about them.
  for (let pass = 0; pass < 2; pass++) {
    for (let i = 0; i < squared.length; i++) {
      if (squared[i] > threshold * threshold) continue;
      const [x, y] = [pairs[STRIDE * i], pairs[STRIDE * i + 1]];
      const w = homography[6] * x + homography[7] * y + homography[8];
      const u = (homography[0] * x + homography[1] * y + homography[2]) / w;
      const v = (homography[3] * x + homography[4] * y + homography[5]) / w;
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
  if (!(uu > 0) || patches.count === 0) return false;
  const [a, b] = [ux / uu, uy / uu];
  similarity[0] = a;
  similarity[1] = b;
  similarity[2] = (mx - a * mu + b * mv) / n;
  similarity[3] = (my - b * mu - a * mv) / n;
  return true;
}
