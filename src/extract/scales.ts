/** One image's features, found at several scales, as one list: the best of all by score. */
import { type FloatFeatures, roomForFeatures } from "../features.js";
import { resizePoints } from "../geometry/coordinates.js";

/** No scale gives more of the keypoints than this times its share of all scales' pixels. */
export const MOST_OF_SHARE = 3;

/**
 * Keypoints that each scale is asked for where `limit` are wanted in all (null: as many as there are). Coarse scales have
 * few of the best ones, and reading thousands there would cost as much as on fine ones.
 */
export function scaleLimits(scales: readonly number[], limit: number | null): (number | null)[] {
  if (limit === null) return scales.map(() => null);
  const pixels = scales.reduce((sum, scale) => sum + scale * scale, 0);
  return scales.map((scale) => Math.min(limit, Math.ceil((MOST_OF_SHARE * limit * scale * scale) / pixels)));
}

/** What one scale found, and the image's pixels per pixel of it, across and down. */
export interface ScaleFeatures {
  features: FloatFeatures;
  step: readonly [number, number];
}

/**
 * Features of all scales in pixels of an image of `imageSize`, best first, at most `limit` (null: all). Of equal scores
 * the earlier scale's comes first. A place found at two scales stays twice: which of the two another image shows better
 * is not known yet.
 */
export function mergeScales(
  found: readonly ScaleFeatures[],
  imageSize: [number, number],
  limit: number | null,
): FloatFeatures {
  for (const { features, step } of found) {
    if (step[0] !== 1 || step[1] !== 1) resizePoints(features.keypoints, step[0], step[1]);
  }
  if (found.length === 1) return { ...found[0].features, imageSize };
  const { dim } = found[0].features;
  const total = found.reduce((sum, { features }) => sum + features.count, 0);
  const count = limit === null ? total : Math.min(limit, total);
  const merged = {
    ...roomForFeatures(count, dim, imageSize),
    ...(found.some(({ features }) => features.levels) && { levels: new Uint8Array(count) }),
  };
  // Every list is best first already.
  const next = new Uint32Array(found.length);
  for (let k = 0; k < count; k++) {
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (let s = 0; s < found.length; s++) {
      const { count: own, scores } = found[s].features;
      if (next[s] < own && (best < 0 || scores[next[s]] > most)) {
        best = s;
        most = scores[next[s]];
      }
    }
    const { keypoints, descriptors, levels } = found[best].features;
    const i = next[best]++;
    merged.keypoints[2 * k] = keypoints[2 * i];
    merged.keypoints[2 * k + 1] = keypoints[2 * i + 1];
    merged.scores[k] = most;
    if (merged.levels && levels) merged.levels[k] = levels[i];
    merged.descriptors.set(descriptors.subarray(dim * i, dim * (i + 1)), dim * k);
  }
  return merged;
}
