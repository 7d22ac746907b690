/**
 * TensorFlow checkpoints made by code, for tests of the reader: LevelDB tables with prefix compression, restarts, several
 * blocks, snappy (by snappyjs, which is somebody else's), and the protobuf messages spelled out byte by byte.
 */
import { createRequire } from "node:module";
import { maskedCrc32c } from "../../../src/formats/crc32c.js";
import { bytesOf, type DType, type NdArray } from "../../../src/formats/ndarray.js";
import { shardSuffix } from "../../../src/formats/tensorflow.js";

/** It has no types. */
const { compress } = createRequire(import.meta.url)("snappyjs") as { compress: (bytes: Uint8Array) => Uint8Array };

export { compress as packSnappy };

export const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const u32 = (value: number): number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];

/** A varint field of a message; a field of bytes; a fixed32 field. */
export const number = (field: number, value: number): number[] => [...varint(8 * field), ...varint(value)];
export const message = (field: number, ...bytes: number[]): number[] => [
  ...varint(8 * field + 2),
  ...varint(bytes.length),
  ...bytes,
];
const fixed32 = (field: number, value: number): number[] => [...varint(8 * field + 5), ...u32(value)];

export const text = (value: string): number[] => [...new TextEncoder().encode(value)];

export type Entry = [key: number[], value: number[]];

/** Entries as a block; a key is written in full at every `restart`-th. */
function block(entries: Entry[], restart: number): number[] {
  const out: number[] = [];
  const restarts: number[] = [];
  let last: number[] = [];
  for (const [i, [key, value]] of entries.entries()) {
    let shared = 0;
    if (i % restart === 0) restarts.push(out.length);
    else while (shared < Math.min(key.length, last.length) && key[shared] === last[shared]) shared++;
    out.push(
      ...varint(shared),
      ...varint(key.length - shared),
      ...varint(value.length),
      ...key.slice(shared),
      ...value,
    );
    last = key;
  }
  return [...out, ...restarts.flatMap(u32), ...u32(restarts.length)];
}

export interface TableOptions {
  /** Entries of a block. */
  perBlock?: number;
  restart?: number;
  packed?: boolean;
  /** The compression that blocks claim where they are not packed; default 0, none. */
  method?: number;
}

/** A table of entries that are in order. */
export function table(
  entries: Entry[],
  { perBlock = 4, restart = 2, packed = false, method = 0 }: TableOptions = {},
): Uint8Array {
  const out: number[] = [];
  const add = (content: number[]): number[] => {
    const data = packed ? [...compress(Uint8Array.from(content)), 1] : [...content, method];
    const handle = [...varint(out.length), ...varint(data.length - 1)];
    out.push(...data, ...u32(maskedCrc32c(Uint8Array.from(data))));
    return handle;
  };
  const index: Entry[] = [];
  for (let i = 0; i < entries.length; i += perBlock) {
    const part = entries.slice(i, i + perBlock);
    index.push([part[part.length - 1][0], add(block(part, restart))]);
  }
  const meta = add(block([], 1));
  const handles = [...meta, ...add(block(index, 1))];
  while (handles.length < 40) handles.push(0);
  return Uint8Array.from([...out, ...handles, ...u32(0x8b80fb57), ...u32(0xdb477524)]);
}

export const TYPES: Partial<Record<DType, number>> = {
  float32: 1,
  float64: 2,
  int32: 3,
  uint8: 4,
  int16: 5,
  int8: 6,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  uint16: 17,
  float16: 19,
  uint32: 22,
  uint64: 23,
};

/** Header of an index: shards, endianness (0 little), least version of a reader. */
export const header = (shards: number, endianness = 0, version = 0): Entry => [
  [],
  [...number(1, shards), ...number(2, endianness), ...message(3, ...number(1, 1), ...number(2, version))],
];

export interface EntrySpec {
  type: number;
  shape: number[];
  shard?: number;
  offset?: number;
  size: number;
  crc?: number;
  slices?: boolean;
}

export const entry = (name: string, spec: EntrySpec): Entry => {
  const { type, shape, shard = 0, offset = 0, size, crc = 0, slices } = spec;
  const dims = shape.flatMap((dim) => message(2, ...number(1, dim)));
  const place = [...number(3, shard), ...number(4, offset), ...number(5, size)];
  const end = slices ? message(7) : [];
  return [text(name), [...number(1, type), ...message(2, ...dims), ...place, ...fixed32(6, crc), ...end]];
};

export interface BundleFiles {
  index: Uint8Array;
  /** By suffix. */
  shards: Record<string, Uint8Array>;
}

/** A checkpoint of tensors, dealt to the shards in turn; `between` bytes lie before each. */
export function bundle(
  tensors: Record<string, NdArray>,
  { shards = 1, between = 0, ...options }: TableOptions & { shards?: number; between?: number } = {},
): BundleFiles {
  const data: number[][] = Array.from({ length: shards }, () => []);
  const names = Object.keys(tensors).sort();
  const entries = names.map((name, i) => {
    const array = tensors[name];
    const shard = i % shards;
    const bytes = bytesOf(array.data);
    for (let k = 0; k < between; k++) data[shard].push(0xee);
    const offset = data[shard].length;
    data[shard].push(...bytes);
    const type = TYPES[array.dtype] as number;
    return entry(name, { type, shape: array.shape, shard, offset, size: bytes.length, crc: maskedCrc32c(bytes) });
  });
  return {
    index: table([header(shards), ...entries], options),
    shards: Object.fromEntries(data.map((bytes, i) => [shardSuffix(i, shards), Uint8Array.from(bytes)])),
  };
}
