/**
 * Unpacks .tar and .tar.gz, entry by entry, so that nothing but the current piece is in memory. Archives come from the
 * web: names that lead out of the folder, links and devices are refused, and entries and bytes are limited, by what a header
 * claims before anything of it is written. The files appear all at once, by renaming a finished folder.
 */
import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, rename, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Header } from "tar-stream";
import { FormatError, IoError, LimitError, StrataError } from "../errors.js";
import { isBelow } from "../names.js";
import { checkNumber, withDefaults } from "../options.js";
import { checkPeer, peerError } from "../peers.js";
import { ioError } from "./atomic.js";
import { makeFolder } from "./folders.js";
import { withScratch } from "./scratch.js";

export interface UnpackOptions {
  /** Whether to write the file of that name (as in the archive, "/" between folders); default: all. */
  filter?: (name: string) => boolean;
  /** An archive whose files all lie in one folder becomes that folder, without its name; default false. */
  unwrap?: boolean;
  /** Most entries; default 100,000. */
  maxEntries?: number;
  /** Most bytes when unpacked, skipped files included, and most that their headers may claim; default 64 GiB. */
  maxBytes?: number;
  /** Bytes of the archive read, of all. */
  onProgress?: (read: number, total: number) => void;
  /** Aborting leaves nothing behind; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface Unpacked {
  files: number;
  /** Bytes of the files written. */
  bytes: number;
  /** Files that the filter left out. */
  skipped: number;
}

const BLOCK = 512;

/** Deflate cannot do better than 1032 : 1. */
const MAX_RATIO = 1032;

type Settings = Required<Omit<UnpackOptions, "onProgress" | "signal">> & Pick<UnpackOptions, "onProgress" | "signal">;

/**
 * Unpacks the archive into `folder`, which must not be there or be empty. FormatError when it is no archive, is damaged
 * or truncated, or holds what is not taken; LimitError above the limits; IoError for the disk. On failure nothing is left.
 */
export async function unpackTar(path: string, folder: string, options: UnpackOptions = {}): Promise<Unpacked> {
  const settings = withDefaults<Settings>(
    "unpackTar",
    {
      filter: () => true,
      unwrap: false,
      maxEntries: 100_000,
      maxBytes: 64 * 2 ** 30,
      onProgress: undefined,
      signal: undefined,
    },
    options,
  );
  checkNumber("unpackTar", "maxEntries", settings.maxEntries, { min: 1 });
  checkNumber("unpackTar", "maxBytes", settings.maxBytes, { min: 1 });
  settings.signal?.throwIfAborted();
  const { compressed, size } = await sniff(path);
  await checkFree(folder);
  try {
    return await withScratch(folder, async (unpacking, target) => {
      const done = await unpackInto(unpacking, { path, compressed, size }, settings);
      await rmdir(target).catch(() => {});
      const [only, ...others] = await readdir(unpacking, { withFileTypes: true });
      const wrapped = settings.unwrap && others.length === 0 && only?.isDirectory();
      await rename(wrapped ? join(unpacking, only.name) : unpacking, target);
      return done;
    });
  } catch (cause) {
    if (settings.signal?.aborted || cause instanceof StrataError) throw cause;
    const isTaken = ["ENOTEMPTY", "EEXIST"].includes((cause as NodeJS.ErrnoException).code ?? "");
    throw ioError("unpack into", folder, cause, isTaken ? "it is there and not empty" : undefined);
  }
}

async function importTar(): Promise<typeof import("tar-stream")> {
  checkPeer("tar-stream");
  try {
    return await import("tar-stream");
  } catch (cause) {
    throw peerError("tar-stream", cause);
  }
}

interface Archive {
  path: string;
  compressed: boolean;
  size: number;
}

