/**
 * Zip archives (npz, PyTorch checkpoints) read with suspicion: the central directory decides, sizes are checked before
 * anything is inflated, entries may not lie outside the file, and every CRC is compared. Inflating is fflate's; its own
 * `unzipSync` checks neither CRCs nor sizes.
 */
import { inflateSync, Unzlib, type Zippable, zipSync } from "fflate";
import { FormatError, LimitError, StrataError, UnsupportedError } from "../errors.js";
import { withDefaults } from "../options.js";
import { adler32, ByteReader, crc32, decodeUtf8 } from "./bytes.js";
import { checkByteLimit } from "./ndarray.js";

/** Most bytes that one archive may unpack to unless the caller asks for more: 2 GiB. */
export const DEFAULT_UNPACK_LIMIT = 2 ** 31;

/** Deflate cannot do better than 1032 : 1, so a larger claim is a lie and nothing is allocated for it. */
const MAX_RATIO = 1032;

const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

export interface ZipOptions {
  /** Most bytes that the entries may unpack to in all; default 2 GiB. */
  limit: number;
}

interface Entry {
  name: string;
  method: number;
  crc: number;
  packed: number;
  size: number;
  offset: number;
}

/**
 * The entries of a zip archive by name, in the archive's order, unpacked (stored ones are views of `bytes`).
 * FormatError for damage, LimitError over `limit`, UnsupportedError for encryption and methods other than deflate.
 */
export function readZip(
  bytes: Uint8Array,
  options: Partial<ZipOptions> = {},
  where = "readZip",
): Map<string, Uint8Array> {
  const { limit } = withDefaults<ZipOptions>(where, { limit: DEFAULT_UNPACK_LIMIT }, options);
  const entries = readDirectory(where, bytes);
  const total = entries.reduce((sum, entry) => sum + entry.size, 0);
  checkByteLimit(where, total, limit);
  const files = new Map<string, Uint8Array>();
  for (const entry of entries) {
    if (files.has(entry.name)) throw new FormatError(`${where}: two entries are named "${entry.name}"`);
    files.set(entry.name, unpack(where, bytes, entry));
  }
  return files;
}

/** A zip archive of those files; `compress` deflates, otherwise they are stored. The same files give the same bytes. */
export function writeZip(files: Iterable<[string, Uint8Array]>, { compress = false } = {}): Uint8Array {
  // Zip keeps local time from 1980 on; the first moment is what NumPy and reproducible builds write.
  return zipSync(Object.fromEntries(files) as Zippable, { level: compress ? 6 : 0, mtime: new Date(1980, 0, 1) });
}

/** What a zlib stream holds, its Adler-32 compared; LimitError once it grows over `limit` bytes. */
export function inflateZlib(where: string, bytes: Uint8Array, limit: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  const stream = new Unzlib((chunk) => {
    total += chunk.length;
    checkByteLimit(where, total, limit);
    chunks.push(chunk);
  });
  // Small pushes: one may grow a thousandfold before the limit is looked at.
  const step = 1 << 14;
  guard(where, () => {
    for (let i = 0; i < bytes.length; i += step) stream.push(bytes.subarray(i, i + step), i + step >= bytes.length);
  });
  const out = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  const tail = new ByteReader(where, bytes);
  tail.skip(bytes.length - 4, "zlib stream");
  const [b3, b2, b1, b0] = tail.take(4, "Adler-32");
  if (((b3 << 24) | (b2 << 16) | (b1 << 8) | b0) >>> 0 !== adler32(out)) {
    throw new FormatError(`${where}: compressed data does not match its checksum; the file is damaged`);
  }
  return out;
}

/** fflate throws its own errors, and RangeErrors on damage; both become FormatErrors. */
function guard<T>(where: string, inflate: () => T): T {
  try {
    return inflate();
  } catch (cause) {
    if (cause instanceof StrataError) throw cause;
    throw new FormatError(`${where}: compressed data is damaged (${(cause as Error).message})`, { cause });
  }
}

function readDirectory(where: string, bytes: Uint8Array): Entry[] {
  const reader = new ByteReader(where, bytes);
  const { count, offset } = findEnd(reader);
  reader.offset = 0;
  reader.skip(offset, "central directory");
  const entries: Entry[] = [];
  // A directory record has at least 46 bytes, so a false count runs out of bytes, not of memory.
  for (let i = 0; i < count; i++) entries.push(readEntry(reader));
  return entries;
}

