/**
 * Distinctiveness: a score should be high where few descriptors of the other image are alike. Its target is
 * (1 + count)^−¼, count being the descriptors of the other image nearer than the margin; descriptors learn nothing from it.
 */
import { lax, numpy as np } from "@jax-js/jax";
import type { Arr } from "../../model/operators.js";
import { cellIndex, takeValues, targetCells } from "./cells.js";
import { cosines, unitRows } from "./descriptors.js";
import { checkLossPairs, type LossValue, meanOverCells, meanOverPairs, type ScoredPairs } from "./pairs.js";

/** Mean |s₁ − t₁| + mean |s₂ − t₂| over a pair's correspondences, mean over pairs. `margin` is a distance, not squared. */
export function distinctivenessLoss(pairs: ScoredPairs, { margin }: { margin: number }): LossValue {
  checkLossPairs("distinctivenessLoss", pairs, true);
  const { maps, scores, targets, valid, pairWeights } = pairs;
  const [n, , height, width] = maps[0].shape;
  const grid = { width, height };
  const [d1, d2] = maps.map((map) => unitRows(lax.stopGradient(map)));
  // distance < margin, written for cosines.
  const alike = np.greater(cosines(d1, d2), 1 - margin ** 2 / 2).astype(np.float32);
  const [t1, t2] = [np.sum(alike.ref, 2), np.sum(alike, 1)].map(wanted);
  const [s1, s2] = scores.map((map) => map.reshape([n, width * height]));
  const index = cellIndex(targetCells(targets, grid), grid);
  const first = meanOverCells(np.abs(s1.sub(t1)), valid.ref);
  const second = meanOverCells(np.abs(takeValues(s2.sub(t2), index)), valid);
  return { loss: meanOverPairs(first.add(second), pairWeights), parts: {} };
}

/** (1 + count)^−¼. */
const wanted = (count: Arr): Arr => np.reciprocal(np.sqrt(np.sqrt(count.add(1))));