async function unpackInto(folder: string, archive: Archive, settings: Settings): Promise<Unpacked> {
  const { path } = archive;
  const { filter, maxEntries, signal } = settings;
  const claims = claimed(archive, settings);
  const tar = (await importTar()).extract();
  let failure: unknown;
  const fed = feed(archive, tar, settings).catch((cause: unknown) => {
    failure = cause;
  });
  const done: Unpacked = { files: 0, bytes: 0, skipped: 0 };
  try {
    let entries = 0;
    for await (const entry of tar) {
      if (++entries > maxEntries) throw new LimitError(`${path}: more than ${maxEntries} entries`);
      const { type } = entry.header;
      const name = safeName(path, entry.header);
      claims(name, entry.header.size);
      if (type === "directory") {
        entry.resume();
      } else if (!filter(name)) {
        done.skipped++;
        entry.resume();
      } else if (isSparse(entry.header)) {
        throw new FormatError(`${path}: "${printable(name)}" is a sparse file; only plain files are unpacked`);
      } else if (type === "file" || type === "contiguous-file") {
        done.bytes += await writeEntry(path, join(folder, name), name, entry as AsyncIterable<Uint8Array>);
        done.files++;
      } else {
        const what = type ?? "thing of unknown kind";
        throw new FormatError(`${path}: "${printable(name)}" is a ${what}; only files are unpacked`);
      }
    }
    await fed;
    if (failure !== undefined) throw failure;
    if (entries === 0) throw new FormatError(`${path}: the archive is empty`);
    return done;
  } catch (cause) {
    tar.destroy();
    await fed;
    signal?.throwIfAborted();
    // A damaged stream ends the entry that was being read: the damage is the reason.
    throw cause instanceof StrataError ? cause : archiveError(path, failure ?? cause);
  }
}

/** Adds up what headers claim; the function throws at the first claim that is too much, or cannot be. */
function claimed({ path, compressed, size }: Archive, { maxBytes }: Settings) {
  const possible = compressed ? size * MAX_RATIO : size;
  let total = 0;
  return (name: string, length: number): void => {
    total += length;
    const what = `${path}: unpacks to more than`;
    const claim = `"${printable(name)}" claims ${length} bytes`;
    if (total > maxBytes) throw new LimitError(`${what} the limit of ${maxBytes} bytes: ${claim}`);
    if (total > possible) throw new FormatError(`${what} ${size} bytes can hold: ${claim}; it is truncated or damaged`);
  };
}

/** Whether a file is stored without its holes, as GNU tar does in an archive of POSIX form: a plain file to whoever asks no further. */
function isSparse({ pax }: Header): boolean {
  return Object.keys(pax ?? {}).some((key) => key.startsWith("GNU.sparse."));
}

/** Sends the archive's bytes through, and looks at what it never shows: its length, and whether its end is there. */
async function feed(
  { path, compressed, size }: Archive,
  tar: NodeJS.WritableStream,
  settings: Settings,
): Promise<void> {
  const { maxBytes, onProgress, signal } = settings;
  const source = createReadStream(path, { highWaterMark: 1 << 18 });
  let [total, zeros] = [0, 0];
  async function* watch(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      total += chunk.length;
      if (total > maxBytes) throw new LimitError(`${path}: unpacks to more than the limit of ${maxBytes} bytes`);
      const end = trailingZeros(chunk);
      zeros = end === chunk.length ? zeros + end : end;
      onProgress?.(source.bytesRead, size);
      yield chunk;
    }
    // An archive ends with blocks of zeros; one that was cut between two files ends without.
    if (zeros < BLOCK) throw new FormatError(`${path}: the archive's end is missing; it is truncated`);
  }
  if (compressed) await pipeline(source, createGunzip(), watch, tar, { signal });
  else await pipeline(source, watch, tar, { signal });
}

/** Writes one file; its bytes. */
async function writeEntry(
  archive: string,
  target: string,
  name: string,
  entry: AsyncIterable<Uint8Array>,
): Promise<number> {
  let file: FileHandle;
  try {
    await makeFolder(dirname(target));
    file = await open(target, "wx");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST" || code === "EISDIR")
      throw new FormatError(`${archive}: "${printable(name)}" is in it twice`, { cause });
    if (code === "ENOTDIR") throw new FormatError(`${archive}: "${printable(name)}" lies in what is a file`, { cause });
    throw ioError("write", target, cause);
  }
  let length = 0;
  try {
    for await (const chunk of entry) {
      try {
        await file.writeFile(chunk);
      } catch (cause) {
        throw ioError("write", target, cause);
      }
      length += chunk.length;
    }
  } finally {
    await file.close();
  }
  return length;
}

