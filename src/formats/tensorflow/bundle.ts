/**
 * What a checkpoint's index says: `BundleHeaderProto` under the empty key, then a `BundleEntryProto` per tensor
 * (tensorflow/core/protobuf/tensor_bundle.proto, tensor_shape.proto, types.proto).
 */
import { FormatError, UnsupportedError } from "../../errors.js";
import { decodeUtf8 } from "../bytes.js";
import { countOf, type DType, itemSize } from "../ndarray.js";
import { type WireField, type WireRange, WireReader } from "../protobuf.js";
import { sourceOf } from "../source.js";
import { readTable } from "./table.js";

/** `DataType` by number, for those with a typed array. */
const TYPES: Record<number, DType> = {
  1: "float32",
  2: "float64",
  3: "int32",
  4: "uint8",
  5: "int16",
  6: "int8",
  9: "int64",
  10: "bool",
  14: "bfloat16",
  17: "uint16",
  19: "float16",
  22: "uint32",
  23: "uint64",
};

/** Names of the others, for people. */
const OTHERS: Record<number, string> = {
  8: "complex64",
  11: "qint8",
  12: "quint8",
  13: "qint32",
  15: "qint16",
  16: "quint16",
  18: "complex128",
  20: "resource",
  21: "variant",
  24: "float8_e5m2",
  25: "float8_e4m3fn",
  29: "int4",
  30: "uint4",
};
const STRING = 7;

/** Names longer than this are not those of tensors. */
const MAX_NAME = 1000;

/** The version of the format that is read, TensorFlow's kTensorBundleVersion. */
const VERSION = 1;

/** A tensor as the index describes it. Checked: its bytes are as many as type and shape need. */
export interface BundleEntry {
  name: string;
  dtype: DType;
  shape: number[];
  count: number;
  shard: number;
  offset: number;
  size: number;
  /** Masked CRC-32C of its bytes. */
  crc: number;
}

export interface Bundle {
  shards: number;
  entries: BundleEntry[];
  /** Tensors of text, which hold no numbers (an object graph, names): name and shape. */
  texts: { name: string; shape: number[] }[];
}

/**
 * The tensors that an index lists. FormatError for damage, UnsupportedError (naming the tensor) for slices, for types
 * without a typed array, for big-endian files and for checkpoints of the first format.
 */
export function readBundle(where: string, index: Uint8Array): Bundle {
  const [header, ...rest] = readTable(where, index);
  if (!header || header.key.length > 0) throw new FormatError(`${where}: the index has no header; it is damaged`);
  const shards = readHeader(where, header.value);
  const bundle: Bundle = { shards, entries: [], texts: [] };
  for (const { key, value } of rest) {
    if (key[0] === 0) throw sliced(`${where}: ${JSON.stringify(nameOfSlice(key))}`);
    if (key.length > MAX_NAME) throw new FormatError(`${where}: a tensor's name is longer than ${MAX_NAME}`);
    const name = decodeUtf8(`${where}: a tensor's name`, key);
    const entry = readEntry(`${where}: ${JSON.stringify(name)}`, value);
    if (entry.type === STRING) bundle.texts.push({ name, shape: entry.shape });
    else bundle.entries.push(checkEntry(`${where}: ${JSON.stringify(name)}`, name, entry, shards));
  }
  return bundle;
}

/** Number of shards. */
function readHeader(where: string, bytes: Uint8Array): number {
  const wire = new WireReader(`${where}: the index's header`, sourceOf(bytes));
  let shards = 0;
  for (const field of wire.fields(wire.all)) {
    if (field.number === 1) {
      if (field.type === "bytes") {
        throw new UnsupportedError(
          `${where}: a checkpoint of TensorFlow's first format (V1, one file); save it again with tf.train.Saver(write_version=V2)`,
        );
      }
      shards = wire.count(field, "the number of shards");
    } else if (field.number === 2 && field.value !== 0n) {
      throw new UnsupportedError(`${where}: written on a big-endian machine; save it again on a little-endian one`);
    } else if (field.number === 3) {
      for (const version of wire.fields(wire.range(field, "the version"))) {
        if (version.number !== 2 || version.value <= VERSION) continue;
        throw new UnsupportedError(
          `${where}: needs a reader of version ${version.value}, this one knows version ${VERSION}`,
        );
      }
    }
  }
  if (shards < 1 || shards > 99_999)
    throw new FormatError(`${where}: ${shards} shards cannot be; the index is damaged`);
  return shards;
}

interface RawEntry {
  type: number;
  shape: number[];
  shard: number;
  offset: number;
  size: number;
  crc: number;
}

function readEntry(where: string, bytes: Uint8Array): RawEntry {
  const wire = new WireReader(where, sourceOf(bytes));
  const entry: RawEntry = { type: 0, shape: [], shard: 0, offset: 0, size: 0, crc: 0 };
  for (const field of wire.fields(wire.all)) {
    switch (field.number) {
      case 1:
        entry.type = wire.count(field, "the data type");
        break;
      case 2:
        entry.shape = readShape(wire, wire.range(field, "the shape"));
        break;
      case 3:
        entry.shard = wire.count(field, "the shard");
        break;
      case 4:
        entry.offset = wire.count(field, "the offset");
        break;
      case 5:
        entry.size = wire.count(field, "the size");
        break;
      case 6:
        if (field.type !== "fixed32") throw new FormatError(`${where}: its check is no fixed32; the index is damaged`);
        entry.crc = Number(field.value);
        break;
      case 7:
        throw sliced(where);
    }
  }
  return entry;
}

function sliced(where: string): UnsupportedError {
  return new UnsupportedError(
    `${where} is saved in slices (a partitioned variable), which are not put together here; save it whole`,
  );
}

/** A slice's key: a zero, the tensor's name, a zero, and numbers in an order-preserving code. */
function nameOfSlice(key: Uint8Array): string {
  const end = key.indexOf(0, 1);
  return new TextDecoder().decode(key.subarray(1, end < 0 ? key.length : end)).slice(0, MAX_NAME);
}

/** `TensorShapeProto`: sizes one by one. */
function readShape(wire: WireReader, range: WireRange): number[] {
  const shape: number[] = [];
  for (const dim of wire.fields(range)) {
    if (dim.number === 3 && dim.value !== 0n) throw new UnsupportedError(`${wire.where} has no known shape`);
    if (dim.number === 2) shape.push(readSize(wire, dim));
  }
  return shape;
}

function readSize(wire: WireReader, dim: WireField): number {
  let size = 0;
  for (const field of wire.fields(wire.range(dim, "a dimension"))) {
    if (field.number === 1) size = wire.count(field, "a size");
  }
  return size;
}

function checkEntry(where: string, name: string, raw: RawEntry, shards: number): BundleEntry {
  const { type, shape, shard, offset, size, crc } = raw;
  const dtype = TYPES[type];
  if (!dtype) {
    const known = OTHERS[type] ?? `number ${type}`;
    throw new UnsupportedError(`${where}: data type ${known}; read are ${Object.values(TYPES).join(", ")}`);
  }
  const count = countOf(where, shape);
  const wanted = count * itemSize(dtype);
  if (size !== wanted) {
    throw new FormatError(
      `${where}: shape [${shape}] of ${dtype} needs ${wanted} bytes, the index says ${size}; it is damaged`,
    );
  }
  if (shard >= shards) throw new FormatError(`${where} lies in shard ${shard} of ${shards}; the index is damaged`);
  return { name, dtype, shape, count, shard, offset, size, crc };
}
