/**
 * What the descriptors of a file are, for files do not say. Their type decides: floats and other numbers are floats,
 * brought to length 1; bytes and booleans are bits, as OpenCV's ORB, AKAZE, BRISK, BRIEF, FREAK and LATCH have them. One
 * kind of bytes is floats: SIFT's 128, whose rows have the length 512 (OpenCV, VLFeat and COLMAP write them so, RootSIFT
 * too). Rows of 128 bytes of bits are about three times as long.
 */
import { FormatError } from "../errors.js";
import { unitRows } from "../extract/describe.js";
import type { BinaryFeatures, DescriptorKind, Features, FloatFeatures } from "../features.js";
import { type NdArray, toFloat32 } from "./ndarray.js";

export type Descriptors =
  | Pick<FloatFeatures, "kind" | "dim" | "descriptors">
  | Pick<BinaryFeatures, "kind" | "dim" | "descriptors">;

const SIFT_BYTES = 128;
/** Longer than any row of SIFT's bytes (512 and what rounding adds), far shorter than rows of as many bits. */
const SIFT_LONGEST = 600;

/** No descriptors: what features have of a file without them. */
export const NO_DESCRIPTORS: Descriptors = { dim: 0, descriptors: new Float32Array(0) };

/**
 * The descriptors in an array [N, D] of any type. `kind` overrules what the type says; `normalize` false leaves floats
 * as long as they are. FormatError (naming `where`) for
 * a number that is not finite, or no byte where bits are asked for.
 */
export function toDescriptors(
  where: string,
  array: NdArray,
  kind: DescriptorKind | null = null,
  normalize = true,
): Descriptors {
  const { dtype, shape, data } = array;
  const [count, dim] = shape;
  if ((kind ?? kindOf(array)) === "float") {
    const values = toFloat32(array);
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new FormatError(`${where}: descriptors[${bad}] is ${values[bad]}, expected a finite number`);
    return { dim, descriptors: normalize ? unitRows(values, dim) : values };
  }
  if (dtype === "bool")
    return { kind: "binary", dim: Math.ceil(dim / 8), descriptors: packBits(data as Uint8Array, count, dim) };
  if (data instanceof Uint8Array) return { kind: "binary", dim, descriptors: data };
  const values = toFloat32(array);
  const bytes = Uint8Array.from(values);
  const bad = bytes.findIndex((byte, i) => byte !== values[i]);
  if (bad >= 0)
    throw new FormatError(`${where}: descriptors[${bad}] is ${values[bad]}: bits come as whole bytes 0 to 255`);
  return { kind: "binary", dim, descriptors: bytes };
}

/** The array that holds descriptors: floats as float32, bits as bytes. */
export function fromDescriptors({ count, dim, descriptors }: Features): NdArray {
  return { dtype: descriptors instanceof Uint8Array ? "uint8" : "float32", shape: [count, dim], data: descriptors };
}

function kindOf({ dtype, shape: [, dim], data }: NdArray): DescriptorKind {
  if (dtype === "bool") return "binary";
  if (dtype !== "uint8") return "float";
  return dim === SIFT_BYTES && noRowIsLonger(data as Uint8Array, dim, SIFT_LONGEST) ? "float" : "binary";
}

function noRowIsLonger(rows: Uint8Array, dim: number, length: number): boolean {
  for (let start = 0; start < rows.length; start += dim) {
    let sum = 0;
    for (let i = start; i < start + dim; i++) sum += rows[i] * rows[i];
    if (sum > length * length) return false;
  }
  return true;
}

/** Rows of truth values as rows of bytes, the first in the lowest bit. */
function packBits(values: Uint8Array, count: number, dim: number): Uint8Array {
  const bytes = Math.ceil(dim / 8);
  const packed = new Uint8Array(count * bytes);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < dim; k++) if (values[i * dim + k]) packed[i * bytes + (k >> 3)] |= 1 << (k & 7);
  }
  return packed;
}
