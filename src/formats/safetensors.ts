/**
 * safetensors: eight bytes of header length, a JSON header, raw values. Nothing in it can be executed, and every value
 * is a view of the file where it is aligned. Read as strictly as the reference implementation: no tensor overlaps
 * another, none leaves a hole, and together they fill the file.
 */
import { checkIterable, checkList, checkObject, checkText } from "../check.js";
import { FormatError, LimitError, UnsupportedError } from "../errors.js";
import { ByteReader, encodeUtf8, parseJson } from "./bytes.js";
import { bytesOf, checkNdArray, countOf, type DType, itemSize, type NdArray, viewOf } from "./ndarray.js";
import { type Bytes, readRange, sourceOf } from "./source.js";

/** The longest header that is read, as in the reference implementation. */
const MAX_HEADER = 100_000_000;

const NAMES: Record<DType, string> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  uint64: "U64",
  int32: "I32",
  uint32: "U32",
  int16: "I16",
  uint16: "U16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};

/** Tensors and metadata of a safetensors file. */
export interface Safetensors {
  tensors: Map<string, NdArray>;
  /** Free text by name; empty where the file has none. */
  metadata: Record<string, string>;
}

/**
 * The tensors and metadata of a safetensors file; `where` begins every error. FormatError for damage, LimitError for a
 * header over 100 MB, UnsupportedError for data types without a typed array (8-bit floats and smaller).
 */
export function readSafetensors(bytes: Bytes, where = "readSafetensors"): Safetensors {
  const source = sourceOf(bytes);
  const length = new ByteReader(where, readRange(where, source, 0, 8, "header length")).u64("header length");
  const start = 8 + length;
  const left = source.size - start;
  if (left < 0) {
    throw new FormatError(
      `${where}: a header of ${length} bytes in a file of ${source.size}; not safetensors, or truncated`,
    );
  }
  if (length > MAX_HEADER) throw new LimitError(`${where}: a header of ${length} bytes; at most ${MAX_HEADER}`);
  const header = source.read(8, length);
  if (header[0] !== 0x7b) throw new FormatError(`${where}: the header does not begin with "{"; not safetensors`);
  const { __metadata__: metadata, ...entries } = record(where, parseJson(where, header));
  const ranges = Object.entries(entries).map(([name, entry]) => tensorRange(`${where}: "${name}"`, name, entry));
  ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const range of ranges) {
    if (range.begin !== end) {
      const what = range.begin < end ? "overlaps the tensor before it" : "leaves a hole before it";
      throw new FormatError(`${where}: "${range.name}" ${what} (begins at ${range.begin}, expected ${end})`);
    }
    end = range.end;
  }
  if (end !== left) {
    throw new FormatError(`${where}: the tensors take ${end} bytes, ${left} follow the header; truncated or damaged`);
  }
  const tensors = new Map<string, NdArray>();
  for (const { name, dtype, shape, begin, end, count } of ranges) {
    tensors.set(name, { dtype, shape, data: viewOf(source.read(start + begin, end - begin), 0, dtype, count) });
  }
  return { tensors, metadata: metadata === undefined ? {} : textRecord(`${where}: __metadata__`, metadata) };
}

/**
 * A safetensors file. Tensors lie by size of their values, largest first, then by name, so that all are aligned and
 * the same tensors give the same bytes.
 */
export function writeSafetensors(
  tensors: Iterable<readonly [string, NdArray]>,
  metadata: Record<string, string> = {},
): Uint8Array {
  const where = "writeSafetensors";
  checkIterable(where, "tensors", tensors);
  checkObject(where, "metadata", metadata);
  for (const [key, value] of Object.entries(metadata)) checkText(where, `metadata.${key}`, value);
  const named = [...tensors];
  for (const entry of named) {
    const [name, tensor] = checkList(where, "a tensor", entry);
    checkNdArray(`${where}: ${JSON.stringify(checkText(where, "a tensor's name", name))}`, tensor as NdArray);
  }
  const sorted = named.sort(
    ([nameA, a], [nameB, b]) => itemSize(b.dtype) - itemSize(a.dtype) || (nameA < nameB ? -1 : 1),
  );
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set("__metadata__", textRecord(`${where}: metadata`, metadata));
  let offset = 0;
  for (const [name, array] of sorted) {
    if (header.has(name) || name === "__metadata__") throw new FormatError(`${where}: the name "${name}" is taken`);
    const { dtype, shape, data } = checkNdArray(`${where}: "${name}"`, array);
    header.set(name, { dtype: NAMES[dtype], shape, data_offsets: [offset, offset + data.byteLength] });
    offset += data.byteLength;
  }
  const text = JSON.stringify(Object.fromEntries(header));
  const json = encodeUtf8(text);
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(start + offset).fill(32, 8, start);
  new DataView(out.buffer).setBigUint64(0, BigInt(start - 8), true);
  out.set(json, 8);
  let at = start;
  for (const [, { data }] of sorted) {
    out.set(bytesOf(data), at);
    at += data.byteLength;
  }
  return out;
}

interface TensorRange {
  name: string;
  dtype: DType;
  shape: number[];
  begin: number;
  end: number;
  count: number;
}

function tensorRange(where: string, name: string, entry: unknown): TensorRange {
  const { dtype: typeName, shape, data_offsets: offsets } = record(where, entry);
  const dtype = (Object.keys(NAMES) as DType[]).find((key) => NAMES[key] === typeName);
  if (!dtype) {
    throw new UnsupportedError(
      `${where}: data type ${JSON.stringify(typeName)}; read are ${Object.values(NAMES).join(", ")}`,
    );
  }
  if (!isNumbers(shape) || !isNumbers(offsets) || offsets.length !== 2) {
    throw new FormatError(`${where}: needs "shape" and two "data_offsets", all whole numbers`);
  }
  const [begin, end] = offsets;
  const count = countOf(where, shape);
  if (end - begin !== count * itemSize(dtype)) {
    throw new FormatError(
      `${where}: shape [${shape}] of ${dtype} needs ${count * itemSize(dtype)} bytes, the offsets span ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin, end, count };
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function record(where: string, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FormatError(`${where}: expected a JSON object`);
  }
  return value as Record<string, unknown>;
}

function textRecord(where: string, value: unknown): Record<string, string> {
  const entries = Object.entries(record(where, value));
  for (const [name, text] of entries) {
    if (typeof text !== "string") throw new FormatError(`${where}: "${name}" must be text`);
  }
  return Object.fromEntries(entries) as Record<string, string>;
}
