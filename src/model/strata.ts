/**
 * The default family's network (strata-s, strata-xs, strata-t, strata-s0): five levels of small convolutions; the score head reads
 * all of them at full or half resolution, encoders add up what the descriptor sees. See models/strata-s/CARD.md. This is
 * the one place that knows its layers.
 */
import type { Stem, StrataConfig } from "./config.js";
import type { Kernel, Layer, Layers, Norm } from "./layers/layers.js";
import { type Arr, averagePool2, pixelShuffle2, relu, upsample } from "./operators.js";
import { enlarged, farthest, PIXEL, type Reach, split, united, windowed } from "./reach.js";
import type { ScoreNetwork } from "./score-network.js";

/** What of a configuration is the network. */
export type StrataShape = Pick<
  StrataConfig,
  | "widths"
  | "innerWidths"
  | "stem"
  | "descriptorDim"
  | "descriptorLevels"
  | "attentionWidth"
  | "scoreLevels"
  | "join"
  | "bnEps"
>;

/** What a batch counts in running statistics. Batches are small: a tenth, as is usual, leaves the noise of eight views. */
const MOMENTUM = 0.02;

/** A tensor that every strata has, and no other network. */
export const STRATA_MARK = "levels.0.a.conv.weight";

/** Names of layers that may be left out. */
export const encoderOf = (level: number): string => `encoders.${level}`;
export const tapOf = (level: number): string => `attention.taps.${level}`;
/** The score head's last layer, and how many values it gives for a cell of level 0: two for each of its pixels. */
export const HEAD = "attention.out";
export const headOutputs = (shape: Pick<StrataShape, "stem">): number => (isHalved(shape) ? 8 : 2);

/** Whether level 0 ends at half of the image's resolution, as large as level 1. */
const isHalved = ({ stem = "full" }: Pick<StrataShape, "stem">): boolean => stem !== "full";

/** A convolution with a norm behind it: its name, its kernel's shape, and its stride. */
export interface LevelConv {
  name: string;
  kernel: Kernel;
  stride: 1 | 2;
}

/** The two convolutions of a level. A stride of 2 goes with 4×4 kernels, whose middle is the cell's. */
export function levelConvs(
  level: number,
  { widths, innerWidths = widths, stem }: Pick<StrataShape, "widths" | "innerWidths" | "stem">,
): { a: LevelConv; b: LevelConv } {
  const [out, inner, from] = [widths[level], innerWidths[level], level === 0 ? 3 : widths[level - 1]];
  const conv = (part: "a" | "b", to: number, channels: number, halves: Stem): LevelConv => {
    const stride = level === 0 && stem === halves ? 2 : 1;
    const side = stride === 2 ? 4 : 3;
    return { name: `levels.${level}.${part}`, kernel: [to, channels, side, side], stride };
  };
  return { a: conv("a", inner, from, "early"), b: conv("b", out, inner, "half") };
}

