/** What training is for, measured on a batch: share of mutual nearest neighbours that are right. No gradient. */
import { lax, numpy as np } from "@jax-js/jax";
import type { Arr } from "../../model/operators.js";
import { takeValues } from "../losses/cells.js";
import { meanWhere } from "./contrast.js";

/**
 * Mean matching accuracy of the first images' keypoints at each threshold (pixels): cosines and squared distances to the
 * true place, [N, P, P]; `valid` [N, P]. Matches of keypoints without a true place do not count.
 */
export function matchingAccuracy(cosines: Arr, distances: Arr, valid: Arr, thresholds: readonly number[]): Arr[] {
  const [n, p] = valid.shape;
  const alike = lax.stopGradient(cosines);
  const there = np.argmax(alike.ref, 2);
  const back = np.argmax(alike, 1);
  const own = np.array(Int32Array.from({ length: p }, (_, i) => i)).reshape([1, p]);
  const mutual = np.equal(takeValues(back, there.ref), own).astype(np.float32).mul(valid);
  const starts = np.array(Int32Array.from({ length: n * p }, (_, i) => i * p)).reshape([n, p]);
  const apart = np.take(lax.stopGradient(distances).reshape([n * p * p]), there.add(starts), 0);
  const results = thresholds.map((t) => meanWhere(np.lessEqual(apart.ref, t * t).astype(np.float32), mutual.ref));
  apart.dispose();
  mutual.dispose();
  return results;
}
