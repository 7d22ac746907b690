/**
 * Networks of one score map as large as the image, whose descriptors are sums over several of its levels. Extraction
 * (extract/score.ts), training (train/detector) and export work on any of them.
 */
import type { ConvLayer } from "./layers/layers.js";
import { type Arr, sigmoid } from "./operators.js";

export interface ScoreNetwork {
  /** The dense pass on a normalised image [N, 3, H, W], H and W multiples of 16. */
  maps(image: Arr): ScoreMaps;
  /** What the score head gives per cell of its own, at every pixel. */
  atPixels(values: Arr): Arr;
  /** Levels that the descriptor sees; a cell of level l is 2ˡ pixels wide. */
  levels: readonly number[];
  /**
   * How far from a position, in pixels, its score at a pixel and its descriptor between pixels depend on the image; large
   * images are extracted in tiles that overlap by it. Absent: images stay whole.
   */
  reach?: number;
  /** For each of them the 1×1 convolution from its activations to its share of the descriptor. */
  encoders: ConvLayer[];
}

export interface ScoreMaps {
  /** Activations of the descriptor's levels, not yet encoded: [N, C, H/2ˡ, W/2ˡ]. */
  levels: Arr[];
  /** Repeatability, then reliability, before the sigmoid: [N, 2·c, h, w], c values for each cell of the score head. */
  logits: Arr;
}

/** Repeatability and reliability [N, 2, H, W], each in 0..1, and the score [N, 1, H, W], their product. */
export function scoresOf({ atPixels }: ScoreNetwork, logits: Arr): { attention: Arr; score: Arr } {
  const values = sigmoid(logits);
  const each = values.shape[1] / 2;
  const score = values.ref.slice([], [0, each]).mul(values.ref.slice([], [each, 2 * each]));
  return { attention: atPixels(values), score: atPixels(score) };
}
