/**
 * strata-s: the default network. Five levels of a small convolutional network; the score head reads all of them at full
 * resolution, the descriptor is the sum of what four encoders see at the keypoint. See models/strata-s/CARD.md.
 */
import type { Join, StrataConfig } from "./config.js";
import { type Arr, averagePool2, type Conv, conv2d, relu, sigmoid, upsample } from "./layers.js";
import type { ConvWeights, WeightReader } from "./weights.js";

interface Level<C> {
  a: C;
  b: C;
  /** Absent at level 0, which is no residual block. */
  skip?: C;
}

export interface StrataParams<C> {
  levels: Level<C>[];
  /** Encoders of levels 1…4. */
  encoders: C[];
  attention: { taps: C[]; fuse: C; out: C };
}

/** Takes the weights out of a file; batch norm is folded into the convolutions. */
export function readStrataParams(reader: WeightReader, config: StrataConfig): StrataParams<ConvWeights> {
  const { widths, descriptorDim: dim, attentionWidth: width, bnEps: eps } = config;
  const norm = (name: string, out: number, from: number) =>
    reader.convNorm(`${name}.conv`, `${name}.bn`, [out, from, 3, 3], { eps });
  const levels = widths.map((out, l): Level<ConvWeights> => {
    const from = l === 0 ? 3 : widths[l - 1];
    const level = { a: norm(`levels.${l}.a`, out, from), b: norm(`levels.${l}.b`, out, out) };
    return l === 0 ? level : { ...level, skip: reader.conv(`levels.${l}.skip`, [out, from, 1, 1]) };
  });
  const params = {
    levels,
    encoders: widths.slice(1).map((from, i) => reader.conv(`encoders.${i + 1}`, [dim, from, 1, 1])),
    attention: {
      taps: widths.map((from, l) => reader.conv(`attention.taps.${l}`, [width, from, 1, 1])),
      fuse: norm("attention.fuse", width, width),
      out: reader.conv("attention.out", [2, width, 1, 1]),
    },
  };
  reader.finish();
  return params;
}

export interface StrataOutputs {
  [name: string]: Arr;
  /** Repeatability and reliability [N, 2, H, W], each in 0..1; the score is their product. */
  attention: Arr;
  score: Arr;
  /** Encoded maps of levels 1…4: [N, dim, H/2ˡ, W/2ˡ]. */
  map1: Arr;
  map2: Arr;
  map3: Arr;
  map4: Arr;
}

export interface StrataMaps {
  /** [N, 2, H, W]. */
  attention: Arr;
  /** [N, 1, H, W]. */
  score: Arr;
  /** Activations of levels 1…4, not yet encoded: [N, C, H/2ˡ, W/2ˡ]. */
  levels: Arr[];
}

/** The network up to its score. */
export function strataMaps({ image, params }: { image: Arr; params: StrataParams<Conv> }, join: Join): StrataMaps {
  const maps: Arr[] = [];
  let x = image;
  for (const { a, b, skip } of params.levels) {
    if (skip) {
      const pooled = averagePool2(x);
      const inner = conv2d(relu(conv2d(pooled.ref, a, { padding: 1 })), b, { padding: 1 });
      x = relu(inner.add(conv2d(pooled, skip)));
    } else {
      x = relu(conv2d(relu(conv2d(x, a, { padding: 1 })), b, { padding: 1 }));
    }
    maps.push(x.ref);
  }
  x.dispose();
  const taps = params.attention.taps.map((tap, l) => conv2d(maps[l].ref, tap));
  const fused = relu(conv2d(relu(joinTaps(taps, join)), params.attention.fuse, { padding: 1 }));
  const attention = sigmoid(conv2d(fused, params.attention.out));
  const score = attention.ref.slice([], [0, 1]).mul(attention.ref.slice([], [1, 2]));
  maps[0].dispose();
  return { attention, score, levels: maps.slice(1) };
}

/**
 * The sum of all taps [N, C, H/2ˡ, W/2ˡ] at full resolution. "direct" enlarges each by itself. "cascade" begins with the
 * deepest and doubles the sum before each next one: nearly the same, with one map as large as the image instead of four.
 */
export function joinTaps(taps: readonly Arr[], join: Join): Arr {
  if (join === "cascade") {
    return taps.reduceRight((sum, tap) => tap.add(upsample(sum, 2, "half_pixel")));
  }
  return taps.map((tap, l) => (l === 0 ? tap : upsample(tap, 2 ** l, "half_pixel"))).reduce((sum, tap) => sum.add(tap));
}

/** The dense pass on a normalised image [N, 3, H, W], H and W multiples of 16. */
export function strataNetwork(join: Join) {
  return (inputs: { image: Arr; params: StrataParams<Conv> }): StrataOutputs => {
    const { attention, score, levels } = strataMaps(inputs, join);
    const [map1, map2, map3, map4] = inputs.params.encoders.map((encoder, i) => conv2d(levels[i], encoder));
    return { attention, score, map1, map2, map3, map4 };
  };
}
