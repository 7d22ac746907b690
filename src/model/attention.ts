/** The four kinds of attention head: from a 64-channel descriptor map to one score per position. */
import { numpy as np } from "@jax-js/jax";
import { type Arr, type Conv, conv2d, normalizeChannels, relu, softplus } from "./operators.js";
import type { ConvWeights, WeightReader } from "./weights.js";

export const ATTENTION_KINDS = [
  "multi_attention_model2",
  "multi_attention_model",
  "attention_model",
  "shared_multi_attention_model2",
] as const;
export type AttentionKind = (typeof ATTENTION_KINDS)[number];

/** Hidden channels of a two-layer head. */
const HIDDEN = 512;

/** A head is one convolution (two-channel softmax) or two with a ReLU between. */
export type HeadParams<C> = C[];

/** Takes a two-layer head: NAME.0 (1×1, dim → 512), NAME.1 (batch norm), NAME.3 (1×1, 512 → 1). */
export function readTwoLayerHead(reader: WeightReader, name: string, dim: number): HeadParams<ConvWeights> {
  const statistics = ["running_mean", "running_var"];
  return [
    reader.convNorm(`${name}.0`, `${name}.1`, [HIDDEN, dim, 1, 1], { statistics }),
    reader.conv(`${name}.3`, [1, HIDDEN, 1, 1]),
  ];
}

/** Takes a one-layer head: NAME (1×1, dim → 2). */
export function readSoftmaxHead(reader: WeightReader, name: string, dim: number): HeadParams<ConvWeights> {
  return [reader.conv(name, [2, dim, 1, 1])];
}

/** softplus(conv(relu(conv(d)))); `squash` makes it s / (1 + s). [N, dim, h, w] → [N, 1, h, w]. */
export function twoLayerScore(d: Arr, [first, second]: HeadParams<Conv>, squash: boolean): Arr {
  const score = softplus(conv2d(relu(conv2d(d, first)), second));
  return squash ? score.ref.div(score.add(1)) : score;
}

/** Channel 1 of the softmax over two channels, which is the logistic function of their difference. */
export function softmaxScore(d: Arr, [conv]: HeadParams<Conv>): Arr {
  const logits = conv2d(d, conv);
  const difference = logits.ref.slice([], [0, 1]).sub(logits.slice([], [1, 2]));
  return np.reciprocal(np.exp(difference).add(1));
}

/** One head on the average of the levels, each of unit length along channels (the reference slips to the batch axis). */
export function averagedScore(levels: Arr[], head: HeadParams<Conv>): Arr {
  const sum = levels.map((level) => normalizeChannels(level)).reduce((a, b) => a.add(b));
  return twoLayerScore(sum.mul(1 / levels.length), head, true);
}
