/**
 * Zip archives (npz, PyTorch checkpoints) read with suspicion: the central directory decides, sizes are checked before
 * anything is inflated, entries may not lie outside the file, and every CRC is compared. Inflating is fflate's; its own
 * `unzipSync` checks neither CRCs nor sizes.
 */

import { Unzlib, type Zippable, zipSync } from "fflate";
import { checkBytes, checkIterable, checkList, checkText, wrong } from "../check.js";
import { FormatError } from "../errors.js";
import { withDefaults } from "../options.js";
import { adler32, ByteReader } from "./bytes.js";
import { checkByteLimit } from "./ndarray.js";
import { type ByteSource, sourceOf } from "./source.js";
import { readDirectory } from "./zip/directory.js";
import { inflatePieces, readEntryData } from "./zip/entry.js";

/** Most bytes that one archive may unpack to unless the caller asks for more: 2 GiB. */
export const DEFAULT_UNPACK_LIMIT = 2 ** 31;

/** Limits of unpacking. */
export interface ZipOptions {
  /** Most bytes that the entries may unpack to in all; default 2 GiB. */
  limit: number;
}

/** An open archive: entries are read, unpacked and checked when they are asked for. */
export interface ZipArchive {
  /** In the archive's order. */
  names: string[];
  /** The content of an entry; undefined where there is none of that name. */
  read(name: string): Uint8Array | undefined;
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
  const archive = openZip(where, sourceOf(checkBytes(where, bytes)), limit);
  return new Map(archive.names.map((name) => [name, archive.read(name) as Uint8Array]));
}

/** The directory alone; errors as of `readZip`, those of an entry when it is read. */
export function openZip(where: string, source: ByteSource, limit: number): ZipArchive {
  const entries = readDirectory(where, source);
  const total = entries.reduce((sum, entry) => sum + entry.size, 0);
  checkByteLimit(where, total, limit);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  if (byName.size < entries.length) {
    const twice = entries.find((entry) => byName.get(entry.name) !== entry);
    throw new FormatError(`${where}: two entries are named "${twice?.name}"`);
  }
  return {
    names: [...byName.keys()],
    read: (name) => {
      const entry = byName.get(name);
      return entry && readEntryData(where, source, entry);
    },
  };
}

/** A zip archive of those files; `compress` deflates, otherwise they are stored. The same files give the same bytes. */
export function writeZip(files: Iterable<[string, Uint8Array]>, options: { compress?: boolean } = {}): Uint8Array {
  const { compress } = withDefaults("writeZip", { compress: false }, options);
  checkIterable("writeZip", "files", files);
  const named = new Map<string, Uint8Array>();
  for (const entry of files) {
    const [name, bytes] = checkList("writeZip", "a file", entry);
    if (checkText("writeZip", "a file's name", name) === "")
      throw wrong("writeZip", "a file's name", "not empty", name);
    named.set(name as string, checkBytes(`writeZip: "${name}"`, bytes));
  }
  // Zip keeps local time from 1980 on; the first moment is what NumPy and reproducible builds write.
  return zipSync(Object.fromEntries(named) as Zippable, { level: compress ? 6 : 0, mtime: new Date(1980, 0, 1) });
}

/** What a zlib stream holds, its Adler-32 compared; LimitError once it grows over `limit` bytes. */
export function inflateZlib(where: string, bytes: Uint8Array, limit: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  inflatePieces(where, new Unzlib(), bytes, (chunk) => {
    total += chunk.length;
    checkByteLimit(where, total, limit);
    chunks.push(chunk);
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
