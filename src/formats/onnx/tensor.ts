/**
 * ONNX's `TensorProto` (onnx.proto): a type, a shape, and the values in one of three places — raw bytes, a field of
 * numbers by kind of type, or a part of another file.
 */
import { FormatError, UnsupportedError } from "../../errors.js";
import { countOf, type DType, itemSize, type NdArray, viewOf, zerosOf } from "../ndarray.js";
import type { WireField, WireRange, WireReader } from "../protobuf.js";
import { type ByteSource, readRange } from "../source.js";
import { countValues, readValues } from "./values.js";

/** `TensorProto.DataType` by number, for those with a typed array, and the field that may hold their values. */
const TYPES: Record<number, [DType, number]> = {
  1: ["float32", 4],
  2: ["uint8", 5],
  3: ["int8", 5],
  4: ["uint16", 5],
  5: ["int16", 5],
  6: ["int32", 5],
  7: ["int64", 7],
  9: ["bool", 5],
  10: ["float16", 5],
  11: ["float64", 10],
  12: ["uint32", 11],
  13: ["uint64", 11],
  16: ["bfloat16", 5],
};
const TEXT = 8;

const MAX_NAME = 1000;

export interface TensorHead {
  name: string;
  /** `TensorProto.DataType`. */
  type: number;
  shape: number[];
  raw: WireRange | null;
  /** Where the values lie in another file; null where they are in this one. */
  external: { location: string; offset: number; length: number | null } | null;
}

/** What a tensor says of itself. `range`: its message. */
export function readTensorHead(wire: WireReader, range: WireRange): TensorHead {
  const head: TensorHead = { name: "", type: 0, shape: [], raw: null, external: null };
  const pairs = new Map<string, string>();
  let isExternal = false;
  for (const field of wire.fields(range)) {
    switch (field.number) {
      case 1:
        wire.varints(field, "a shape", (low, high) => {
          if (head.shape.length < 100) head.shape.push(high * 2 ** 32 + low);
        });
        break;
      case 2:
        head.type = wire.count(field, "a tensor's type");
        break;
      case 3:
        throw new UnsupportedError(`${wire.where}: a tensor is saved in segments, which are not put together here`);
      case 8:
        head.name = wire.text(field, "a tensor's name");
        break;
      case 9:
        head.raw = wire.range(field, "raw data");
        break;
      case 13:
        if (pairs.size < 100) pairs.set(...readPair(wire, field));
        break;
      case 14:
        isExternal = wire.count(field, "where a tensor lies") === 1;
    }
  }
  if (head.name.length > MAX_NAME) throw new FormatError(`${wire.where}: a tensor's name is longer than ${MAX_NAME}`);
  if (isExternal) head.external = readPlace(whereOf(wire, head), pairs);
  return head;
}

export const isText = ({ type }: TensorHead): boolean => type === TEXT;

export const describeTensor = ({ shape }: TensorHead): string => `tensor string [${shape.join(", ")}]`;

/**
 * The values. `open` gives files of external data; `spend` is told how many bytes will be taken before they are.
 */
export function readTensorData(
  wire: WireReader,
  range: WireRange,
  head: TensorHead,
  open: (location: string) => ByteSource,
  spend: (bytes: number) => void,
): NdArray {
  const where = whereOf(wire, head);
  const { shape, raw, external } = head;
  const known = TYPES[head.type];
  if (!known) {
    const types = Object.values(TYPES).map(([dtype]) => dtype);
    throw new UnsupportedError(`${where}: data type number ${head.type}; read are ${types.join(", ")}`);
  }
  const [dtype, number] = known;
  const count = countOf(where, shape);
  const size = count * itemSize(dtype);
  const check = (found: number, unit: string, wanted: number) => {
    if (found === wanted) return;
    throw new FormatError(
      `${where}: shape [${shape}] of ${dtype} needs ${wanted} ${unit}, the file holds ${found}; it is damaged`,
    );
  };
  if (external) {
    if (external.length !== null) check(external.length, "bytes", size);
    const file = open(external.location);
    spend(size);
    const data = readRange(`${where}, in ${JSON.stringify(external.location)}`, file, external.offset, size, "data");
    return { dtype, shape, data: viewOf(data, 0, dtype, count) };
  }
  if (raw) {
    check(raw.end - raw.start, "bytes", size);
    spend(size);
    return { dtype, shape, data: viewOf(wire.bytes(raw, "raw data"), 0, dtype, count) };
  }
  // Counted before anything is taken: a false shape must not take memory.
  let held = 0;
  for (const field of wire.fields(range)) if (field.number === number) held += countValues(wire, field, dtype);
  check(held, "values", count);
  spend(size);
  const data = zerosOf(dtype, count);
  let at = 0;
  for (const field of wire.fields(range)) if (field.number === number) at = readValues(wire, field, dtype, data, at);
  return { dtype, shape, data };
}

function whereOf(wire: WireReader, { name }: TensorHead): string {
  return `${wire.where}: ${JSON.stringify(name)}`;
}

/** A `StringStringEntryProto`: what, and its value. */
export function readPair(wire: WireReader, field: WireField): [string, string] {
  let key = "";
  let value = "";
  for (const part of wire.fields(wire.range(field, "a pair of texts"))) {
    if (part.number === 1) key = wire.text(part, "a key");
    if (part.number === 2) value = wire.text(part, "a value");
  }
  return [key, value];
}

function readPlace(where: string, pairs: Map<string, string>): NonNullable<TensorHead["external"]> {
  const number = (key: string): number | null => {
    const text = pairs.get(key);
    if (text === undefined) return null;
    if (!/^\d{1,15}$/.test(text)) throw new FormatError(`${where}: external data has no sensible "${key}"`);
    return Number(text);
  };
  return { location: pairs.get("location") ?? "", offset: number("offset") ?? 0, length: number("length") };
}
