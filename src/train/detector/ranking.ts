/**
 * The order of keypoints: one that is found again and matched should have a higher score than one of the same image that
 * is not, so that the best few of a list are those worth keeping. As RaCo (arXiv 2602.15755) asks for, by the pairwise
 * logistic loss of RankNet (Burges et al. 2005).
 */
import { lax, numpy as np } from "@jax-js/jax";
import "../../graph/jax-now.js";
import { type Arr, softplus } from "../../model/operators.js";
import { meanWhere } from "./contrast.js";

/** Logarithm of the score, repeatability times reliability, from logits of both [M, P, 2]: [M, P]. */
export function logScores(logits: Arr): Arr {
  const each = softplus(logits.neg());
  return np.sum(each, 2).neg();
}

/**
 * Mean of log(1 + exp(b − a)) over pairs of scores a of a good keypoint and b of a bad one, of the same image. `scores`,
 * `good` (1 or 0) and `valid` [M, P]; what is not valid is neither. A scalar; 0 without a pair.
 */
export function rankingLoss(scores: Arr, good: Arr, valid: Arr): Arr {
  const [m, p] = scores.shape;
  const first = lax.stopGradient(good.mul(valid.ref));
  const second = lax.stopGradient(valid.sub(first.ref));
  const behind = scores.ref.reshape([m, 1, p]).sub(scores.reshape([m, p, 1]));
  return meanWhere(softplus(behind), first.reshape([m, p, 1]).mul(second.reshape([m, 1, p])));
}
