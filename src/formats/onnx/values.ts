/**
 * Values of an ONNX tensor that are written as numbers of a repeated field: float_data and double_data as they lie in
 * memory, int32_data, int64_data and uint64_data as varints. Which type is written in which is said in onnx.proto.
 */
import { FormatError } from "../../errors.js";
import { bytesOf, type DType, type TypedArray } from "../ndarray.js";
import type { WireField, WireReader } from "../protobuf.js";

/** Least and greatest value of the types that share int32_data. */
const BOUNDS: Partial<Record<DType, [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  bool: [0, 1],
  float16: [0, 65535],
  bfloat16: [0, 65535],
};

/** How the fixed ones are written, and their length. */
const FIXED: Partial<Record<DType, ["fixed32" | "fixed64", number]>> = {
  float32: ["fixed32", 4],
  float64: ["fixed64", 8],
};

/** How many values one part of the field holds. */
export function countValues(wire: WireReader, field: WireField, dtype: DType): number {
  const fixed = FIXED[dtype];
  if (!fixed) {
    let count = 0;
    // The last byte of a varint is below 128.
    for (const byte of wire.packed(field, "varint", "values")) if (byte < 128) count++;
    return count;
  }
  const [type, length] = fixed;
  const bytes = wire.packed(field, type, "values").length;
  if (bytes % length !== 0) throw wire.damaged(field.start, `${bytes} bytes are no values of ${dtype}`);
  return bytes / length;
}

/** Writes the values of one part into `data` from `at` on, which has room for them; where the next part goes. */
export function readValues(wire: WireReader, field: WireField, dtype: DType, data: TypedArray, at: number): number {
  const fixed = FIXED[dtype];
  if (fixed) {
    const bytes = wire.packed(field, fixed[0], "values");
    bytesOf(data).set(bytes, at * fixed[1]);
    return at + bytes.length / fixed[1];
  }
  let next = at;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const words = new Uint32Array(data.buffer, data.byteOffset, 2 * data.length);
    wire.varints(field, "values", (low, high) => {
      words[2 * next] = low;
      words[2 * next + 1] = high;
      next++;
    });
    return next;
  }
  const [min, max] = BOUNDS[dtype] ?? [-Infinity, Infinity];
  wire.varints(field, "values", (low) => {
    const value = dtype === "uint32" ? low : low | 0;
    if (value < min || value > max) throw new FormatError(`${wire.where}: ${value} is no value of ${dtype}`);
    data[next++] = value;
  });
  return next;
}