/** The network of that shape. */
export function strataNetwork(layers: Layers, shape: StrataShape): ScoreNetwork {
  const { widths, descriptorDim: dim, attentionWidth: width, join = "direct", bnEps } = shape;
  const { descriptorLevels = [1, 2, 3, 4], scoreLevels = [0, 1, 2, 3, 4] } = shape;
  const half = isHalved(shape);
  const style: Norm = { eps: bnEps, statistics: ["mean", "var"], momentum: MOMENTUM, bias: false };
  const normed = ({ name, kernel, stride }: LevelConv): Layer =>
    layers.convNorm(`${name}.conv`, `${name}.bn`, kernel, style, { padding: 1, stride });
  const levels = widths.map((out, l) => {
    const { a, b } = levelConvs(l, shape);
    const level = { a: normed(a), b: normed(b) };
    return l === 0 ? level : { ...level, skip: layers.conv(`levels.${l}.skip`, [out, widths[l - 1], 1, 1]) };
  });
  const encoders = descriptorLevels.map((l) => layers.conv(encoderOf(l), [dim, widths[l], 1, 1]));
  const taps = new Map(scoreLevels.map((l) => [l, layers.conv(tapOf(l), [width, widths[l], 1, 1])]));
  const fuse = normed({ name: "attention.fuse", kernel: [width, width, 3, 3], stride: 1 });
  const out = layers.conv(HEAD, [headOutputs(shape), width, 1, 1]);
  return {
    levels: descriptorLevels,
    reach: strataReach(shape),
    encoders,
    atPixels: (values) => (half ? pixelShuffle2(values) : values),
    maps(image) {
      const maps: Arr[] = [];
      let x = image;
      for (const [l, level] of levels.entries()) {
        if ("skip" in level) {
          // At half resolution level 1 is as large as level 0.
          const pooled = half && l === 1 ? x : averagePool2(x);
          const inner = level.b(relu(level.a(pooled.ref)));
          x = relu(inner.add(level.skip(pooled)));
        } else {
          x = relu(level.b(relu(level.a(x))));
        }
        maps.push(x.ref);
      }
      x.dispose();
      const tapped = maps.map((map, l) => taps.get(l)?.(map.ref));
      const seen = descriptorLevels.map((l) => maps[l].ref);
      for (const map of maps) map.dispose();
      const joined = joinTaps(tapped, join, half, {
        add: (sum, tap) => tap.add(sum),
        enlarge: (x, factor) => upsample(x, factor, "half_pixel"),
      });
      const fused = relu(fuse(relu(joined)));
      return { levels: seen, logits: out(fused) };
    },
  };
}

/** The farthest pixel on which a score or a sampled descriptor depends, from its position: the walk of `maps` above. */
function strataReach(shape: StrataShape): number {
  const { widths, join = "direct" } = shape;
  const { descriptorLevels = [1, 2, 3, 4], scoreLevels = [0, 1, 2, 3, 4] } = shape;
  const half = isHalved(shape);
  const behind = (x: Reach, { kernel, stride }: LevelConv) => windowed(x, kernel[2], { stride, padding: 1 });
  const maps: Reach[] = [];
  let x = PIXEL;
  for (const l of widths.keys()) {
    const { a, b } = levelConvs(l, shape);
    const pooled = l === 0 || (half && l === 1) ? x : windowed(x, 2, { stride: 2 });
    const inner = behind(behind(pooled, a), b);
    x = l === 0 ? inner : united(inner, pooled);
    maps.push(x);
  }
  const tapped = maps.map((map, l) => (scoreLevels.includes(l) ? map : undefined));
  const fused = windowed(joinTaps(tapped, join, half, { add: united, enlarge: enlarged }), 3, { padding: 1 });
  const score = half ? split(fused, 2) : fused;
  return Math.max(farthest(score), ...descriptorLevels.map((l) => farthest(maps[l])));
}

/**
 * The sum of all taps [N, C, h, w], one per level or none, as large as level 0. "direct" enlarges each by itself.
 * "cascade" begins with the deepest and enlarges the sum before each next one: nearly the same, with one map of level
 * 0's size instead of four.
 */
function joinTaps<T>(
  taps: readonly (T | undefined)[],
  join: StrataConfig["join"],
  half: boolean,
  { add, enlarge }: { add(sum: T, tap: T): T; enlarge(x: T, factor: number): T },
): T {
  /** Pixels per cell of a level, across and down. */
  const cellSize = (level: number): number => 2 ** (half ? Math.max(1, level) : level);
  const enlargeTo = (x: T, from: number, to: number) => {
    const factor = cellSize(from) / cellSize(to);
    return factor === 1 ? x : enlarge(x, factor);
  };
  const plus = (sum: T | undefined, tap: T | undefined) => (sum && tap ? add(sum, tap) : (tap ?? sum));
  let sum: T | undefined;
  for (let l = taps.length - 1; l >= 0; l--) {
    const tap = taps[l];
    if (join === "direct") sum = plus(tap && enlargeTo(tap, l, 0), sum);
    else sum = plus(sum && enlargeTo(sum, l + 1, l), tap);
  }
  if (!sum) throw new RangeError("joinTaps: no level has a tap");
  return sum;
}
