/**
 * The reference network (ETH Zürich 2020): a frozen ResNet, an encoder per depth that compresses its activations to a
 * descriptor, attention heads that score every position. Early is left as it is, middle is upsampled twice, deep four
 * times (corners aligned). A 1×1 convolution commutes with bilinear interpolation, whose weights sum to one, so the
 * encoders run before the upsampling: 64 channels instead of 2048 have to be interpolated.
 */
import { UnsupportedError } from "../errors.js";
import {
  type AttentionKind,
  averagedScore,
  type HeadParams,
  readSoftmaxHead,
  readTwoLayerHead,
  softmaxScore,
  twoLayerScore,
} from "./attention.js";
import { type Arr, type Conv, conv2d, upsample } from "./operators.js";
import {
  type Depth,
  type ResnetOptions,
  type ResnetParams,
  readResnetParams,
  resnetTaps,
  tapChannels,
} from "./resnet.js";
import type { ConvWeights, WeightReader } from "./weights.js";

export const LEVELS = ["early", "middle", "deep"] as const;
export const ENCODER_DIMS = [16, 32, 64] as const;

export interface ReferenceOptions extends ResnetOptions {
  attention: AttentionKind;
  /** Scores become s / (1 + s), as in checkpoints whose name has `_sm`. The averaged and shared heads always do. */
  squash: boolean;
}

export interface ReferenceParams<C> {
  resnet: ResnetParams<C>;
  /** One per level; of a shared model the same encoder three times. */
  encoders: C[];
  /** One per level, or one for all. */
  heads: HeadParams<C>[];
  /** Of a shared model: per level a 1×1 convolution C → 512 and one 512 → 512 (1×1 early, 2×2 middle and deep). */
  pre: C[][];
}

const PRE = 512;

/** Takes the weights in the layout of the reference's checkpoints. `dim` is told by the encoders. */
export function readReferenceParams(
  reader: WeightReader,
  depth: Depth,
  attention: AttentionKind,
  dim: number,
): ReferenceParams<ConvWeights> {
  const shared = attention === "shared_multi_attention_model2";
  const channels = tapChannels(depth);
  const resnet = readResnetParams(reader, "feature_encoder.resnet.", depth);
  const encoder = (name: string, from: number) => reader.conv(`feature_encoder.${name}.0`, [dim, from, 1, 1]);
  const encoders = shared ? [encoder("encoder", PRE)] : channels.map((from, i) => encoder(`e${i + 1}`, from));
  const pre = shared
    ? channels.map((from, i) => {
        const size = i === 0 ? 1 : 2;
        return [
          reader.conv(`feature_encoder.p${i + 1}.0`, [PRE, from, 1, 1]),
          reader.conv(`feature_encoder.p${i + 1}.1`, [PRE, PRE, size, size]),
        ];
      })
    : [];
  const perLevel = (read: typeof readTwoLayerHead) => LEVELS.map((level) => read(reader, `${level}_attentions`, dim));
  const heads =
    attention === "multi_attention_model2"
      ? perLevel(readTwoLayerHead)
      : attention === "multi_attention_model"
        ? perLevel(readSoftmaxHead)
        : [readTwoLayerHead(reader, "attention", dim)];
  // Decoders serve training only, fc is the classifier, and batch norm counts its batches.
  reader.ignore(/^feature_encoder\.(d[123]|decoder)\.|^feature_encoder\.resnet\.fc\.|\.num_batches_tracked$/);
  // A checkpoint may carry what another kind of head needs: its own encoders beside the shared one.
  if (shared) reader.ignore(/^feature_encoder\.e[123]\.|^(early|middle|deep)_attentions\./);
  else reader.ignore(/^feature_encoder\.(encoder|p[123])\./);
  reader.finish();
  return { resnet, encoders, heads, pre };
}

export interface ReferenceOutputs {
  [name: string]: Arr;
}

/**
 * The dense pass: an image [N, 3, H, W], preprocessed, to `map0..2` (descriptors [N, dim, h, w]) and `score0..2`
 * ([N, 1, h, w]) of the early, middle and deep level, whose sizes may differ by a pixel or so.
 */
export function referenceNetwork(options: ReferenceOptions) {
  return ({ image, params }: { image: Arr; params: ReferenceParams<Conv> }): ReferenceOutputs => {
    const taps = resnetTaps(image, params.resnet, options);
    const factor = (level: number) => (options.replaceStrideWithDilation ? 1 : 2 ** level);
    const enlarge = (x: Arr, level: number) => (factor(level) === 1 ? x : upsample(x, factor(level), "align_corners"));
    const maps = taps.map((tap, level) => {
      if (params.pre.length === 0) return enlarge(conv2d(tap, params.encoders[level]), level);
      const [narrow, mix] = params.pre[level];
      const pre = conv2d(enlarge(conv2d(tap, narrow), level), mix);
      const { weight, bias } = params.encoders[0];
      return conv2d(pre, { weight: weight.ref, bias: bias.ref });
    });
    const scores = scoresOf(maps, params.heads, options);
    const outputs: ReferenceOutputs = {};
    maps.forEach((map, i) => {
      outputs[`map${i}`] = map;
    });
    scores.forEach((score, i) => {
      outputs[`score${i}`] = score;
    });
    return outputs;
  };
}

function scoresOf(maps: Arr[], heads: HeadParams<Conv>[], { attention, squash }: ReferenceOptions): Arr[] {
  const own = (head: HeadParams<Conv>) => head.map(({ weight, bias }) => ({ weight: weight.ref, bias: bias.ref }));
  switch (attention) {
    case "multi_attention_model2":
      return maps.map((map, i) => twoLayerScore(map.ref, heads[i], squash));
    case "multi_attention_model":
      return maps.map((map, i) => softmaxScore(map.ref, heads[i]));
    case "shared_multi_attention_model2":
      return maps.map((map) => twoLayerScore(map.ref, own(heads[0]), true));
    case "attention_model": {
      const sizes = new Set(maps.map(({ shape }) => `${shape[2]}×${shape[3]}`));
      if (sizes.size > 1) {
        throw new UnsupportedError(
          `attention_model averages its levels, whose sizes differ here (${[...sizes].join(", ")}); pad the image so that they agree`,
        );
      }
      const score = averagedScore(
        maps.map((map) => map.ref),
        heads[0],
      );
      return [score.ref, score.ref, score];
    }
  }
}
