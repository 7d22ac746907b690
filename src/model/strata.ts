/**
 * strata-s: the default network. Five levels of a small convolutional network; the score head reads all of them at full
 * resolution, the descriptor is the sum of what four encoders see at the keypoint. See models/strata-s/CARD.md.
 */
import type { StrataConfig } from "./config.js";
import { type Arr, averagePool2, type Conv, conv2d, pixelShuffle2, relu, sigmoid, upsample } from "./operators.js";
import { attentionOutputs, cellSize, levelConvs, type NormedConv, type StrataForm, strataForm } from "./strata-form.js";
import type { ConvWeights, WeightReader } from "./weights.js";

interface Level<C> {
  a: C;
  b: C;
  /** Absent at level 0, which is no residual block. */
  skip?: C;
}

export interface StrataParams<C> {
  levels: Level<C>[];
  /** Encoders of the descriptor's levels, taps of the score head's; see StrataForm. */
  encoders: C[];
  attention: { taps: C[]; fuse: C; out: C };
}

/** Takes the weights out of a file; batch norm is folded into the convolutions. */
export function readStrataParams(reader: WeightReader, config: StrataConfig): StrataParams<ConvWeights> {
  const { widths, descriptorDim: dim, attentionWidth: width, bnEps: eps } = config;
  const { descriptorLevels, scoreLevels } = strataForm(config);
  const norm = ({ name, kernel }: Pick<NormedConv, "name" | "kernel">) =>
    reader.convNorm(`${name}.conv`, `${name}.bn`, kernel, { eps });
  const levels = widths.map((out, l): Level<ConvWeights> => {
    const { a, b } = levelConvs(l, config);
    const level = { a: norm(a), b: norm(b) };
    return l === 0 ? level : { ...level, skip: reader.conv(`levels.${l}.skip`, [out, widths[l - 1], 1, 1]) };
  });
  const params = {
    levels,
    encoders: descriptorLevels.map((l) => reader.conv(`encoders.${l}`, [dim, widths[l], 1, 1])),
    attention: {
      taps: scoreLevels.map((l) => reader.conv(`attention.taps.${l}`, [width, widths[l], 1, 1])),
      fuse: norm({ name: "attention.fuse", kernel: [width, width, 3, 3] }),
      out: reader.conv("attention.out", [attentionOutputs(config), width, 1, 1]),
    },
  };
  reader.finish();
  return params;
}

export interface StrataOutputs {
  /** Encoded maps of the descriptor's levels, by name map1…map4: [N, dim, H/2ˡ, W/2ˡ]. */
  [name: string]: Arr;
  /** Repeatability and reliability [N, 2, H, W], each in 0..1; the score is their product. */
  attention: Arr;
  score: Arr;
}

export interface StrataMaps {
  /** [N, 2, H, W]. */
  attention: Arr;
  /** [N, 1, H, W]. */
  score: Arr;
  /** Activations of the descriptor's levels, not yet encoded: [N, C, H/2ˡ, W/2ˡ]. */
  levels: Arr[];
}

/** The network up to its score. */
export function strataMaps(
  { image, params }: { image: Arr; params: StrataParams<Conv> },
  { join, half, descriptorLevels, scoreLevels }: StrataForm,
): StrataMaps {
  const maps: Arr[] = [];
  let x = image;
  for (const [l, { a, b, skip }] of params.levels.entries()) {
    if (skip) {
      const pooled = half && l === 1 ? x : averagePool2(x);
      const inner = conv2d(relu(conv2d(pooled.ref, a, { padding: 1 })), b, { padding: 1 });
      x = relu(inner.add(conv2d(pooled, skip)));
    } else {
      x = relu(conv2d(relu(conv2d(x, a, { padding: 1 })), b, { padding: 1, stride: half ? 2 : 1 }));
    }
    maps.push(x.ref);
  }
  x.dispose();
  const taps = maps.map((map, l) => {
    const tap = params.attention.taps[scoreLevels.indexOf(l)];
    return tap && conv2d(map.ref, tap);
  });
  const levels = descriptorLevels.map((l) => maps[l].ref);
  for (const map of maps) map.dispose();
  const fused = relu(conv2d(relu(joinTaps(taps, join, half)), params.attention.fuse, { padding: 1 }));
  const values = sigmoid(conv2d(fused, params.attention.out));
  const each = half ? 4 : 1;
  const score = values.ref.slice([], [0, each]).mul(values.ref.slice([], [each, 2 * each]));
  return { attention: atPixels(values, half), score: atPixels(score, half), levels };
}

/** What the score head gives per cell of level 0, at every pixel. */
export const atPixels = (values: Arr, half: boolean): Arr => (half ? pixelShuffle2(values) : values);

/**
 * The sum of all taps [N, C, h, w], one per level or none, as large as level 0. "direct" enlarges each by itself.
 * "cascade" begins with the deepest and enlarges the sum before each next one: nearly the same, with one map of level
 * 0's size instead of four.
 */
export function joinTaps(taps: readonly (Arr | undefined)[], join: StrataForm["join"], half: boolean): Arr {
  const enlarge = (x: Arr, from: number, to: number) => {
    const factor = cellSize(from, half) / cellSize(to, half);
    return factor === 1 ? x : upsample(x, factor, "half_pixel");
  };
  const plus = (sum: Arr | undefined, tap: Arr | undefined) => (sum && tap ? tap.add(sum) : (tap ?? sum));
  let sum: Arr | undefined;
  for (let l = taps.length - 1; l >= 0; l--) {
    const tap = taps[l];
    if (join === "direct") sum = plus(tap && enlarge(tap, l, 0), sum);
    else sum = plus(sum && enlarge(sum, l + 1, l), tap);
  }
  if (!sum) throw new RangeError("joinTaps: no level has a tap");
  return sum;
}

/** The dense pass on a normalised image [N, 3, H, W], H and W multiples of 16. */
export function strataNetwork(form: StrataForm) {
  return (inputs: { image: Arr; params: StrataParams<Conv> }): StrataOutputs => {
    const { attention, score, levels } = strataMaps(inputs, form);
    const encoded = inputs.params.encoders.map((encoder, i) => conv2d(levels[i], encoder));
    const maps = Object.fromEntries(encoded.map((map, i) => [`map${form.descriptorLevels[i]}`, map]));
    return { attention, score, ...maps };
  };
}
