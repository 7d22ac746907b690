/**
 * A TensorFlow checkpoint (tensor bundle) written by its description: LevelDB's table of protobuf entries, uncompressed, with
 * prefixes shared and all checksums, and one shard. Enough for float tensors of any number.
 */
import { maskedCrc32c } from "../src/formats/crc32c.js";
import { bytesOf, type NdArray } from "../src/formats/ndarray.js";

const DT: Partial<Record<NdArray["dtype"], number>> = { float32: 1, int64: 9 };

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
const fixed32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
const field = (number: number, value: number): number[] => [...varint(number * 8), ...varint(value)];
const message = (number: number, bytes: number[]): number[] => [
  ...varint(number * 8 + 2),
  ...varint(bytes.length),
  ...bytes,
];

const RESTART = 16;
const BLOCK = 4096;

/** Entries with shared prefixes, a restart point every 16, and their list. */
function block(entries: [key: Uint8Array, value: number[]][]): number[] {
  const out: number[] = [];
  const restarts: number[] = [];
  let before = new Uint8Array(0);
  entries.forEach(([key, value], i) => {
    let shared = 0;
    if (i % RESTART === 0) restarts.push(out.length);
    else while (shared < before.length && before[shared] === key[shared]) shared++;
    out.push(
      ...varint(shared),
      ...varint(key.length - shared),
      ...varint(value.length),
      ...key.subarray(shared),
      ...value,
    );
    before = new Uint8Array(key);
  });
  if (restarts.length === 0) restarts.push(0);
  return [...out, ...restarts.flatMap(fixed32), ...fixed32(restarts.length)];
}

/** The files of a checkpoint: NAME.index and NAME.data-00000-of-00001. */
export function tensorflowBundle(tensors: ReadonlyMap<string, NdArray>): { index: Uint8Array; data: Uint8Array } {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  const data = new Uint8Array(sorted.reduce((sum, [, array]) => sum + array.data.byteLength, 0));
  let offset = 0;
  const entries = sorted.map(([name, array]): [Uint8Array, number[]] => {
    const bytes = bytesOf(array.data);
    data.set(bytes, offset);
    const shape = array.shape.flatMap((size) => message(2, field(1, size)));
    const value = [
      ...field(1, DT[array.dtype] as number),
      ...message(2, shape),
      ...field(4, offset),
      ...field(5, bytes.length),
      ...[...varint(6 * 8 + 5), ...fixed32(maskedCrc32c(bytes))],
    ];
    offset += bytes.length;
    return [new TextEncoder().encode(name), value];
  });
  // One shard, little-endian, version 1.
  entries.unshift([new Uint8Array(0), [...field(1, 1), ...message(3, field(1, 1))]]);

  const index: number[] = [];
  const add = (content: number[]): number[] => {
    const handle = [...varint(index.length), ...varint(content.length)];
    index.push(...content, 0, ...fixed32(maskedCrc32c(Uint8Array.from([...content, 0]))));
    return handle;
  };
  const handles: [Uint8Array, number[]][] = [];
  let waiting: typeof entries = [];
  const flush = () => {
    const last = waiting.at(-1);
    if (last) handles.push([last[0], add(block(waiting))]);
    waiting = [];
  };
  for (const entry of entries) {
    waiting.push(entry);
    if (block(waiting).length > BLOCK) flush();
  }
  flush();
  const meta = add(block([]));
  const top = add(block(handles));
  const footer = [...meta, ...top];
  index.push(...footer, ...new Array(40 - footer.length).fill(0), 0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb);
  return { index: Uint8Array.from(index), data };
}
