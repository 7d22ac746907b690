/**
 * ResNet v1.5 backbones (He et al. 2016; stride in the 3×3 of a bottleneck), always in inference mode, batch norm folded
 * into the convolutions. Three taps leave it: early (layer 2), middle (layer 3), deep (layer 4).
 */
import type { Arr, Conv } from "./operators.js";
import { conv2d, maxPool3, relu } from "./operators.js";
import type { ConvWeights, WeightReader } from "./weights.js";

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

interface Block<C> {
  /** Two 3×3 convolutions, or the three of a bottleneck. */
  convs: C[];
  /** 1×1 convolution of the shortcut, where shape or stride changes. */
  down?: C;
}

export interface ResnetParams<C> {
  stem: C;
  layers: Block<C>[][];
}

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

/** Takes the weights in torchvision's names (under `prefix`) out of a file. */
export function readResnetParams(reader: WeightReader, prefix: string, depth: Depth): ResnetParams<ConvWeights> {
  const statistics = ["running_mean", "running_var"];
  const norm = (conv: string, bn: string, shape: [number, number, number, number]) =>
    reader.convNorm(`${prefix}${conv}`, `${prefix}${bn}`, shape, { statistics });
  let from = 64;
  const layers = BLOCKS[depth].map((count, l) =>
    Array.from({ length: count }, (_, b): Block<ConvWeights> => {
      const at = `layer${l + 1}.${b}`;
      const width = WIDTHS[l];
      const out = width * expansion(depth);
      const shapes: [number, number, number, number][] = isBottleneck(depth)
        ? [
            [width, from, 1, 1],
            [width, width, 3, 3],
            [out, width, 1, 1],
          ]
        : [
            [width, from, 3, 3],
            [width, width, 3, 3],
          ];
      const convs = shapes.map((shape, i) => norm(`${at}.conv${i + 1}`, `${at}.bn${i + 1}`, shape));
      const changes = b === 0 && (l > 0 || from !== out);
      const block = changes
        ? { convs, down: norm(`${at}.downsample.0`, `${at}.downsample.1`, [out, from, 1, 1]) }
        : { convs };
      from = out;
      return block;
    }),
  );
  return { stem: norm("conv1", "bn1", [64, 3, 7, 7]), layers };
}

/** [N, 3, H, W] → maps of layers 2, 3 and 4, after their last ReLU. */
export function resnetTaps(image: Arr, params: ResnetParams<Conv>, options: ResnetOptions): [Arr, Arr, Arr] {
  const { firstStride, replaceStrideWithDilation } = options;
  const stem = { stride: firstStride, padding: 3, dilation: firstStride === 1 ? 2 : 1 };
  let x = maxPool3(relu(conv2d(image, params.stem, stem)));
  let dilation = 1;
  const taps: Arr[] = [];
  params.layers.forEach((blocks, l) => {
    const before = dilation;
    const stride = l === 0 || replaceStrideWithDilation ? 1 : 2;
    if (l > 0 && replaceStrideWithDilation) dilation *= 2;
    blocks.forEach((block, b) => {
      // As in torchvision, the first block of a dilated layer keeps the dilation of the layer before.
      x = residual(x, block, b === 0 ? stride : 1, b === 0 ? before : dilation);
    });
    if (l > 0) taps.push(x.ref);
  });
  x.dispose();
  return taps as [Arr, Arr, Arr];
}

function residual(x: Arr, { convs, down }: Block<Conv>, stride: number, dilation: number): Arr {
  const shortcut = down ? conv2d(x.ref, down, { stride }) : x.ref;
  if (convs.length === 3) {
    const narrow = relu(conv2d(x, convs[0]));
    const wide = relu(conv2d(narrow, convs[1], { stride, padding: dilation, dilation }));
    return relu(conv2d(wide, convs[2]).add(shortcut));
  }
  // A basic block has its stride in the first convolution. Both are dilated; torchvision offers no dilated basic blocks.
  const first = relu(conv2d(x, convs[0], { stride, padding: dilation, dilation }));
  return relu(conv2d(first, convs[1], { padding: dilation, dilation }).add(shortcut));
}
