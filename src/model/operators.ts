/**
 * What networks are made of, on jax-js arrays, NCHW float32. Each operator consumes its inputs; whoever needs one again
 * passes `.ref`.
 */
import type { numpy } from "@jax-js/jax";
import { type FusedCall, fused } from "../graph/fused.js";
import { lax, nn, np } from "../graph/jax.js";

export type Arr = numpy.Array;

/** Kernel [out, in, kh, kw] and bias [out]. */
export interface Conv {
  weight: Arr;
  bias: Arr;
}

export interface ConvOptions {
  stride?: number;
  /** Zeros on every side. */
  padding?: number;
  dilation?: number;
}

/** 2-D convolution without a bias: [N, in, H, W] by [out, in, kh, kw] → [N, out, H′, W′]. */
export function convolve(x: Arr, kernel: Arr, { stride = 1, padding = 0, dilation = 1 }: ConvOptions = {}): Arr {
  const pad: [number, number] = [padding, padding];
  return lax.convGeneralDilated(x, kernel, [stride, stride], [pad, pad], { rhsDilation: [dilation, dilation] });
}

/** 2-D convolution with a bias. */
export const conv2d = (x: Arr, { weight, bias }: Conv, options?: ConvOptions): Arr =>
  convolve(x, weight, options).add(bias.reshape([1, -1, 1, 1]));

/** 1×1 transposed convolution: [N, from, H, W] → [N, to, H, W]; its kernel is [from, to, 1, 1]. */
export function decode1x1(x: Arr, { weight, bias }: Conv): Arr {
  return conv2d(x, { weight: weight.transpose([1, 0, 2, 3]), bias });
}

export const relu = (x: Arr): Arr => np.maximum(x, 0);

/** Mean of each 2×2 block: [N, C, H, W] → [N, C, ⌊H/2⌋, ⌊W/2⌋]. */
export function averagePool2(x: Arr): Arr {
  return lax.reduceWindow(x, (window) => np.mean(window), [2, 2], [2, 2]);
}

/** Four channels become the four pixels of a cell, row by row: [N, 4·C, H, W] → [N, C, 2·H, 2·W]. */
export const pixelShuffle2 = fused({
  name: "depthToSpace",
  definition: (x: Arr) => {
    const [n, channels, h, w] = x.shape;
    return x
      .reshape([n, channels / 4, 2, 2, h, w])
      .transpose([0, 1, 4, 2, 5, 3])
      .reshape([n, channels / 4, 2 * h, 2 * w]);
  },
  // CRD: a channel's own pixels lie side by side, row by row.
  lower: ({ builder, argument }) => builder.node("DepthToSpace", [argument(0)], { blocksize: 2, mode: "CRD" }),
});

/** Largest of each 3×3 window, stride 2, one position of padding: the stem pooling of a ResNet; x must be ≥ 0. */
export function maxPool3(x: Arr): Arr {
  const padded = np.pad(x, [
    [0, 0],
    [0, 0],
    [1, 1],
    [1, 1],
  ]);
  return lax.reduceWindow(padded, (window) => np.max(window), [3, 3], [2, 2]);
}

export const sigmoid = fused({
  name: "sigmoid",
  definition: (x: Arr) => np.reciprocal(np.exp(x.neg()).add(1)),
  lower: "Sigmoid",
});

/** Softmax along the last of three axes. */
export const softmaxLast = fused({
  name: "softmax",
  definition: (x: Arr) => nn.softmax(x, 2),
  lower: ({ builder, argument }) => builder.node("Softmax", [argument(0)], { axis: 2 }),
});

/** log(1 + eˣ), written so that large x do not overflow. */
export const softplus = fused({
  name: "softplus",
  definition: (x: Arr) => np.maximum(x.ref, 0).add(np.log1p(np.exp(np.abs(x).neg()))),
  lower: "Softplus",
});

/** Where bilinear resizing puts pixel centres. */
export type Alignment = "half_pixel" | "align_corners";

/** Bilinear enlargement of the last two axes by a whole factor. */
export function upsample(x: Arr, factor: number, alignment: Alignment): Arr {
  const resize = fused({
    name: "resize",
    params: { factor, alignment },
    definition: (map: Arr) => {
      const [, , h, w] = map.shape;
      const stretch = (from: number) =>
        np
          .array(interpolation(from, from * factor, alignment))
          .reshape([from * factor, from])
          .transpose([1, 0]);
      const wide = np.matmul(map, stretch(w)).transpose([0, 1, 3, 2]);
      return np.matmul(wide, stretch(h)).transpose([0, 1, 3, 2]);
    },
    lower: lowerResize,
  });
  return resize(x);
}

/** By factors, not to sizes, so that any map size fits. */
function lowerResize({ builder, params: { factor, alignment }, argument }: FusedCall): string {
  const scales = builder.constant("float32", [4], Float32Array.of(1, 1, Number(factor), Number(factor)), "scales");
  const attributes = { mode: "linear", coordinate_transformation_mode: String(alignment) };
  return builder.node("Resize", [argument(0), "", scales], attributes);
}

/** Row-major [to, from] matrix of linear interpolation. */
function interpolation(from: number, to: number, alignment: Alignment): Float32Array<ArrayBuffer> {
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const exact = alignment === "half_pixel" ? ((i + 0.5) * from) / to - 0.5 : to > 1 ? (i * (from - 1)) / (to - 1) : 0;
    const position = Math.min(Math.max(exact, 0), from - 1);
    const low = Math.floor(position);
    const high = Math.min(low + 1, from - 1);
    matrix[i * from + low] += 1 - (position - low);
    matrix[i * from + high] += position - low;
  }
  return matrix;
}

/** Unit length along channels: [N, C, H, W] / max(‖·‖, ε). */
export function normalizeChannels(x: Arr, eps = 1e-12): Arr {
  const norm = np.sqrt(np.sum(np.square(x.ref), 1, { keepdims: true }));
  return x.div(np.maximum(norm, eps));
}
