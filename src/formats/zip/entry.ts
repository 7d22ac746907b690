/** The content of one entry of a zip archive: where it lies, unpacked, its CRC compared. */
import { inflateSync } from "fflate";
import { FormatError, LimitError, StrataError, UnsupportedError } from "../../errors.js";
import { ByteReader, crc32 } from "../bytes.js";
import { type ByteSource, readRange } from "../source.js";
import type { ZipEntry } from "./directory.js";

const LOCAL = 0x04034b50;
const LOCAL_LENGTH = 30;

/** Deflate cannot do better than 1032 : 1, so a larger claim is a lie and nothing is allocated for it. */
const MAX_RATIO = 1032;

/** The bytes of an entry; of a stored one as the source gives them. */
export function readEntryData(where: string, source: ByteSource, entry: ZipEntry): Uint8Array {
  const { method, packed, size } = entry;
  const own = `${where}: "${entry.name}"`;
  const header = new ByteReader(own, readRange(own, source, entry.offset, LOCAL_LENGTH, "local header"));
  if (header.u32("local header") !== LOCAL) throw new FormatError(`${own} has no local header; the file is damaged`);
  header.skip(22, "local header");
  const start = entry.offset + LOCAL_LENGTH + header.u16("name length") + header.u16("extra length");
  if (method !== 0 && method !== 8) {
    throw new UnsupportedError(`${own} uses zip method ${method}; only stored and deflate are read`);
  }
  if (method === 0 ? size !== packed : size > packed * MAX_RATIO) {
    throw new LimitError(`${own} claims ${size} bytes unpacked from ${packed}, which cannot be`);
  }
  const data = readRange(own, source, start, packed, "data");
  const out = method === 0 ? data : guardInflate(where, () => inflateSync(data, { out: new Uint8Array(size) }));
  if (out.length !== size || crc32(out) !== entry.crc) {
    throw new FormatError(`${own} does not match its checksum; the file is damaged`);
  }
  return out;
}

/** fflate throws its own errors, and RangeErrors on damage; both become FormatErrors. */
export function guardInflate<T>(where: string, inflate: () => T): T {
  try {
    return inflate();
  } catch (cause) {
    if (cause instanceof StrataError) throw cause;
    throw new FormatError(`${where}: compressed data is damaged (${(cause as Error).message})`, { cause });
  }
}
