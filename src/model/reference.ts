/**
 * The reference network (ETH Zürich 2020): a frozen ResNet, an encoder per depth that compresses its activations to a
 * descriptor, attention heads that score every position. Early is left as it is, middle is upsampled twice, deep four
 * times (corners aligned). A 1×1 convolution commutes with bilinear interpolation, whose weights sum to one, so the
 * encoders run before the upsampling: 64 channels instead of 2048 have to be interpolated.
 *
 * The parts are functions of their own, for each is trained while others are frozen.
 */
import { attentionHeads } from "./attention.js";
import { type AttentionKind, isShared } from "./attention-kinds.js";
import { BACKBONE_PREFIX, ENCODER_PREFIX } from "./checkpoint.js";
import type { Layers } from "./layers/layers.js";
import { type Arr, relu, upsample } from "./operators.js";
import { type Depth, type ResnetOptions, resnet, tapChannels } from "./resnet.js";

export const LEVELS = ["early", "middle", "deep"] as const;
export const ENCODER_DIMS = [16, 32, 64] as const;

/** Channels of the early, middle and deep tap. */
export type TapChannels = readonly [number, number, number];

export interface ReferenceShape {
  depth: Depth;
  attention: AttentionKind;
  /** Channels of the encoders. */
  dim: number;
}

export interface ReferenceOptions extends ResnetOptions {
  /** Scores become s / (1 + s), as in checkpoints whose name has `_sm`. The averaged and shared heads always do. */
  squash: boolean;
}

/**
 * The whole: an image [N, 3, H, W], preprocessed, to `map0..2` (descriptors [N, dim, h, w]) and `score0..2` ([N, 1, h, w])
 * of the early, middle and deep level, whose sizes may differ by a pixel or so.
 */
export function referenceNetwork(
  layers: Layers,
  { depth, attention, dim }: ReferenceShape,
  options: ReferenceOptions,
): (image: Arr) => Record<string, Arr> {
  const channels = tapChannels(depth);
  const trunk = resnet(layers, BACKBONE_PREFIX, depth, options);
  const encode = isShared(attention)
    ? mapsOnly(sharedEncoder(layers, channels, dim))
    : plainEncoders(layers, channels, dim);
  const heads = attentionHeads(layers, attention, dim, LEVELS, options);
  const resize = options.replaceStrideWithDilation ? asItIs : enlarge;
  return (image) => {
    const maps = trunk(image).map((tap, level) => encode(tap, level, resize));
    const scores = heads(maps.map((map) => map.ref));
    return Object.fromEntries([
      ...maps.map((map, i): [string, Arr] => [`map${i}`, map]),
      ...scores.map((score, i): [string, Arr] => [`score${i}`, score]),
    ]);
  };
}

/** What brings a level's map to the early one's size. */
type Resize = (map: Arr, level: number) => Arr;

/** Middle is enlarged twice, deep four times, corners aligned. */
export const enlarge: Resize = (map, level) => (level === 0 ? map : upsample(map, 2 ** level, "align_corners"));

/** For a backbone whose maps are all of one size. */
const asItIs: Resize = (map) => map;

/** From the tap of a level to its descriptors [N, dim, h, w]. */
type Plain = (tap: Arr, level: number, resize?: Resize) => Arr;

/** An encoder per level: e1, e2, e3. */
export function plainEncoders(layers: Layers, channels: TapChannels, dim: number): Plain {
  const encoders = channels.map((from, i) => layers.conv(`${ENCODER_PREFIX}e${i + 1}.0`, [dim, from, 1, 1]));
  return (tap, level, resize = enlarge) => resize(encoders[level](tap), level);
}

/** Channels of the pre-encoding. */
const PRE = 512;

/** From the tap of a level to its pre-encoding [N, 512, h, w] and descriptors [N, dim, h, w]. */
type Shared = (tap: Arr, level: number, resize?: Resize) => { pre: Arr; map: Arr };

const mapsOnly =
  (encode: Shared): Plain =>
  (tap, level, resize) => {
    const { pre, map } = encode(tap, level, resize);
    pre.dispose();
    return map;
  };

/**
 * SHARED: one encoder for all levels, behind a pre-encoding per level of a 1×1 convolution and one that mixes, 1×1 for
 * early, 2×2 without padding for middle and deep, whose maps are therefore a row and a column smaller.
 */
export function sharedEncoder(layers: Layers, channels: TapChannels, dim: number): Shared {
  const pres = channels.map((from, i) => {
    const size = i === 0 ? 1 : 2;
    return {
      narrow: layers.conv(`${ENCODER_PREFIX}p${i + 1}.0`, [PRE, from, 1, 1]),
      mix: layers.conv(`${ENCODER_PREFIX}p${i + 1}.1`, [PRE, PRE, size, size]),
    };
  });
  const encoder = layers.conv(`${ENCODER_PREFIX}encoder.0`, [dim, PRE, 1, 1]);
  return (tap, level, resize = enlarge) => {
    const { narrow, mix } = pres[level];
    // A 1×1 convolution commutes with the enlargement: 512 channels are enlarged instead of 2048.
    const pre = mix(resize(narrow(tap), level));
    return { pre: pre.ref, map: encoder(pre) };
  };
}

/** From the descriptors of a level back to what was encoded, ≥ 0. They serve training only. */
type Decoders = (map: Arr, level: number) => Arr;

/** A decoder per level, d1, d2, d3, or one for all. */
export function decoders(layers: Layers, channels: TapChannels, dim: number, shared: boolean): Decoders {
  const all = shared
    ? [layers.decoder(`${ENCODER_PREFIX}decoder.0`, dim, PRE)]
    : channels.map((to, i) => layers.decoder(`${ENCODER_PREFIX}d${i + 1}.0`, dim, to));
  return (map, level) => relu(all[shared ? 0 : level](map));
}
