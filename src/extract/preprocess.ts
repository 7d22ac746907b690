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
  for (let c = 0; c < 3; c++) {
    const table = Float32Array.from({ length: 256 }, (_, v) => (v - mean[c]) * scale[c]);
    const plane = out.subarray(c * n, (c + 1) * n);
    for (let i = 0, p = order[c]; i < n; i++, p += 3) plane[i] = table[data[p]];
  }
  return out;
}
