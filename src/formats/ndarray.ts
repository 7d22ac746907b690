/**
 * The one array type that all readers and writers of tensors share: a data type, a shape, and flat row-major values.
 * Values are in host order, which is little-endian on every platform that JavaScript runs on in practice; all files
 * here are little-endian too, so bytes are viewed, not converted.
 */
import { checkObject, described, wrong } from "../check.js";
import { FormatError, LimitError, ShapeError, UnsupportedError } from "../errors.js";
import { halfToNumber } from "../float16.js";

/** Typed array of each data type; 16-bit floats are held as their bits, booleans as bytes 0 and 1. */
const ARRAY_TYPES = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Names of data types, as NumPy and PyTorch call them. */
export type DType = keyof typeof ARRAY_TYPES;
/** Arrays that tensors of files have. */
export type TypedArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** A dense array of any rank; `shape` [] is a single value. */
export interface NdArray {
  dtype: DType;
  /** Sizes, slowest axis first. */
  shape: number[];
  /** Row-major values; as many as the product of `shape`. */
  data: TypedArray;
}

export const DTYPES = Object.keys(ARRAY_TYPES) as DType[];

/** More dimensions than any array here has; NumPy's own limit. */
const MAX_RANK = 64;

/** Bytes that one value takes. */
export function itemSize(dtype: DType): number {
  return ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
}

/**
 * Number of values of that shape. FormatError (naming `where`) when a size is negative, not whole, or the product
 * is too large to count exactly: for shapes that come out of a file.
 */
export function countOf(where: string, shape: readonly number[]): number {
  if (shape.length > MAX_RANK) throw new FormatError(`${where}: ${shape.length} dimensions, at most ${MAX_RANK}`);
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new FormatError(`${where}: [${shape.map(described)}] is not a shape`);
    count *= size;
  }
  if (!Number.isSafeInteger(count)) throw new FormatError(`${where}: shape [${shape}] is too large to be real`);
  return count;
}

/** Throws a LimitError before `bytes` of memory are taken for one result. */
export function checkByteLimit(where: string, bytes: number, limit: number): void {
  if (!(typeof limit === "number" && limit >= 0)) throw wrong(where, '"limit"', "a number of bytes", limit);
  if (bytes > limit) {
    throw new LimitError(
      `${where}: would take ${bytes} bytes, over the limit of ${limit}; raise "limit" if that is right`,
    );
  }
}

/** A view of `count` values at `offset`, or a copy where the address is not aligned. The caller has checked the range. */
export function viewOf(bytes: Uint8Array, offset: number, dtype: DType, count: number): TypedArray {
  const Type = ARRAY_TYPES[dtype];
  const start = bytes.byteOffset + offset;
  if (start % Type.BYTES_PER_ELEMENT === 0) return new Type(bytes.buffer as ArrayBuffer, start, count);
  // Not `slice`: a Node Buffer's shares the memory of all small Buffers, and values would come from its beginning.
  return new Type(new Uint8Array(bytes.subarray(offset, offset + count * Type.BYTES_PER_ELEMENT)).buffer, 0, count);
}

/** `count` zeros. */
export function zerosOf(dtype: DType, count: number): TypedArray {
  return new ARRAY_TYPES[dtype](count);
}

/** The bytes of a typed array, not copied. */
export function bytesOf(data: TypedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** `array` when its data type, shape and data belong together; ShapeError or UnsupportedError otherwise. */
export function checkNdArray(where: string, array: NdArray): NdArray {
  checkObject(where, "an array", array);
  const Type = Object.hasOwn(ARRAY_TYPES, array.dtype) ? ARRAY_TYPES[array.dtype] : undefined;
  if (!Type) {
    throw new UnsupportedError(`${where}: data type ${described(array.dtype)}; offered: ${DTYPES.join(", ")}`);
  }
  if (!(array.data instanceof Type)) {
    throw new ShapeError(`${where}: ${array.dtype} needs a ${Type.name}, got ${described(array.data)}`);
  }
  if (!Array.isArray(array.shape)) throw wrong(where, "shape", "an array of whole numbers", array.shape);
  const count = countOf(where, array.shape);
  if (array.data.length !== count) {
    throw new ShapeError(`${where}: shape [${array.shape}] needs ${count} values, the data has ${array.data.length}`);
  }
  return array;
}

/** An NdArray of `shape` around typed data whose kind says the data type; Uint16Array is read as whole numbers. */
export function ndarray(data: TypedArray, shape: number[] = [data.length]): NdArray {
  if (!ArrayBuffer.isView(data)) {
    const hint = Array.isArray(data) ? "; Float32Array.from(…) makes one" : "";
    throw new ShapeError(`ndarray: data must be a typed array, got ${described(data)}${hint}`);
  }
  const dtype = DTYPES.find((name) => name !== "float16" && name !== "bfloat16" && data instanceof ARRAY_TYPES[name]);
  return checkNdArray("ndarray", { dtype: dtype as DType, shape, data });
}

const halfBits = new Uint32Array(1);
const halfFloat = new Float32Array(halfBits.buffer);

/** The number that the 16 bits of a bfloat16 stand for: the upper half of a float32. */
export function bfloat16ToNumber(bits: number): number {
  halfBits[0] = bits << 16;
  return halfFloat[0];
}

/** The values as float32: the data itself when they are, a converted copy otherwise (64-bit values are rounded). */
export function toFloat32(array: NdArray): Float32Array {
  checkNdArray("toFloat32", array);
  const { dtype, data } = array;
  if (data instanceof Float32Array) return data;
  const out = new Float32Array(data.length);
  const convert =
    dtype === "float16"
      ? halfToNumber
      : dtype === "bfloat16"
        ? bfloat16ToNumber
        : (value: number | bigint): number => Number(value);
  for (let i = 0; i < data.length; i++) out[i] = convert(data[i] as number);
  return out;
}

/** A row-major copy of column-major (Fortran order) data of that shape. */
export function fromColumnMajor(data: TypedArray, shape: readonly number[], dtype: DType): TypedArray {
  return permute(data, shape, dtype, false);
}

/** A column-major (Fortran order) copy of row-major data of that shape. */
export function toColumnMajor(data: TypedArray, shape: readonly number[], dtype: DType): TypedArray {
  return permute(data, shape, dtype, true);
}

/** Walks the row-major order and keeps the column-major position beside it; one pass, any rank. */
function permute(data: TypedArray, shape: readonly number[], dtype: DType, toColumns: boolean): TypedArray {
  const out = zerosOf(dtype, data.length);
  const strides: number[] = [];
  shape.reduce((stride, size) => {
    strides.push(stride);
    return stride * size;
  }, 1);
  const index = shape.map(() => 0);
  let column = 0;
  for (let row = 0; row < data.length; row++) {
    if (toColumns) out[column] = data[row];
    else out[row] = data[column];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      column += strides[axis];
      if (++index[axis] < shape[axis]) break;
      column -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}
