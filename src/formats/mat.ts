/**
 * MATLAB's MAT-file, level 5 (what `save -v7`, `-v6` and scipy's `savemat` write): real numeric and logical arrays.
 * A 128-byte header, then elements of (type, size, data); an element may be a zlib stream of one element. Matrices are
 * column-major there and row-major here. After MathWorks' "MAT-File Format", 2019.
 */
import { checkIterable, checkObject } from "../check.js";
import { FormatError, OptionError, UnsupportedError } from "../errors.js";
import { withDefaults } from "../options.js";
import { ByteReader, decodeUtf8, encodeUtf8 } from "./bytes.js";
import {
  bytesOf,
  checkByteLimit,
  checkNdArray,
  countOf,
  type DType,
  fromColumnMajor,
  itemSize,
  type NdArray,
  type TypedArray,
  toColumnMajor,
  viewOf,
  zerosOf,
} from "./ndarray.js";
import { DEFAULT_UNPACK_LIMIT, inflateZlib } from "./zip.js";

const MI_UINT32 = 6;
const MI_INT32 = 5;
const MI_INT8 = 1;
const MI_MATRIX = 14;
const MI_COMPRESSED = 15;

/** Numeric element types (mi…) and array classes (mx…) by number; a class may be stored in a smaller type. */
const ELEMENT_TYPES: Partial<Record<number, DType>> = {
  1: "int8",
  2: "uint8",
  3: "int16",
  4: "uint16",
  5: "int32",
  6: "uint32",
  7: "float32",
  9: "float64",
  12: "int64",
  13: "uint64",
};
const CLASSES: Partial<Record<number, DType>> = {
  6: "float64",
  7: "float32",
  8: "int8",
  9: "uint8",
  10: "int16",
  11: "uint16",
  12: "int32",
  13: "uint32",
  14: "int64",
  15: "uint64",
};
const OTHER_CLASSES = ["", "cell array", "structure", "object", "text", "sparse matrix"];
const FLAG_LOGICAL = 2;
const FLAG_COMPLEX = 8;

/** Which variables of a MAT file are read. */
export interface ReadMatOptions {
  /** Variables to read; all others are skipped unread. Default: null, all of them. */
  names: readonly string[] | null;
  /** Most bytes that compressed variables may unpack to in all; default 2 GiB. */
  limit: number;
}

/**
 * The variables of a MAT-file by name, row-major, always at least two-dimensional. FormatError for damage,
 * UnsupportedError for text, cells, structures, sparse and complex arrays, big-endian and 7.3 files.
 */
export function readMat(bytes: Uint8Array, options: Partial<ReadMatOptions> = {}): Record<string, NdArray> {
  const { names, limit } = withDefaults<ReadMatOptions>(
    "readMat",
    { names: null, limit: DEFAULT_UNPACK_LIMIT },
    options,
  );
  if (names !== null) checkIterable("readMat", "names", names);
  const reader = new ByteReader("readMat", bytes);
  checkHeader(reader);
  const arrays = new Map<string, NdArray>();
  let left = limit;
  while (reader.left > 0) {
    let element = readElement(reader);
    if (element.type === MI_COMPRESSED) {
      const inflated = inflateZlib("readMat", element.data, left);
      left -= inflated.length;
      element = readElement(new ByteReader("readMat", inflated));
    }
    if (element.type !== MI_MATRIX) {
      throw new FormatError(
        `readMat: an element of type ${element.type} where an array should be; the file is damaged`,
      );
    }
    const variable = readMatrix(element.data, names);
    if (variable === null) continue;
    if (arrays.has(variable.name)) throw new FormatError(`readMat: two variables are named "${variable.name}"`);
    arrays.set(variable.name, variable.array);
  }
  return Object.fromEntries(arrays);
}

/**
 * A MAT-file (level 5, uncompressed) of named arrays. Single values become 1×1 and flat arrays 1×N, as scipy does.
 * OptionError for a name that MATLAB does not take, UnsupportedError for 16-bit floats.
 */
export function writeMat(arrays: Record<string, NdArray>): Uint8Array {
  const header = new Uint8Array(128).fill(32, 0, 116);
  header.set(encodeUtf8("MATLAB 5.0 MAT-file, written by strata"));
  header.set([0, 1, 0x49, 0x4d], 124);
  const parts: Uint8Array[] = [header];
  for (const [name, array] of Object.entries(checkObject("writeMat", "arrays", arrays) as typeof arrays))
    parts.push(matrixElement(name, array));
  return concatenate(parts);
}

function checkHeader(reader: ByteReader): void {
  const header = reader.take(128, "header");
  const version = header[124] | (header[125] << 8);
  const order = String.fromCharCode(header[126], header[127]);
  if (order === "MI") throw new UnsupportedError("readMat: a big-endian MAT-file; save it on a little-endian machine");
  if (order !== "IM") throw new FormatError('readMat: not a MAT-file: its header does not end in "IM"');
  if (version === 0x200) {
    throw new UnsupportedError('readMat: a MAT-file of version 7.3 (HDF5 inside); save it with "-v7"');
  }
  if (version !== 0x100) throw new FormatError(`readMat: MAT-file version 0x${version.toString(16)}, expected 0x100`);
}

interface Element {
  type: number;
  data: Uint8Array;
}

