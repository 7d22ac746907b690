/** Features in few bytes, as files keep them: descriptors in 8 bits a value, places in 16 bits a coordinate. */
import type { FloatFeatures } from "./features.js";

/** A descriptor's values as signed bytes, by the largest of them, and back: what a file keeps, so that both track alike. */
export function descriptorBytes({
  descriptors,
  count,
  dim,
}: Pick<FloatFeatures, "descriptors" | "count" | "dim">): Int8Array<ArrayBuffer> {
  const bytes = new Int8Array(count * dim);
  for (let i = 0; i < count; i++) {
    let largest = 0;
    for (let k = i * dim; k < (i + 1) * dim; k++) largest = Math.max(largest, Math.abs(descriptors[k]));
    for (let k = i * dim; k < (i + 1) * dim; k++)
      bytes[k] = largest > 0 ? Math.round((127 * descriptors[k]) / largest) : 0;
  }
  return bytes;
}

/** Unit rows of signed bytes. */
export function descriptorFloats(bytes: Int8Array, count: number, dim: number): Float32Array {
  const floats = new Float32Array(count * dim);
  for (let i = 0; i < count; i++) {
    let square = 0;
    for (let k = i * dim; k < (i + 1) * dim; k++) square += bytes[k] * bytes[k];
    const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let k = i * dim; k < (i + 1) * dim; k++) floats[k] = scale * bytes[k];
  }
  return floats;
}

/** Steps of a keypoint's coordinate over an edge of the image. */
const STEPS = 65535;

/** Keypoints as whole steps from the image's left and upper border (−½) to its right and lower one. */
export function placesFromPixels(keypoints: Float32Array, [width, height]: readonly [number, number]): Uint16Array {
  return Uint16Array.from(keypoints, (value, k) => {
    const share = (value + 0.5) / (k & 1 ? height : width);
    return Math.round(STEPS * Math.min(1, Math.max(0, share)));
  });
}

export function placesToPixels(places: Uint16Array, [width, height]: readonly [number, number]): Float32Array {
  return Float32Array.from(places, (value, k) => (value / STEPS) * (k & 1 ? height : width) - 0.5);
}
