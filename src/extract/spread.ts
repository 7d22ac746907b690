/**
 * The best keypoints, spread over the image. Scores alone put few keypoints where texture is strongest, often on the same
 * corner at several scales; a geometry is held better by fewer good ones everywhere.
 */
import { type Features, takeFeatures } from "../features.js";

/** Cells of the grid, across and down. */
const CELLS = 12;
/** No cell gives more of the keypoints than this times its share of the image, while other cells have any. */
const MOST_OF_SHARE = 2;
/** The best are chosen among this many times as many. */
export const SPREAD_POOL = 4;

/**
 * At most `limit` of features that come best first, best first again: a cell of 12 × 12 gives at most twice its share,
 * and where that leaves room, the best of the others fill it.
 */
export function spreadFeatures<F extends Features>(features: F, limit: number): F {
  const { count, keypoints, imageSize } = features;
  if (count <= limit) return features;
  const most = Math.ceil((MOST_OF_SHARE * limit) / CELLS ** 2);
  const given = new Uint32Array(CELLS ** 2);
  const cellOf = (i: number, axis: number) =>
    Math.min(CELLS - 1, Math.max(0, Math.floor(((keypoints[2 * i + axis] + 0.5) / imageSize[axis]) * CELLS)));
  const kept: number[] = [];
  const left: number[] = [];
  for (let i = 0; i < count && kept.length < limit; i++) {
    const cell = CELLS * cellOf(i, 1) + cellOf(i, 0);
    if (given[cell]++ < most) kept.push(i);
    else left.push(i);
  }
  kept.push(...left.slice(0, limit - kept.length));
  return takeFeatures(features, Uint32Array.from(kept).sort()) as F;
}
