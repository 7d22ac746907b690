/** The content of one entry of a zip archive: where it lies, unpacked, its CRC compared. */
import { Inflate, type Unzlib } from "fflate";
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
  const out = method === 0 ? data : inflateEntry(own, data, size);
  if (crc32(out) !== entry.crc) throw new FormatError(`${own} does not match its checksum; the file is damaged`);
  return out;
}

/** As many bytes as the directory claims; a FormatError as soon as there are more, and where there are less. */
function inflateEntry(own: string, data: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  inflatePieces(own, new Inflate(), data, (piece) => {
    if (at + piece.length > size) {
      throw new FormatError(`${own} claims ${size} bytes unpacked, and has more; the file is damaged`);
    }
    out.set(piece, at);
    at += piece.length;
  });
  if (at < size) throw new FormatError(`${own} claims ${size} bytes unpacked, and has ${at}; the file is damaged`);
  return out;
}

/** Bytes that are pushed at once: they may grow a thousandfold before `take` is asked whether that is too much. */
const STEP = 1 << 16;

/**
 * Inflates `data` piece by piece; `take` may throw to stop. fflate throws its own errors, and RangeErrors on damage; both
 * become FormatErrors. A stream that ends too early is not noticed: the caller compares lengths or checksums.
 */
export function inflatePieces(
  where: string,
  stream: Inflate | Unzlib,
  data: Uint8Array,
  take: (piece: Uint8Array) => void,
): void {
  stream.ondata = take;
  try {
    for (let i = 0; i < data.length; i += STEP) stream.push(data.subarray(i, i + STEP), i + STEP >= data.length);
  } catch (cause) {
    if (cause instanceof StrataError) throw cause;
    throw new FormatError(`${where}: compressed data is damaged (${(cause as Error).message})`, { cause });
  }
}
