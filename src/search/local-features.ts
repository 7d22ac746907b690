/**
 * The keypoints of an indexed image that geometry is verified with, best first, in a block of bytes: CRC-32 of what follows
 * (u32), their number (u32), the image's width and height (u32 each), keypoints (u16 pairs, steps over the image's edges),
 * descriptors (signed bytes). 300 keypoints of 64 values take 20 416 bytes.
 */
import { FormatError } from "../errors.js";
import type { FloatFeatures } from "../features.js";
import { crc32 } from "../formats/bytes.js";
import { descriptorBytes, descriptorFloats, placesFromPixels, placesToPixels } from "../packed.js";

const HEADER_BYTES = 16;
const MOST_EDGE = 1_000_000;

/** Bytes of a block of so many keypoints; a multiple of 4. */
export const localBytes = (count: number, dim: number): number => HEADER_BYTES + 4 * Math.ceil((count * (4 + dim)) / 4);

/** The best `most` keypoints as a block. */
export function packLocal(features: FloatFeatures, most: number): Uint8Array {
  const { dim, imageSize, keypoints } = features;
  const count = Math.min(most, features.count);
  const bytes = new Uint8Array(localBytes(count, dim));
  const view = new DataView(bytes.buffer);
  for (const [i, value] of [count, ...imageSize].entries()) view.setUint32(4 + 4 * i, value, true);
  for (const [i, place] of placesFromPixels(keypoints.subarray(0, 2 * count), imageSize).entries()) {
    view.setUint16(HEADER_BYTES + 2 * i, place, true);
  }
  const { descriptors } = features;
  bytes.set(new Uint8Array(descriptorBytes({ descriptors, count, dim }).buffer), HEADER_BYTES + 4 * count);
  view.setUint32(0, crc32(bytes.subarray(4)), true);
  return bytes;
}

/** Features of a block; FormatError for a damaged one. Scores fall evenly, for only their order is kept. */
export function unpackLocal(where: string, bytes: Uint8Array, dim: number): FloatFeatures {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = () => new FormatError(`${where}: the keypoints of an image are damaged`);
  if (bytes.length < HEADER_BYTES || crc32(bytes.subarray(4)) !== view.getUint32(0, true)) throw damaged();
  const [count, width, height] = [4, 8, 12].map((at) => view.getUint32(at, true));
  const isImage = [width, height].every((edge) => edge > 0 && edge <= MOST_EDGE);
  if (bytes.length !== localBytes(count, dim) || !isImage) throw damaged();
  const places = Uint16Array.from({ length: 2 * count }, (_, i) => view.getUint16(HEADER_BYTES + 2 * i, true));
  const from = HEADER_BYTES + 4 * count;
  const packed = new Int8Array(new Uint8Array(bytes.subarray(from, from + count * dim)).buffer);
  return {
    count,
    dim,
    imageSize: [width, height],
    keypoints: placesToPixels(places, [width, height]),
    scores: Float32Array.from({ length: count }, (_, i) => 1 - i / count),
    descriptors: descriptorFloats(packed, count, dim),
  };
}