/** Where the directory begins and how many records it has, from the record at the end of the file. */
function findEnd(reader: ByteReader): { count: number; offset: number } {
  const { bytes, where } = reader;
  const last = bytes.length - 22;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (bytes[at] !== 0x50 || bytes[at + 1] !== 0x4b || bytes[at + 2] !== 5 || bytes[at + 3] !== 6) continue;
    reader.offset = at + 10;
    const count = reader.u16("entry count");
    const size = reader.u32("directory size");
    const offset = reader.u32("directory offset");
    if (reader.u16("comment length") !== reader.left) continue;
    if (count === 0xffff || size === 0xffffffff || offset === 0xffffffff) return findEnd64(reader, at);
    return { count, offset };
  }
  const isZip = bytes.length >= 4 && new ByteReader(where, bytes).u32("signature") === LOCAL;
  throw new FormatError(
    isZip
      ? `${where}: the zip archive has no end record; the file is truncated`
      : `${where}: not a zip archive (${bytes.length} bytes)`,
  );
}

function findEnd64(reader: ByteReader, end: number): { count: number; offset: number } {
  const { where } = reader;
  if (end < 20) throw new FormatError(`${where}: the zip64 locator is missing`);
  reader.offset = end - 20;
  if (reader.u32("zip64 locator") !== END64_LOCATOR) throw new FormatError(`${where}: the zip64 locator is missing`);
  reader.skip(4, "zip64 locator");
  const at = reader.u64("zip64 end offset");
  reader.offset = 0;
  reader.skip(at, "zip64 end record");
  if (reader.u32("zip64 end record") !== END64) throw new FormatError(`${where}: the zip64 end record is missing`);
  reader.skip(28, "zip64 end record");
  const count = reader.u64("entry count");
  reader.skip(8, "directory size");
  return { count, offset: reader.u64("directory offset") };
}

function readEntry(reader: ByteReader): Entry {
  const { where } = reader;
  if (reader.u32("directory record") !== CENTRAL) {
    throw new FormatError(`${where}: the zip directory is damaged at offset ${reader.offset - 4}`);
  }
  reader.skip(4, "versions");
  const flags = reader.u16("flags");
  const method = reader.u16("method");
  reader.skip(4, "time");
  const crc = reader.u32("CRC");
  let packed = reader.u32("packed size");
  let size = reader.u32("size");
  const nameLength = reader.u16("name length");
  const extraLength = reader.u16("extra length");
  const commentLength = reader.u16("comment length");
  reader.skip(8, "attributes");
  let offset = reader.u32("entry offset");
  const name = decodeUtf8(where, reader.take(nameLength, "name"));
  const extra = new ByteReader(where, reader.take(extraLength, "extra field"));
  reader.skip(commentLength, "comment");
  if (flags & 1) throw new UnsupportedError(`${where}: "${name}" is encrypted`);
  while (extra.left >= 4) {
    const id = extra.u16("extra field");
    const field = new ByteReader(where, extra.take(extra.u16("extra field"), "extra field"));
    if (id !== 1) continue;
    if (size === 0xffffffff) size = field.u64("zip64 size");
    if (packed === 0xffffffff) packed = field.u64("zip64 packed size");
    if (offset === 0xffffffff) offset = field.u64("zip64 offset");
  }
  return { name, method, crc, packed, size, offset };
}

function unpack(where: string, bytes: Uint8Array, entry: Entry): Uint8Array {
  const { name, method, packed, size } = entry;
  const reader = new ByteReader(`${where}: "${name}"`, bytes);
  reader.skip(entry.offset, "entry");
  if (reader.u32("local header") !== LOCAL) throw new FormatError(`${where}: "${name}" has no local header`);
  reader.skip(22, "local header");
  const nameLength = reader.u16("name length");
  const extraLength = reader.u16("extra length");
  reader.skip(nameLength + extraLength, "local header");
  const data = reader.take(packed, "data");
  if (method !== 0 && method !== 8) {
    throw new UnsupportedError(`${where}: "${name}" uses zip method ${method}; only stored and deflate are read`);
  }
  if (method === 0 ? size !== packed : size > packed * MAX_RATIO) {
    throw new LimitError(`${where}: "${name}" claims ${size} bytes unpacked from ${packed}, which cannot be`);
  }
  const out = method === 0 ? data : guard(where, () => inflateSync(data, { out: new Uint8Array(size) }));
  if (out.length !== size || crc32(out) !== entry.crc) {
    throw new FormatError(`${where}: "${name}" does not match its checksum; the file is damaged`);
  }
  return out;
}
