/**
 * The directory of a zip archive: what its entries are called, how long they are, where they lie. Read from the end of
 * the file, as APPNOTE.TXT 4.3 and 4.4 want it, zip64 included; nothing in the archive's middle is looked at.
 */
import { FormatError, UnsupportedError } from "../../errors.js";
import { ByteReader, decodeUtf8 } from "../bytes.js";
import { type ByteSource, readRange } from "../source.js";

const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

/** Lengths of the end record without its comment, of zip64's end record and of its locator. */
const END_LENGTH = 22;
const END64_LENGTH = 56;
const LOCATOR_LENGTH = 20;

/** A 32-bit field whose value stands in the zip64 field instead. */
const ELSEWHERE = 0xffffffff;

export interface ZipEntry {
  name: string;
  /** 0: stored, 8: deflated. */
  method: number;
  crc: number;
  /** Bytes in the archive and unpacked. */
  packed: number;
  size: number;
  /** Of the local header. */
  offset: number;
}

interface Directory {
  count: number;
  offset: number;
  length: number;
}

/** The entries in the archive's order. FormatError for damage, UnsupportedError for encrypted entries. */
export function readDirectory(where: string, source: ByteSource): ZipEntry[] {
  const { count, offset, length } = findDirectory(where, source);
  const reader = new ByteReader(where, readRange(where, source, offset, length, "the zip directory"));
  const entries: ZipEntry[] = [];
  // An entry has at least 46 bytes, so a false count runs out of bytes, not of memory.
  for (let i = 0; i < count; i++) entries.push(readEntry(reader, offset));
  return entries;
}

/** Where the directory lies, from the record at the end of the file; behind that, a comment may stand. */
function findDirectory(where: string, source: ByteSource): Directory {
  const start = Math.max(0, source.size - END_LENGTH - 0xffff);
  const tail = new ByteReader(where, source.read(start, source.size - start));
  for (let at = tail.bytes.length - END_LENGTH; at >= 0; at--) {
    const { bytes } = tail;
    if (bytes[at] !== 0x50 || bytes[at + 1] !== 0x4b || bytes[at + 2] !== 5 || bytes[at + 3] !== 6) continue;
    tail.offset = at + 10;
    const count = tail.u16("entry count");
    const length = tail.u32("directory size");
    const offset = tail.u32("directory offset");
    if (tail.u16("comment length") !== tail.left) continue;
    if (count === 0xffff || length === ELSEWHERE || offset === ELSEWHERE) {
      return findDirectory64(where, source, start + at);
    }
    return { count, offset, length };
  }
  const isZip = source.size >= 4 && new ByteReader(where, source.read(0, 4)).u32("signature") === LOCAL;
  throw new FormatError(
    isZip
      ? `${where}: the zip archive has no end record; the file is truncated`
      : `${where}: not a zip archive (${source.size} bytes)`,
  );
}

function findDirectory64(where: string, source: ByteSource, end: number): Directory {
  if (end < LOCATOR_LENGTH) throw new FormatError(`${where}: the zip64 locator is missing; the file is damaged`);
  const locator = new ByteReader(where, source.read(end - LOCATOR_LENGTH, LOCATOR_LENGTH));
  if (locator.u32("zip64 locator") !== END64_LOCATOR) {
    throw new FormatError(`${where}: the zip64 locator is missing; the file is damaged`);
  }
  locator.skip(4, "zip64 locator");
  const at = locator.u64("zip64 end offset");
  const record = new ByteReader(where, readRange(where, source, at, END64_LENGTH, "the zip64 end record"));
  if (record.u32("zip64 end record") !== END64) {
    throw new FormatError(`${where}: the zip64 end record is missing; the file is damaged`);
  }
  record.skip(28, "zip64 end record");
  const count = record.u64("entry count");
  const length = record.u64("directory size");
  return { count, length, offset: record.u64("directory offset") };
}

function readEntry(reader: ByteReader, start: number): ZipEntry {
  const { where } = reader;
  if (reader.u32("directory record") !== CENTRAL) {
    throw new FormatError(`${where}: the zip directory is damaged at offset ${start + reader.offset - 4}`);
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
  const extra = new ByteReader(`${where}: "${name}"`, reader.take(extraLength, "extra field"));
  reader.skip(commentLength, "comment");
  if (flags & 1) throw new UnsupportedError(`${where}: "${name}" is encrypted; decrypt the archive first`);
  let missing = size === ELSEWHERE || packed === ELSEWHERE || offset === ELSEWHERE;
  while (extra.left >= 4) {
    const id = extra.u16("extra field");
    const field = new ByteReader(extra.where, extra.take(extra.u16("extra field"), "extra field"));
    if (id !== 1) continue;
    missing = false;
    if (size === ELSEWHERE) size = field.u64("zip64 size");
    if (packed === ELSEWHERE) packed = field.u64("zip64 packed size");
    if (offset === ELSEWHERE) offset = field.u64("zip64 offset");
  }
  if (missing) throw new FormatError(`${where}: "${name}" has no zip64 field for its size; the file is damaged`);
  return { name, method, crc, packed, size, offset };
}
