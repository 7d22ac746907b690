/**
 * Grey pictures in few bytes: values in steps of four levels (an error of at most two, less than a camera's noise),
 * each predicted from its neighbours (the median predictor of JPEG-LS; Weinberger, Seroussi, Sapiro 2000), deflated.
 */
import { deflateSync, Inflate } from "fflate";
import { FormatError } from "../errors.js";
import { ByteReader } from "../formats/bytes.js";
import type { Grey } from "./pyramid.js";

const STEP = 4;
/** Edges above this are no target's. */
const MOST_EDGE = 1024;

/** The picture as bytes: width, height (16 bits each), then deflated differences. */
export function packPicture({ width, height, data }: Grey): Uint8Array {
  const steps = Uint8Array.from(data, (value) => Math.round(value / STEP));
  const rest = new Uint8Array(steps.length);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) rest[at] = folded(steps[at] - predicted(steps, x, y, width));
  }
  const packed = deflateSync(rest, { level: 9 });
  const bytes = new Uint8Array(4 + packed.length);
  new DataView(bytes.buffer).setUint16(0, width, true);
  new DataView(bytes.buffer).setUint16(2, height, true);
  bytes.set(packed, 4);
  return bytes;
}

/** The picture of `packPicture`; FormatError, which names `where`, for other bytes. */
export function unpackPicture(where: string, bytes: Uint8Array): Grey {
  const reader = new ByteReader(where, bytes);
  const width = reader.u16("the picture's width");
  const height = reader.u16("the picture's height");
  if (width === 0 || height === 0 || width > MOST_EDGE || height > MOST_EDGE) {
    throw new FormatError(`${where}: a picture of ${width}×${height} pixels cannot be; the file is damaged`);
  }
  const rest = inflate(where, reader.take(reader.left, "the picture"), width * height);
  const data = new Uint8Array(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      data[at] = (predicted(data, x, y, width) + unfolded(rest[at])) & 255;
    }
  }
  for (let at = 0; at < data.length; at++) data[at] = Math.min(255, STEP * data[at]);
  return { width, height, data };
}

/** Exactly `size` bytes, and never more memory than that takes. */
function inflate(where: string, packed: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  const inflater = new Inflate((chunk) => {
    if (at + chunk.length <= size) out.set(chunk, at);
    at += chunk.length;
  });
  try {
    // In pieces, so that a bomb is noticed before it is large.
    for (let from = 0; from < packed.length && at <= size; from += 4096) {
      inflater.push(packed.subarray(from, from + 4096), from + 4096 >= packed.length);
    }
  } catch (cause) {
    throw new FormatError(`${where}: the picture cannot be unpacked; the file is truncated or damaged`, { cause });
  }
  if (at !== size) {
    throw new FormatError(`${where}: the picture has ${at} pixels, expected ${size}; the file is truncated or damaged`);
  }
  return out;
}

/** From the pixels to the left, above, and above to the left. */
function predicted(values: Uint8Array, x: number, y: number, width: number): number {
  const at = y * width + x;
  if (x === 0) return y === 0 ? 0 : values[at - width];
  const left = values[at - 1];
  if (y === 0) return left;
  const above = values[at - width];
  const corner = values[at - width - 1];
  if (corner >= Math.max(left, above)) return Math.min(left, above);
  return corner <= Math.min(left, above) ? Math.max(left, above) : left + above - corner;
}

/** Small differences of either sign as small numbers: 0, −1, 1, −2, … */
const folded = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
const unfolded = (value: number): number => (value & 1 ? -(value + 1) / 2 : value / 2);
