/** How right matches of a training pair are: the measure that attention is trained for, on pairs of either kind. */

import type { Features, Matches } from "../features.js";
import { matchedPoints } from "../match/points.js";
import { carryOf } from "./correspondences.js";
import type { TrainingPair } from "./types.js";

/**
 * Distance in pixels of image 2 of each match from where the pair's depth or homography wants it. Infinity where image 2
 * does not show the point of image 1: such a match is wrong whatever it is.
 */
export function matchErrors(pair: TrainingPair, a: Features, b: Features, matches: Matches): Float64Array {
  matchedPoints("matchErrors", a, b, matches);
  const carry = carryOf(pair);
  const errors = new Float64Array(matches.count);
  const there = new Float64Array(2);
  for (let m = 0; m < matches.count; m++) {
    const [i, j] = [matches.pairs[2 * m], matches.pairs[2 * m + 1]];
    const isSeen = carry(a.keypoints[2 * i], a.keypoints[2 * i + 1], there);
    errors[m] = isSeen
      ? Math.hypot(there[0] - b.keypoints[2 * j], there[1] - b.keypoints[2 * j + 1])
      : Number.POSITIVE_INFINITY;
  }
  return errors;
}
