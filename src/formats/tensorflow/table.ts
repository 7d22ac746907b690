/**
 * LevelDB's sorted table, TensorFlow's index of a checkpoint: a footer that names the index block, an index block that
 * names the data blocks, keys that share the beginning of the key before them, a masked CRC-32C after every block
 * (google/leveldb, doc/table_format.md; tensorflow/core/lib/io/format.cc).
 */
import { FormatError, LimitError, UnsupportedError } from "../../errors.js";
import { ByteReader } from "../bytes.js";
import { maskedCrc32c } from "../crc32c.js";
import { unpackSnappy } from "./snappy.js";

const FOOTER = 48;
/** 0xdb4775248b80fb57, little-endian. */
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

/** Most entries and bytes of one unpacked block; blocks of real files have 4 kB to 256 kB. */
const MAX_ENTRIES = 1_000_000;
const MAX_BLOCK = 2 ** 26;

export interface TableEntry {
  key: Uint8Array;
  value: Uint8Array;
}

/** Whether the file ends as a table does. */
export function isTable(end: Uint8Array): boolean {
  return MAGIC.every((byte, i) => end[end.length - MAGIC.length + i] === byte);
}

/**
 * Every entry, in the order of keys. FormatError for damage and for keys out of order, UnsupportedError for compression
 * other than snappy's, LimitError for more entries or longer keys than an index can rightly have.
 */
export function readTable(where: string, bytes: Uint8Array): TableEntry[] {
  if (bytes.length < FOOTER || !isTable(bytes)) {
    throw new FormatError(
      `${where}: expected a checkpoint's index, which ends as a LevelDB table does; these ${bytes.length} bytes are none, or truncated`,
    );
  }
  const table = new Table(where, bytes);
  const footer = new VarintReader(where, bytes);
  footer.offset = bytes.length - FOOTER;
  footer.handle("the footer");
  const index = footer.handle("the footer");
  for (const { value } of table.block(index, "the index block")) {
    const handle = new VarintReader(where, value).handle("the index block");
    for (const entry of table.dataBlock(handle)) table.entries.push(entry);
  }
  return table.entries;
}

/** Where a block lies; its trailer follows. */
interface Handle {
  offset: number;
  size: number;
}

class VarintReader extends ByteReader {
  /** A number of 7 bits a byte, the lowest first. */
  varint(what: string): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const byte = this.u8(what);
      value += (byte & 127) * factor;
      if (byte < 128 && Number.isSafeInteger(value)) return value;
    }
    throw new FormatError(`${this.where}: ${what}: a number is too large; the index is damaged`);
  }

  handle(what: string): Handle {
    return { offset: this.varint(what), size: this.varint(what) };
  }
}

class Table {
  readonly entries: TableEntry[] = [];
  private lastEnd = 0;
  private lastKey: Uint8Array | undefined;
  private keyBytes = 0;

  constructor(
    private readonly where: string,
    private readonly bytes: Uint8Array,
  ) {}

  /** Entries of the next data block. Blocks lie one behind the other and so do keys, or reading might never end. */
  dataBlock(handle: Handle): TableEntry[] {
    const what = `the data block at ${handle.offset}`;
    if (handle.offset < this.lastEnd) throw this.damaged(`${what} lies within the block before it`);
    const entries = this.block(handle, what);
    this.lastEnd = handle.offset + handle.size;
    for (const { key } of entries) {
      if (this.lastKey && compare(key, this.lastKey) <= 0) throw this.damaged(`${what} has keys out of order`);
      this.lastKey = key;
    }
    if (this.entries.length + entries.length > MAX_ENTRIES) {
      throw new LimitError(`${this.where}: more than ${MAX_ENTRIES} entries in the index`);
    }
    return entries;
  }

  block(handle: Handle, what: string): TableEntry[] {
    const reader = new VarintReader(this.where, this.content(handle, what));
    const { bytes } = reader;
    // The end says where keys are written in full, for searching; we read all of them.
    reader.skip(Math.max(0, bytes.length - 4), what);
    const restarts = 4 * (reader.u32(what) + 1);
    if (restarts > bytes.length) throw this.damaged(`${what} is shorter than its list of restarts`);
    const end = bytes.length - restarts;
    reader.offset = 0;
    const entries: TableEntry[] = [];
    let last = new Uint8Array(0);
    while (reader.offset < end) {
      const shared = reader.varint(what);
      const own = reader.varint(what);
      const length = reader.varint(what);
      if (shared > last.length) throw this.damaged(`${what} has a key that shares more than there is`);
      this.spend(shared + own);
      const key = new Uint8Array(shared + own);
      key.set(last.subarray(0, shared));
      key.set(reader.take(own, `${what}, a key`), shared);
      const value = reader.take(length, `${what}, a value`);
      if (reader.offset > end) throw this.damaged(`${what} has an entry that reaches into its list of restarts`);
      entries.push({ key, value });
      last = key;
    }
    return entries;
  }

  /** A block unpacked, its check compared. */
  private content({ offset, size }: Handle, what: string): Uint8Array {
    const reader = new ByteReader(this.where, this.bytes);
    reader.skip(offset, what);
    const checked = reader.take(size + 1, what);
    const check = reader.u32(what);
    if (reader.offset > this.bytes.length - FOOTER) throw this.damaged(`${what} reaches into the footer`);
    if (check !== maskedCrc32c(checked)) throw this.damaged(`${what} does not match its checksum`);
    const packing = checked[size];
    const data = checked.subarray(0, size);
    if (packing === 0) return data;
    if (packing === 1) return unpackSnappy(`${this.where}: ${what}`, data, MAX_BLOCK);
    throw new UnsupportedError(`${this.where}: ${what} is compressed by method ${packing}; only snappy (1) is read`);
  }

  /** Keys that share long beginnings could become far more than the file: what they take is counted before. */
  private spend(bytes: number): void {
    this.keyBytes += bytes;
    const limit = 2 ** 20 + 16 * this.bytes.length;
    if (this.keyBytes > limit) throw new LimitError(`${this.where}: the names in the index take over ${limit} bytes`);
  }

  private damaged(what: string): FormatError {
    return new FormatError(`${this.where}: ${what}; the index is damaged`);
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}