/** One element; up to four bytes may sit inside the tag itself. Data is padded to 8 bytes unless compressed. */
function readElement(reader: ByteReader): Element {
  const tag = reader.u32("element tag");
  if (tag >>> 16 !== 0) {
    const data = reader.take(4, "small element");
    const size = tag >>> 16;
    if (size > 4) throw new FormatError(`readMat: a small element of ${size} bytes; the file is damaged`);
    return { type: tag & 0xffff, data: data.subarray(0, size) };
  }
  const data = reader.take(reader.u32("element size"), "element");
  if (tag !== MI_COMPRESSED) reader.skip(Math.min(-data.length & 7, reader.left), "padding");
  return { type: tag, data };
}

/** The variable in an array element, or null when it is not asked for. */
function readMatrix(bytes: Uint8Array, names: readonly string[] | null): { name: string; array: NdArray } | null {
  const reader = new ByteReader("readMat", bytes);
  const flags = readElement(reader);
  if (flags.type !== MI_UINT32 || flags.data.length !== 8) throw new FormatError("readMat: damaged array flags");
  const [mxClass, flag] = flags.data;
  // Classes above 15 (functions, opaque objects) are laid out differently: they have no sizes.
  if (mxClass > 15 && names !== null) return null;
  const sizes = readElement(reader);
  const sizeCount = sizes.data.length / 4;
  if (mxClass <= 15 && (sizes.type !== MI_INT32 || !Number.isInteger(sizeCount) || sizeCount < 2)) {
    throw new FormatError("readMat: damaged array sizes");
  }
  const name = mxClass <= 15 ? decodeUtf8("readMat", readElement(reader).data) : "?";
  if (names !== null && !names.includes(name)) return null;
  const where = `readMat: "${name}"`;
  const dtype = CLASSES[mxClass];
  if (!dtype || flag & FLAG_COMPLEX) {
    const kind = dtype ? "complex array" : (OTHER_CLASSES[mxClass] ?? `array of class ${mxClass}`);
    throw new UnsupportedError(`${where} is a ${kind}; only real numeric arrays are read`);
  }
  const shape = [...(viewOf(sizes.data, 0, "int32", sizeCount) as Int32Array)];
  const count = countOf(where, shape);
  const values = readElement(reader);
  const stored = ELEMENT_TYPES[values.type];
  if (!stored || values.data.length !== count * itemSize(stored)) {
    throw new FormatError(`${where}: shape [${shape}] does not fit ${values.data.length} bytes of ${stored ?? "?"}`);
  }
  const data = convert(viewOf(values.data, 0, stored, count), stored, dtype);
  const isLogical = dtype === "uint8" && (flag & FLAG_LOGICAL) !== 0;
  return { name, array: { dtype: isLogical ? "bool" : dtype, shape, data: fromColumnMajor(data, shape, dtype) } };
}

/** The values in the type of their class: MATLAB stores whole doubles in the smallest type that holds them. */
function convert(data: TypedArray, from: DType, to: DType): TypedArray {
  if (from === to) return data;
  const out = zerosOf(to, data.length);
  const isBig = out instanceof BigInt64Array || out instanceof BigUint64Array;
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if (isBig && !Number.isInteger(value)) throw new FormatError(`readMat: ${value} stored in an array of ${to}`);
    out[i] = isBig ? BigInt(value) : value;
  }
  return out;
}

function matrixElement(name: string, array: NdArray): Uint8Array {
  const where = `writeMat: "${name}"`;
  if (!/^[A-Za-z]\w{0,62}$/.test(name)) {
    throw new OptionError(`${where} is no MATLAB name: a letter, then at most 62 letters, digits and _`);
  }
  const { dtype, data } = checkNdArray(where, array);
  const shape = array.shape.length === 0 ? [1, 1] : array.shape.length === 1 ? [1, array.shape[0]] : array.shape;
  const stored: DType = dtype === "bool" ? "uint8" : dtype;
  const mxClass = keyOf(CLASSES, stored);
  const miType = keyOf(ELEMENT_TYPES, stored);
  if (mxClass === undefined || miType === undefined) {
    throw new UnsupportedError(`${where}: MAT-files have no ${dtype}; convert to float32`);
  }
  checkByteLimit(where, data.byteLength, 2 ** 32 - 4096);
  const flags = new Uint8Array(8);
  flags.set([mxClass, dtype === "bool" ? FLAG_LOGICAL : 0]);
  const values = shape.length === 2 && shape.includes(1) ? data : toColumnMajor(data, shape, stored);
  return element(MI_MATRIX, [
    element(MI_UINT32, [flags]),
    element(MI_INT32, [bytesOf(Int32Array.from(shape))]),
    element(MI_INT8, [encodeUtf8(name)]),
    element(miType, [bytesOf(values)]),
  ]);
}

function keyOf(table: Partial<Record<number, DType>>, dtype: DType): number | undefined {
  const found = Object.entries(table).find(([, value]) => value === dtype);
  return found && Number(found[0]);
}

/** Tag, parts, and padding to 8 bytes. */
function element(type: number, parts: Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return concatenate([bytesOf(Uint32Array.of(type, size)), ...parts, new Uint8Array(-size & 7)]);
}

function concatenate(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
