/** D2-Net's loss (Dusmanu et al. 2019): triplet hinges weighted by the product of both scores, which sum to one. */
import { numpy as np } from "@jax-js/jax";
import { takeValues } from "./cells.js";
import { checkLossPairs, type LossValue, meanOverPairs, nonZero, type ScoredPairs } from "./pairs.js";
import { tripletHinges } from "./triplet.js";

/** Σ s₁·s₂·hinge / Σ s₁·s₂ over a pair's correspondences, mean over pairs. */
export function d2netLoss(pairs: ScoredPairs): LossValue {
  checkLossPairs("d2netLoss", pairs, true);
  const { maps, scores, targets, valid, pairWeights } = pairs;
  const { hinges, index } = tripletHinges({ maps, targets });
  const [n, p] = hinges.shape;
  const [s1, s2] = scores.map((map) => map.reshape([n, p]));
  const weights = s1.mul(takeValues(s2, index)).mul(valid);
  const total = nonZero(np.sum(weights.ref, 1));
  const perPair = np.sum(weights.mul(hinges), 1).div(total);
  return { loss: meanOverPairs(perPair, pairWeights), parts: {} };
}
