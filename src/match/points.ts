/** From matches, which are pairs of indices, to the points they join: what geometry computes with and pictures show. */
import { ShapeError } from "../errors.js";
import { checkFeatures, checkMatches, type Features, type Matches } from "../features.js";

/**
 * The matched keypoints of `a` and of `b`, pair by pair: two arrays x0, y0, x1, y1, … of length 2·matches.count.
 * Throws a ShapeError, which names `where`, for arrays that do not fit their counts and for matches of other features.
 */
export function matchedPoints(
  where: string,
  a: Features,
  b: Features,
  matches: Matches,
): [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>] {
  checkFeatures(`${where}: a`, a);
  checkFeatures(`${where}: b`, b);
  const { count, pairs } = checkMatches(where, matches);
  const pointsA = new Float32Array(2 * count);
  const pointsB = new Float32Array(2 * count);
  for (let m = 0; m < count; m++) {
    const i = pairs[2 * m];
    const j = pairs[2 * m + 1];
    if (i >= a.count || j >= b.count) {
      throw new ShapeError(`${where}: match ${m} joins keypoints ${i} and ${j} of ${a.count} and ${b.count}`);
    }
    pointsA[2 * m] = a.keypoints[2 * i];
    pointsA[2 * m + 1] = a.keypoints[2 * i + 1];
    pointsB[2 * m] = b.keypoints[2 * j];
    pointsB[2 * m + 1] = b.keypoints[2 * j + 1];
  }
  return [pointsA, pointsB];
}