/** The entry's name with its folders, when it stays inside; FormatError otherwise. */
function safeName(path: string, { name }: Header): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const outside = name.startsWith("/") || /^[a-z]:/i.test(name) || parts.includes("..") || /[\\\0]/.test(name);
  if (outside) throw new FormatError(`${path}: "${printable(name)}" would lie outside the folder; not unpacked`);
  const below = parts.join("/");
  if (below !== "" && !isBelow(below, process.platform)) {
    throw new FormatError(`${path}: "${printable(name)}" cannot be the name of a file on this system; not unpacked`);
  }
  return below;
}

/** What the file begins with decides; FormatError for what is no archive. */
async function sniff(path: string): Promise<{ compressed: boolean; size: number }> {
  let size: number;
  const start = Buffer.alloc(BLOCK);
  let length: number;
  try {
    const info = await stat(path);
    if (!info.isFile()) throw new IoError(`cannot read ${path}: it is not a regular file`);
    size = info.size;
    const file = await open(path);
    length = (await file.read(start, 0, BLOCK, 0).finally(() => file.close())).bytesRead;
  } catch (cause) {
    if (cause instanceof StrataError) throw cause;
    throw ioError("read", path, cause);
  }
  if (length === 0) throw new FormatError(`${path} is empty`);
  if (start[0] === 0x1f && start[1] === 0x8b) return { compressed: true, size };
  if (length === BLOCK && isTarHeader(start)) return { compressed: false, size };
  throw new FormatError(
    `${path}: expected a .tar or .tar.gz archive; it begins with ${beginning(start.subarray(0, length))}`,
  );
}

/** The header's own checksum: the sum of its bytes, with the field itself as spaces. */
function isTarHeader(block: Uint8Array): boolean {
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i];
  const stated = Number.parseInt(String.fromCharCode(...block.subarray(148, 156)), 8);
  return sum === stated || block.every((byte) => byte === 0);
}

/** The first bytes in words. */
function beginning(start: Uint8Array): string {
  const text = String.fromCharCode(...start.subarray(0, 24));
  if (/^\s*<(!doctype|html)/i.test(text)) return `"${printable(text)}", which is a web page`;
  if (text.startsWith("PK\x03\x04")) return "PK, which is a zip archive: unpack it yourself and give the folder";
  if (text.startsWith("BZh")) return "BZh, which is bzip2: unpack it to .tar first";
  if (text.startsWith("\xfd7zXZ")) return "7zXZ, which is xz: unpack it to .tar first";
  if (/^[\x20-\x7e\s]*$/.test(text)) return `"${printable(text)}"`;
  return `the bytes ${[...start.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}`;
}

async function checkFree(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw ioError("unpack into", folder, cause);
  });
  if (entries.length > 0) throw new IoError(`cannot unpack into ${folder}: it is there and not empty`);
}

/** Damage as zlib and tar-stream report it; failures of the disk as they are. */
function archiveError(path: string, cause: unknown): StrataError {
  if (cause instanceof StrataError) return cause;
  const { code = "", message, syscall } = cause as NodeJS.ErrnoException;
  if (syscall !== undefined) return ioError("read", path, cause);
  const truncated = code === "Z_BUF_ERROR" || message === "Unexpected end of data";
  const what = truncated ? "the archive is truncated" : `the archive is damaged: ${message}`;
  return new FormatError(`${path}: ${what}`, { cause });
}

function trailingZeros(chunk: Uint8Array): number {
  let at = chunk.length;
  while (at > 0 && chunk[at - 1] === 0) at--;
  return chunk.length - at;
}

function printable(text: string): string {
  return text.slice(0, 100).replace(/[^\x20-\x7e\u00a0-\uffff]/g, "?");
}
