/**
 * Scores of one pair, each a number in [0, 1] made of its counts, and areas under curves over pairs.
 * Definitions with their sources: docs/benchmark.md.
 */

import { checkList, checkNumbers, checkObject, wrong } from "../check.js";
import type { Features, Matches } from "../features.js";
import { checkMatrix, type Matrix3 } from "../geometry/matrix3.js";
import { squaredTransferErrors } from "../geometry/transfer-error.js";
import { matchedPoints } from "../match/points.js";
import { checkNumber } from "../options.js";
import { type PairScores, THRESHOLDS } from "./types.js";

/** Distance in pixels within which a keypoint counts as found again, and a match as right for the matching score. */
export const REPEAT_DISTANCE = 3;

/**
 * For each match the distance in pixels of image b between the keypoint of a, carried by `homography` (a to b), and
 * that of b. Infinity for a keypoint that is carried to infinity or is not finite.
 */
export function projectionErrors(a: Features, b: Features, matches: Matches, homography: Matrix3): Float64Array {
  checkMatrix("projectionErrors", homography);
  const [from, to] = matchedPoints("projectionErrors", a, b, matches);
  return squaredTransferErrors(homography, from, to).map(Math.sqrt);
}

/** How many errors are ≤ each of `thresholds`, by default 1 … 15 px. */
export function countWithin(errors: ArrayLike<number>, thresholds: readonly number[] = THRESHOLDS): number[] {
  checkNumbers("countWithin", "errors", errors);
  if (!Array.isArray(thresholds)) throw wrong("countWithin", "thresholds", "an array of numbers", thresholds);
  checkNumbers("countWithin", "thresholds", thresholds);
  const counts = thresholds.map(() => 0);
  for (let m = 0; m < errors.length; m++) {
    for (let t = 0; t < counts.length; t++) if (errors[m] <= thresholds[t]) counts[t]++;
  }
  return counts;
}

/** Matching accuracy of a pair at each threshold: right matches of all; 0 without matches. */
export function matchingAccuracy(scores: Pick<PairScores, "matches" | "correct">): number[] {
  const { matches, correct } = checkScores("matchingAccuracy", scores, ["correct"]);
  checkNumber("matchingAccuracy", "matches", matches, { min: 0 });
  return correct.map((count) => ratio(count, matches));
}

/** Repeatability of a pair: keypoints found again of those that both images see; 0 where there are none. */
export function repeatability(scores: Pick<PairScores, "covisible" | "repeated">): number {
  const { covisible, repeated } = checkScores("repeatability", scores, ["covisible", "repeated"]);
  return ratio(repeated[0] + repeated[1], covisible[0] + covisible[1]);
}

/**
 * Matching score of a pair: matches right at 3 px of the keypoints that the other image sees, mean of both images. A
 * right match may lie just outside the common part, so it is cut at 1.
 */
export function matchingScore(scores: Pick<PairScores, "covisible" | "correct">): number {
  const { covisible, correct } = checkScores("matchingScore", scores, ["covisible", "correct"]);
  const right = correct[THRESHOLDS.indexOf(REPEAT_DISTANCE)];
  return (Math.min(1, ratio(right, covisible[0])) + Math.min(1, ratio(right, covisible[1]))) / 2;
}

/** Share of `errors` ≤ `threshold`; null, no answer, is never. */
export function shareWithin(errors: readonly (number | null)[], threshold: number): number {
  checkErrors("shareWithin", errors, threshold);
  return ratio(errors.filter((error) => error !== null && error <= threshold).length, errors.length);
}

/**
 * Area under the share of errors ≤ x for x from 0 to `threshold`, divided by `threshold`. The share is a staircase, so
 * the area is exactly the mean of max(0, 1 − error/threshold); null, no answer, adds nothing.
 */
export function areaUnderShare(errors: readonly (number | null)[], threshold: number): number {
  checkErrors("areaUnderShare", errors, threshold);
  let area = 0;
  for (const error of errors) if (error !== null) area += Math.max(0, 1 - error / threshold);
  return ratio(area, errors.length);
}

function checkScores<T>(where: string, scores: T, lists: readonly (keyof T & string)[]): T {
  checkObject(where, "scores", scores);
  for (const name of lists) {
    if (!Array.isArray(checkNumbers(where, name, scores[name])))
      throw wrong(where, name, "an array of numbers", scores[name]);
  }
  return scores;
}

function checkErrors(where: string, errors: readonly (number | null)[], threshold: number): void {
  for (const error of checkList(where, "errors", errors)) {
    if (error !== null && typeof error !== "number") throw wrong(where, "an error", "a number or null", error);
  }
  checkNumber(where, "threshold", threshold, { min: 0 });
}

/** 0 of nothing is 0. */
function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
