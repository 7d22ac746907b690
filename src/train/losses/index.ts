/** The losses that attention can be trained with. A new one is a file beside this one and a line in the table. */
import { d2netLoss } from "./d2net.js";
import { distinctivenessLoss } from "./distinctiveness.js";
import { distinctivenessPlusLoss } from "./distinctiveness-plus.js";
import type { LossValue, ScoredPairs } from "./pairs.js";

/** Numbers that recipes set. */
export interface LossOptions {
  /** Window of the peaky part less one; even. */
  n: number;
  /** Weight of the peaky part. */
  lambda: number;
  /** Distance below which two descriptors are alike. */
  margin: number;
}

/** A loss of attention heads and the numbers that it takes. */
export interface AttentionLoss {
  /** The options that it knows; a recipe that sets another is refused. */
  options: readonly (keyof LossOptions)[];
  /** Loss of one level; those of all levels are added up. */
  loss(pairs: ScoredPairs, options: LossOptions): LossValue;
}

const table = {
  d2net: { options: [], loss: d2netLoss },
  distinctiveness: { options: ["margin"], loss: distinctivenessLoss },
  "distinctiveness+": { options: ["n", "lambda", "margin"], loss: distinctivenessPlusLoss },
} as const satisfies Record<string, AttentionLoss>;

/** Name of a loss of attention heads. */
export type AttentionLossName = keyof typeof table;

/** The losses that attention heads can be trained with, by name. */
export const ATTENTION_LOSSES: Readonly<Record<AttentionLossName, AttentionLoss>> = table;

export { correspondenceLoss } from "./correspondence.js";
export { type DescribedPairs, type LossValue, referencesOf, type ScoredPairs } from "./pairs.js";
export { peakyLoss } from "./peaky.js";
export { reconstructionLoss } from "./reconstruction.js";
