/**
 * ResNet v1.5 backbones (He et al. 2016; stride in the 3×3 of a bottleneck), always in inference mode, batch norm folded
 * into the convolutions. Three taps leave it: early (layer 2), middle (layer 3), deep (layer 4).
 */
import { FormatError } from "../errors.js";
import type { Tensors } from "./checkpoint.js";
import { type Kernel, type Layer, type Layers, TORCH_NORM } from "./layers/layers.js";
import { type Arr, type ConvOptions, maxPool3, relu } from "./operators.js";
import type { WeightReader } from "./weights.js";

export const DEPTHS = [18, 34, 50, 101] as const;
export type Depth = (typeof DEPTHS)[number];

/** Blocks of layers 1 to 4. */
export const BLOCKS: Record<Depth, readonly number[]> = {
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
};
const WIDTHS = [64, 128, 256, 512];

/** Whether its blocks have three convolutions. */
export const isBottleneck = (depth: Depth): boolean => depth >= 50;
const expansion = (depth: Depth): number => (isBottleneck(depth) ? 4 : 1);

/** Channels of the early, middle and deep tap. */
export function tapChannels(depth: Depth): [number, number, number] {
  const [, early, middle, deep] = WIDTHS.map((width) => width * expansion(depth));
  return [early, middle, deep];
}

export interface ResnetOptions {
  /** 2 is the ordinary ResNet; at 1 the stem convolution has stride 1 and dilation 2, so a map loses 6 pixels. */
  firstStride: 1 | 2;
  /** The strides of layers 2, 3 and 4 become dilations, so that all maps keep the size of layer 1's. */
  replaceStrideWithDilation: boolean;
}

/** The ResNet as it is trained: stride 2 in the stem, strides kept. */
export const ORDINARY = { firstStride: 2, replaceStrideWithDilation: false } as const satisfies ResnetOptions;

/** Depth of the ResNet whose tensors lie under `prefix`, told by its blocks. */
export function resnetDepth(reader: WeightReader, prefix: string): Depth | null {
  const depth = DEPTHS.find((d) => {
    const counts = BLOCKS[d];
    const all = counts.every((n, l) => reader.has(`${prefix}layer${l + 1}.${n - 1}.conv1.weight`));
    const none = counts.every((n, l) => !reader.has(`${prefix}layer${l + 1}.${n}.conv1.weight`));
    return all && none && reader.has(`${prefix}layer1.0.conv3.weight`) === isBottleneck(d);
  });
  return depth ?? null;
}

/**
 * The depth of the ResNet under `prefix`, told by how many blocks its layers have, also where some tensors are missing. A
 * FormatError says the blocks that were found where they are those of none.
 */
export function depthUnder(where: string, tensors: Tensors, prefix: string): Depth {
  const counts = [0, 0, 0, 0];
  let bottlenecks = false;
  for (const name of tensors.keys()) {
    if (!name.startsWith(prefix)) continue;
    const [, layer, block, rest] = /^layer([1-4])\.(\d{1,4})\.(.+)$/.exec(name.slice(prefix.length)) ?? [];
    if (layer === undefined) continue;
    counts[Number(layer) - 1] = Math.max(counts[Number(layer) - 1], Number(block) + 1);
    bottlenecks ||= rest.startsWith("conv3.");
  }
  const depth = DEPTHS.find(
    (known) => isBottleneck(known) === bottlenecks && BLOCKS[known].every((count, i) => count === counts[i]),
  );
  if (depth !== undefined) return depth;
  throw new FormatError(
    `${where}: its layers have ${counts.join(", ")} ${bottlenecks ? "bottlenecks" : "basic blocks"}; expected those of ` +
      DEPTHS.map((known) => `ResNet-${known} (${BLOCKS[known].join(", ")})`).join(", "),
  );
}

/** Channels after the stem. */
const STEM = 64;

/**
 * The network in torchvision's names under `prefix`: an image [N, 3, H, W] to the maps of layers 2, 3 and 4, after their
 * last ReLU.
 */
export function resnet(
  layers: Layers,
  prefix: string,
  depth: Depth,
  { firstStride, replaceStrideWithDilation }: ResnetOptions,
): (image: Arr) => [early: Arr, middle: Arr, deep: Arr] {
  const normed = (conv: string, norm: string, kernel: Kernel, options: ConvOptions): Layer =>
    layers.convNorm(prefix + conv, prefix + norm, kernel, TORCH_NORM, options);
  const first = { stride: firstStride, padding: 3, dilation: firstStride === 1 ? 2 : 1 };
  const stem = normed("conv1", "bn1", [STEM, 3, 7, 7], first);
  let from = STEM;
  let dilation = 1;
  const stages = BLOCKS[depth].map((count, l) => {
    const before = dilation;
    const stride = l === 0 || replaceStrideWithDilation ? 1 : 2;
    if (l > 0 && replaceStrideWithDilation) dilation *= 2;
    const width = WIDTHS[l];
    const out = width * expansion(depth);
    return Array.from({ length: count }, (_, b): Layer => {
      const at = `layer${l + 1}.${b}`;
      // As in torchvision, the first block of a dilated layer keeps the dilation of the layer before.
      const own = b === 0 ? { stride, dilation: before } : { stride: 1, dilation };
      const convs = shapesOf(depth, from, width, own).map(([kernel, options], i) =>
        normed(`${at}.conv${i + 1}`, `${at}.bn${i + 1}`, kernel, options),
      );
      const changes = b === 0 && (l > 0 || from !== out);
      const down = changes
        ? normed(`${at}.downsample.0`, `${at}.downsample.1`, [out, from, 1, 1], { stride: own.stride })
        : null;
      from = out;
      return residual(convs, down);
    });
  });
  return (image) => {
    let x = maxPool3(relu(stem(image)));
    const taps: Arr[] = [];
    for (const [l, blocks] of stages.entries()) {
      for (const block of blocks) x = block(x);
      if (l > 0) taps.push(x.ref);
    }
    x.dispose();
    return taps as [Arr, Arr, Arr];
  };
}

/**
 * The convolutions of a block: three of a bottleneck, whose middle one has the stride, or two, of which the first has it.
 * Both of these are dilated; torchvision offers no dilated basic blocks.
 */
function shapesOf(
  depth: Depth,
  from: number,
  width: number,
  { stride, dilation }: { stride: number; dilation: number },
): [Kernel, ConvOptions][] {
  const padded = { padding: dilation, dilation };
  if (isBottleneck(depth)) {
    return [
      [[width, from, 1, 1], {}],
      [[width, width, 3, 3], { stride, ...padded }],
      [[width * expansion(depth), width, 1, 1], {}],
    ];
  }
  return [
    [[width, from, 3, 3], { stride, ...padded }],
    [[width, width, 3, 3], padded],
  ];
}

/** Convolutions beside a shortcut, which is a convolution where shape or stride changes. */
function residual(convs: readonly Layer[], down: Layer | null): Layer {
  return (x) => {
    const shortcut = down ? down(x.ref) : x.ref;
    const inner = convs.reduce((map, conv, i) => conv(i === 0 ? map : relu(map)), x);
    return relu(inner.add(shortcut));
  };
}
