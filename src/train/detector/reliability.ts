/**
 * Reliability: the chance that the descriptor finds its counterpart, learnt from whether it just did, as in SiLK
 * (Gleize et al. 2023). A score that means something can be multiplied, compared between images, and cut.
 */
import { lax, numpy as np } from "@jax-js/jax";
import "../../graph/jax-now.js";
import { type Arr, softplus } from "../../model/operators.js";
import { meanWhere } from "./contrast.js";

/** Mean binary cross-entropy of logits [M, P] against outcomes [M, P] of 0 and 1, where `valid` counts. A scalar. */
export function outcomeLoss(logits: Arr, outcomes: Arr, valid: Arr): Arr {
  const entropy = softplus(logits.ref).sub(logits.mul(lax.stopGradient(outcomes)));
  return meanWhere(entropy, valid);
}

/** Mean of 0-1 outcomes over what counts, for the log. */
export const shareOf = (outcomes: Arr, valid: Arr): Arr =>
  lax.stopGradient(meanWhere(outcomes.astype(np.float32), valid));
