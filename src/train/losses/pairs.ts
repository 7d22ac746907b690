/**
 * What losses are computed on: one level of a batch of pairs. Shapes never depend on how many cells correspond: each
 * cell of image 1 has a target, `valid` says whether it counts, `pairWeights` whether its pair does.
 *
 * Like the layers of a network, losses consume the arrays they are given; whoever needs them again passes `referencesOf(…)`.
 */

import { numpy as np } from "@jax-js/jax";
import { checkList, checkObject, wrong } from "../../check.js";
import type { Arr } from "../../model/operators.js";

/** Descriptors of two images and which of them correspond. */
export interface DescribedPairs {
  /** Descriptors of both images [N, C, h, w], of any length. */
  maps: readonly [Arr, Arr];
  /** [N, h·w, 2] for each cell of image 1, row by row: x, y in cells of image 2. */
  targets: Arr;
  /** [N, h·w] 1 where the cell has a counterpart, 0 elsewhere. */
  valid: Arr;
  /** [N] 1 for pairs that count, 0 for those with too few correspondences. */
  pairWeights: Arr;
}

/** Scores and descriptors of two images and which of them correspond. */
export interface ScoredPairs extends DescribedPairs {
  /** Scores of both images [N, 1, h, w], not negative. */
  scores: readonly [Arr, Arr];
}

/** A scalar to minimise, and what it is made of, for the log. */
export interface LossValue {
  loss: Arr;
  parts: Record<string, Arr>;
}

/** An OptionError unless it is an array of jax-js. */
export function checkArr(where: string, name: string, value: unknown): void {
  const isArray = typeof value === "object" && value !== null && "aval" in value && "ref" in value;
  if (!isArray) throw wrong(where, name, "an array of jax-js (np.array(…))", value);
}

/** An OptionError for the first part that is missing or no array; `scored` asks for scores too. */
export function checkLossPairs(where: string, pairs: DescribedPairs | ScoredPairs, scored = false): void {
  checkObject(where, "pairs", pairs);
  for (const name of ["targets", "valid", "pairWeights"] as const) checkArr(where, name, pairs[name]);
  const both = { maps: pairs.maps, ...(scored && { scores: (pairs as ScoredPairs).scores }) };
  for (const [name, two] of Object.entries(both)) {
    if (checkList(where, name, two).length !== 2) throw wrong(where, name, "of two images", two);
    for (const one of two) checkArr(where, name, one);
  }
}

/** References of one's own to all arrays. */
export function referencesOf<P extends DescribedPairs>(pairs: P): P {
  checkLossPairs("referencesOf", pairs);
  const entries = Object.entries(pairs).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map((array: Arr) => array.ref) : (value as Arr).ref,
  ]);
  return Object.fromEntries(entries) as P;
}

/** Σ weight·value / Σ weight; values and weights [N], and 0 where no pair counts. */
export function meanOverPairs(values: Arr, pairWeights: Arr): Arr {
  const total = np.sum(pairWeights.ref);
  return np.sum(values.mul(pairWeights)).div(nonZero(total));
}

/** Mean of [N, P] over the cells that count → [N]; 0 for a pair without any. */
export function meanOverCells(values: Arr, valid: Arr): Arr {
  const count = np.sum(valid.ref, 1);
  return np.sum(values.mul(valid), 1).div(nonZero(count));
}

/** A sum of weights as a divisor: 1 in place of 0, where what is divided is 0 as well. */
export function nonZero(sum: Arr): Arr {
  return np.where(np.equal(sum.ref, 0), 1, sum);
}
