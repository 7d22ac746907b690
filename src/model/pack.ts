/**
 * Smaller files: weights as half floats, or kernels as whole numbers of 8 bits with one scale per output channel
 * (NAME holds −127…127, NAME.scale the size of a unit). They are float32 again before a model is opened, so size is all
 * that changes, and whatever rounding does to the scores.
 */
import { FormatError, OptionError } from "../errors.js";
import { float16Bits } from "../float16.js";
import { type NdArray, ndarray, toFloat32 } from "../formats/ndarray.js";

export const PACKINGS = ["fp32", "fp16", "int8"] as const;
export type Packing = (typeof PACKINGS)[number];

/** Kernels with fewer numbers stay float32: there is nothing to win. */
const LEAST_KERNEL = 256;
const LARGEST = 127;
const SCALE = ".scale";

/** The tensor with the scales of an 8-bit kernel. */
export const scaleOf = (name: string): string => name + SCALE;

/** The tensors of a model as they are to be stored. OptionError for numbers that half floats cannot hold. */
export function packTensors(tensors: ReadonlyMap<string, NdArray>, packing: Packing): Map<string, NdArray> {
  const packed = new Map<string, NdArray>();
  for (const [name, tensor] of tensors) {
    const { shape } = tensor;
    const values = toFloat32(tensor);
    if (packing === "fp16") {
      packed.set(name, { dtype: "float16", shape, data: Uint16Array.from(values, (v) => halfOf(name, v)) });
    } else if (packing === "int8" && shape.length > 1 && values.length >= LEAST_KERNEL) {
      const { data, scale } = quantized(values, shape[0]);
      packed.set(name, { dtype: "int8", shape, data });
      packed.set(scaleOf(name), ndarray(scale));
    } else {
      packed.set(name, ndarray(values, [...shape]));
    }
  }
  return packed;
}

/** Bits of the nearest half float; an OptionError that names the tensor where there is none. */
export function halfOf(name: string, value: number): number {
  const bits = float16Bits(value);
  if (Number.isFinite(value) && (bits & 0x7c00) === 0x7c00) {
    throw new OptionError(
      `"${name}" holds ${value}, more than a half float can (65504); pack the model as fp32 or int8`,
    );
  }
  return bits;
}

/** Rows of `rows` equal parts, each rounded to 127ths of its largest number. */
export function quantized(values: Float32Array, rows: number): { data: Int8Array; scale: Float32Array } {
  const each = values.length / rows;
  const data = new Int8Array(values.length);
  const scale = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let largest = 0;
    for (let i = r * each; i < (r + 1) * each; i++) largest = Math.max(largest, Math.abs(values[i]));
    // A row of zeros has any scale.
    scale[r] = largest === 0 ? 1 : largest / LARGEST;
    for (let i = r * each; i < (r + 1) * each; i++) data[i] = Math.round(values[i] / scale[r]);
  }
  return { data, scale };
}

/** The tensors with 8-bit kernels back as float32; all others as they are. FormatError for scales that do not fit. */
export function unpackTensors(where: string, tensors: ReadonlyMap<string, NdArray>): Map<string, NdArray> {
  const unpacked = new Map<string, NdArray>();
  for (const [name, tensor] of tensors) {
    if (name.endsWith(SCALE) && tensors.get(name.slice(0, -SCALE.length))?.dtype === "int8") continue;
    if (tensor.dtype !== "int8") {
      unpacked.set(name, tensor);
      continue;
    }
    const scale = tensors.get(scaleOf(name));
    const [rows = 0] = tensor.shape;
    if (scale?.shape.length !== 1 || scale.shape[0] !== rows) {
      const found = scale ? `shape [${scale.shape}]` : "none";
      throw new FormatError(
        `${where}: tensor "${name}" of 8 bits needs "${scaleOf(name)}" of shape [${rows}], found ${found}`,
      );
    }
    const units = toFloat32(scale);
    const each = tensor.data.length / Math.max(1, rows);
    const values = Float32Array.from(tensor.data as Int8Array, (v, i) => v * units[Math.floor(i / each)]);
    unpacked.set(name, ndarray(values, [...tensor.shape]));
  }
  return unpacked;
}
