/**
 * NumPy's .npy: magic, version, a Python dictionary literal, raw values (NEP 1). The dictionary is matched, never
 * evaluated, and object arrays (pickles) are refused here. Versions 1, 2 and 3 are read, 1 is written.
 */
import { FormatError, UnsupportedError } from "../errors.js";
import { ByteReader, decodeUtf8, encodeUtf8 } from "./bytes.js";
import {
  bytesOf,
  checkNdArray,
  countOf,
  type DType,
  fromColumnMajor,
  itemSize,
  type NdArray,
  viewOf,
} from "./ndarray.js";

/** Descriptions without their byte order. */
const DESCRIPTIONS: Partial<Record<DType, string>> = {
  float64: "f8",
  float32: "f4",
  float16: "f2",
  int64: "i8",
  uint64: "u8",
  int32: "i4",
  uint32: "u4",
  int16: "i2",
  uint16: "u2",
  int8: "i1",
  uint8: "u1",
  bool: "b1",
};

/** The longest header that is read; NumPy itself warns from 10,000 on. */
const MAX_HEADER = 1 << 20;

export interface NpyHeader {
  /** NumPy's description of the data type, e.g. "<f4" or "|O". */
  descr: string;
  fortranOrder: boolean;
  shape: number[];
  /** Where the values begin. */
  offset: number;
}

/** The header of a .npy file; for those who read the values themselves (object arrays). FormatError for damage. */
export function readNpyHeader(bytes: Uint8Array, where = "readNpy"): NpyHeader {
  const reader = new ByteReader(where, bytes);
  const magic = reader.take(6, "magic");
  if (magic[0] !== 0x93 || decodeLatin(magic.subarray(1)) !== "NUMPY") {
    throw new FormatError(`${where}: not a .npy file: it does not begin with \\x93NUMPY`);
  }
  const major = reader.u8("version");
  reader.skip(1, "version");
  if (major < 1 || major > 3) throw new UnsupportedError(`${where}: .npy version ${major}; 1, 2 and 3 are read`);
  const length = major === 1 ? reader.u16("header length") : reader.u32("header length");
  if (length > MAX_HEADER) throw new FormatError(`${where}: a header of ${length} bytes; at most ${MAX_HEADER}`);
  const header = reader.take(length, "header");
  const text = major === 3 ? decodeUtf8(where, header) : decodeLatin(header);
  const entry = (key: string, value: string): string => {
    const found = new RegExp(`'${key}'\\s*:\\s*(${value})`).exec(text);
    if (!found) throw new FormatError(`${where}: the header has no valid "${key}": ${text.trim().slice(0, 200)}`);
    return found[1];
  };
  if (!/^\{.*\}\s*$/s.test(text)) throw new FormatError(`${where}: the header is not a dictionary`);
  // A list describes a structured array; it is not read further.
  const descr = entry("descr", "'[^']*'|\\[");
  const shape = entry("shape", "\\(\\s*\\)|\\(\\s*\\d+L?\\s*(?:,\\s*\\d+L?\\s*)*,?\\s*\\)");
  return {
    descr: descr.startsWith("'") ? descr.slice(1, -1) : descr,
    fortranOrder: entry("fortran_order", "True|False") === "True",
    shape: (shape.match(/\d+/g) ?? []).map(Number),
    offset: reader.offset,
  };
}

/**
 * The array of a .npy file, row-major (Fortran order is rearranged); values are a view of `bytes` where they are
 * aligned. FormatError for damage, UnsupportedError for big-endian, object, text, complex and structured arrays.
 */
export function readNpy(bytes: Uint8Array, where = "readNpy"): NdArray {
  const { descr, fortranOrder, shape, offset } = readNpyHeader(bytes, where);
  const dtype = dtypeOf(where, descr);
  const count = countOf(where, shape);
  const expected = count * itemSize(dtype);
  if (bytes.length - offset !== expected) {
    throw new FormatError(
      `${where}: shape [${shape}] of ${dtype} needs ${expected} bytes, ${bytes.length - offset} follow the header`,
    );
  }
  const data = viewOf(bytes, offset, dtype, count);
  return { dtype, shape, data: fortranOrder ? fromColumnMajor(data, shape, dtype) : data };
}

/** A .npy file (version 1, C order, little-endian). UnsupportedError for bfloat16, which NumPy does not know. */
export function writeNpy(array: NdArray): Uint8Array {
  const { dtype, shape, data } = checkNdArray("writeNpy", array);
  const description = DESCRIPTIONS[dtype];
  if (!description) throw new UnsupportedError(`writeNpy: .npy has no ${dtype}; convert to float32`);
  const order = itemSize(dtype) === 1 ? "|" : "<";
  const sizes = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${order}${description}', 'fortran_order': False, 'shape': ${sizes}, }`;
  // Padded with spaces and a newline, so that the values begin at a multiple of 64.
  const start = Math.ceil((10 + text.length + 1) / 64) * 64;
  const out = new Uint8Array(start + data.byteLength);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, (start - 10) & 255, (start - 10) >> 8]);
  out.set(encodeUtf8(`${text.padEnd(start - 11)}\n`), 10);
  out.set(bytesOf(data), start);
  return out;
}

function dtypeOf(where: string, descr: string): DType {
  if (/^[<|=]?O/.test(descr)) {
    throw new UnsupportedError(
      `${where}: an array of Python objects ("${descr}"), which would have to be unpickled; save plain numbers`,
    );
  }
  for (const [dtype, description] of Object.entries(DESCRIPTIONS)) {
    if (descr.slice(1) !== description) continue;
    const single = itemSize(dtype as DType) === 1;
    if (descr[0] === "<" || descr[0] === "=" || single) return dtype as DType;
    if (descr[0] === ">") {
      throw new UnsupportedError(`${where}: big-endian values ("${descr}"); save them as "<${description}"`);
    }
  }
  throw new UnsupportedError(
    `${where}: data type "${descr.slice(0, 80)}"; read are little-endian ${Object.values(DESCRIPTIONS).join(", ")}`,
  );
}

/** Bytes as characters of the same number. */
function decodeLatin(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
