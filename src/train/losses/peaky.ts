/**
 * Peakiness of score maps, as in R2D2 (Revaud et al. 2019): in windows of N + 1 the maximum should stand out of the
 * average. Maps are smoothed first. The average counts the zeros around the map, the maximum ignores them.
 */

import { numpy as np } from "@jax-js/jax";
import { wrong } from "../../check.js";
import type { Arr } from "../../model/operators.js";
import { checkArr, meanOverPairs } from "./pairs.js";

/** relu(1 − mean(max − average)) of scores [N, 1, h, w], which must not be negative; `n` is even. A scalar. */
export function peakyLoss(scores: Arr, pairWeights: Arr, n: number): Arr {
  checkArr("peakyLoss", "scores", scores);
  checkArr("peakyLoss", "pairWeights", pairWeights);
  if (!Number.isSafeInteger(n) || n < 2 || n % 2 || n > 1024)
    throw wrong("peakyLoss", "n", "an even number from 2 to 1024", n);
  const [pairs, , height, width] = scores.shape;
  const smooth = boxMean(scores.reshape([pairs, height, width]), 1);
  const contrast = alongBoth(smooth.ref, (rows) => slidingMax(rows, n / 2)).sub(boxMean(smooth, n / 2));
  const perPair = np.mean(contrast, [1, 2]);
  const counted = np.sum(pairWeights.ref);
  const mean = meanOverPairs(perPair, pairWeights);
  // Without a pair that counts there is nothing to be peaky.
  const any = np.greater(counted, 0).astype(np.float32);
  return np.maximum(0, np.subtract(1, mean)).mul(any);
}

/** `fn` along the last axis of [N, h, w], then along the one before. */
function alongBoth(map: Arr, fn: (map: Arr) => Arr): Arr {
  return fn(fn(map).transpose([0, 2, 1])).transpose([0, 2, 1]);
}

/** Mean of (2r + 1)² windows, zeros around: a product with a banded matrix along either axis. */
function boxMean(map: Arr, radius: number): Arr {
  return alongBoth(map, (rows) => np.matmul(rows, band(rows.shape[2], radius)));
}

/** [size, size] with 1 / (2r + 1) within `radius` of the diagonal; symmetric. */
function band(size: number, radius: number): Arr {
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) {
    const end = Math.min(size, i + radius + 1);
    data.fill(1 / (2 * radius + 1), i * size + Math.max(0, i - radius), i * size + end);
  }
  return np.array(data).reshape([size, size]);
}

/** Maximum of windows of 2r + 1 along the last axis; windows double until two of them cover the wanted one: log₂ steps, whatever the size. */
function slidingMax(map: Arr, radius: number): Arr {
  const size = map.shape[2];
  const window = 2 * radius + 1;
  let wide = np.pad(map, [
    [0, 0],
    [0, 0],
    [radius, radius],
  ]);
  const cut = (from: number, length: number) => wide.ref.slice([], [], [from, from + length]);
  let covered = 1;
  while (2 * covered <= window) {
    const length = wide.shape[2] - covered;
    const next = np.maximum(cut(0, length), cut(covered, length));
    wide.dispose();
    wide = next;
    covered *= 2;
  }
  const result = np.maximum(cut(0, size), cut(window - covered, size));
  wide.dispose();
  return result;
}
