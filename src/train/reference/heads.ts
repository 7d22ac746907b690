/** Attention heads in training: scores of each level, and running statistics of their batch norms. */
import { OptionError } from "../../errors.js";
import type { AttentionKind } from "../../model/attention.js";
import { softmaxScore } from "../../model/attention.js";
import { type Arr, conv2d, relu, softplus } from "../../model/operators.js";
import { LEVELS } from "../../model/reference.js";
import type { Random } from "../../random.js";
import type { Parameter } from "../parameters.js";
import { initialConv, initialNorm, initialStatistics } from "./initial.js";
import { convNorm, convOf, type Tensors } from "./layers.js";

/** Hidden channels of a two-layer head. */
const HIDDEN = 512;

/** Heads that can be trained: two layers per level, a softmax per level, or two layers for all levels. */
export type TrainableAttention = Exclude<AttentionKind, "attention_model">;

/** Names of the head of each level. */
export function headNames(attention: AttentionKind): string[] {
  if (attention === "attention_model") {
    throw new OptionError(
      "attention_model (one head on the average of the levels) is not trained by any recipe; choose multi_attention_model2, multi_attention_model or shared_multi_attention_model2",
    );
  }
  return LEVELS.map((level) => (attention === "shared_multi_attention_model2" ? "attention" : `${level}_attentions`));
}

const distinct = (attention: AttentionKind): string[] => [...new Set(headNames(attention))];

const isSoftmax = (attention: AttentionKind): boolean => attention === "multi_attention_model";

export function initialHeads(attention: AttentionKind, dim: number, random: Random): Parameter[] {
  return distinct(attention).flatMap((head) =>
    isSoftmax(attention)
      ? initialConv(head, [2, dim, 1, 1], random)
      : [
          ...initialConv(`${head}.0`, [HIDDEN, dim, 1, 1], random),
          ...initialNorm(`${head}.1`, HIDDEN),
          ...initialConv(`${head}.3`, [1, HIDDEN, 1, 1], random),
        ],
  );
}

export function initialHeadState(attention: AttentionKind): Parameter[] {
  return isSoftmax(attention) ? [] : distinct(attention).flatMap((head) => initialStatistics(`${head}.1`, HIDDEN));
}

/**
 * Scores [M, 1, h, w] of each level's descriptors [M, dim, h, w]; `squash` makes them s / (1 + s), which the shared head
 * does by definition. A shared head meets the levels one after the other, each with statistics of its own, as in PyTorch.
 */
export function headScores(
  maps: readonly Arr[],
  parameters: Tensors,
  state: Tensors,
  { attention, squash, training }: { attention: AttentionKind; squash: boolean; training: boolean },
): { scores: Arr[]; state: Tensors } {
  const names = headNames(attention);
  if (isSoftmax(attention)) {
    return { scores: maps.map((map, i) => softmaxScore(map, [convOf(parameters, names[i])])), state };
  }
  const next = { ...state };
  const squashes = squash || attention === "shared_multi_attention_model2";
  const scores = maps.map((map, i) => {
    const norm = `${names[i]}.1`;
    const running = { mean: next[`${norm}.running_mean`], variance: next[`${norm}.running_var`] };
    const first = convOf(parameters, `${names[i]}.0`);
    const { out, mean, variance } = convNorm(map, first, convOf(parameters, norm), running, training);
    next[`${norm}.running_mean`] = mean;
    next[`${norm}.running_var`] = variance;
    const score = softplus(conv2d(relu(out), convOf(parameters, `${names[i]}.3`)));
    return squashes ? score.ref.div(score.add(1)) : score;
  });
  return { scores, state: next };
}
