/** From 8-bit RGB pixels to the network's input: [3, H, W] float32, preprocessed. */
import type { Image } from "../image/image.js";

/** channel c of the input = (pixel[order[c]] − mean[c]) · scale[c]. */
export interface Preprocessing {
  order: readonly [number, number, number];
  mean: readonly number[];
  scale: readonly number[];
}

export const PREPROCESSINGS = ["torch", "caffe", "none"] as const;
export type PreprocessingName = (typeof PREPROCESSINGS)[number];

/** How images are prepared for a backbone: torchvision's, Caffe's (BGR), or not at all. reference.md §1. */
export const preprocessings: Record<PreprocessingName, Preprocessing> = {
  torch: fromUnit([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
  caffe: { order: [2, 1, 0], mean: [103.939, 116.779, 123.68], scale: [1, 1, 1] },
  none: { order: [0, 1, 2], mean: [0, 0, 0], scale: [1, 1, 1] },
};

/** (pixel / 255 − mean) / std. */
export function fromUnit(mean: readonly number[], std: readonly number[]): Preprocessing {
  return { order: [0, 1, 2], mean: mean.map((m) => 255 * m), scale: std.map((s) => 1 / (255 * s)) };
}

/** Fills `out` (length 3·width·height) with the planes of the preprocessed image. A table per channel: 256 divisions. */
export function imageToPlanes(image: Image, { order, mean, scale }: Preprocessing, out: Float32Array): Float32Array {
  const { data, width, height } = image;
  const n = width * height;
  const [t0, t1, t2] = order.map((_, c) => Float32Array.from({ length: 256 }, (_, v) => (v - mean[c]) * scale[c]));
  const [p0, p1, p2] = order;
  // All channels in one pass: the pixels are read once.
  for (let i = 0, p = 0; i < n; i++, p += 3) {
    out[i] = t0[data[p + p0]];
    out[n + i] = t1[data[p + p1]];
    out[2 * n + i] = t2[data[p + p2]];
  }
  return out;
}
