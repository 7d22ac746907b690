/**
 * Descriptors: of all that the other image has to offer, the true counterpart should be the most alike. Cross-entropy of
 * cosines times a temperature (as in InfoNCE), against the keypoints that a match could be mistaken for. Both directions
 * are rows of one batch, so the loss is symmetric.
 */
import { lax, numpy as np } from "@jax-js/jax";
import type { Arr } from "../../model/operators.js";
import { nonZero } from "../losses/pairs.js";

export interface Contrast {
  /** Cosine of each keypoint's descriptor with the one at its true place in the other image, [M, P]. */
  positive: Arr;
  /** Cosines with the other image's keypoints, [M, P, P]. */
  others: Arr;
  /** 1 where one of these is as far from the true place that matching it is wrong, [M, P, P]. */
  wrong: Arr;
  /** 1 where the keypoint has a true place in the other image, [M, P]. */
  valid: Arr;
}

/**
 * Largest temperature. Cosines are at most 1, so with exp(t·(cos − 1)) nothing overflows; up to here the smallest
 * one is not lost either.
 */
export const MAX_TEMPERATURE = 40;

/** Mean over keypoints that count of −log(e^{t·positive} / (e^{t·positive} + Σ wrong·e^{t·others})). A scalar. */
export function contrastLoss({ positive, others, wrong, valid }: Contrast, temperature: Arr): Arr {
  const weight = (cosine: Arr) => np.exp(cosine.sub(1).mul(temperature.ref));
  const own = weight(positive.ref);
  const rest = np.sum(weight(others).mul(wrong), 2);
  const loss = np.log(own.add(rest)).sub(positive.sub(1).mul(temperature));
  return meanWhere(loss, valid);
}

/** 1 where the true place is more alike than everything wrong, [M, P]; without a gradient. */
export function isDistinct({ positive, others, wrong, valid }: Contrast): Arr {
  valid.dispose();
  // What is not wrong is moved below every cosine.
  const worst = np.max(lax.stopGradient(others).sub(np.subtract(1, wrong).mul(4)), 2);
  return np.greater(lax.stopGradient(positive), worst).astype(np.float32);
}

/** Mean of the values that count; 0 where none does. */
export function meanWhere(values: Arr, counts: Arr): Arr {
  const total = nonZero(np.sum(counts.ref));
  return np.sum(values.mul(counts)).div(total);
}
