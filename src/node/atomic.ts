/**
 * Files that are whole or not there: written under a temporary name in the same folder, flushed to the disk, renamed.
 * And reading with the failures that people meet said plainly.
 */

import { constants, open, readFile, rename, rm, stat } from "node:fs/promises";
import { checkIterable, described } from "../check.js";
import { FormatError, IoError, LimitError, OptionError, StrataError } from "../errors.js";
import { checkNumber, withDefaults } from "../options.js";
import { followLinks } from "./links.js";
import { temporaryFor } from "./temporary.js";

/** Node reads at most 2 GiB − 1 bytes of a file at once. */
const DEFAULT_FILE_LIMIT = 2 ** 31 - 1;

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of the path is a file, not a folder",
  EISDIR: "it is a folder",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would be larger than the system allows",
  ENAMETOOLONG: "the name is too long",
  EMFILE: "too many files are open at once; allow more (ulimit -n), or do less at a time (--jobs, --workers)",
  ENFILE: "too many files are open on this machine",
  ENOMEM: "memory ran out",
  ELOOP: "its links form a circle",
  EPIPE: "its reader has closed it",
  ECONNRESET: "its reader has closed it",
};

/**
 * Writes the file so that at every moment the old or the new content is there, whole. A link stays one and its target is
 * written; a device or a pipe takes the content as it comes. An IoError names path and reason, and the temporary file is gone.
 * Content may come in pieces; an error of ours in making them is passed on.
 */
export async function writeFileAtomic(path: string, content: Content): Promise<void> {
  checkPath("write", path);
  if (typeof content !== "string" && !(content instanceof Uint8Array))
    checkIterable(`write ${path}`, "content", content);
  try {
    if (await isDevice(path)) await writeNow(path, constants.O_WRONLY, content);
    else await replace(await followLinks(path), content);
  } catch (cause) {
    if (cause instanceof StrataError) throw cause;
    throw ioError("write", path, cause, codeOf(cause) === "ENOENT" ? "its folder does not exist" : undefined);
  }
}

type Content = Uint8Array | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

async function replace(path: string, content: Content): Promise<void> {
  const temporary = await temporaryFor(path);
  try {
    await writeNow(temporary, "wx", content);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw cause;
  }
}

async function writeNow(path: string, flags: "wx" | number, content: Content): Promise<void> {
  const file = await open(path, flags);
  try {
    // Each piece goes on where the last one ended.
    const pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
    for await (const piece of pieces) await file.writeFile(piece);
    if (flags === "wx") await file.sync();
  } finally {
    await file.close();
  }
}

/** Whether there is something that is neither file nor folder, which renaming would put out of the way: /dev/null, a pipe. */
export async function isDevice(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && !info.isFile() && !info.isDirectory();
}

/** An OptionError for what is no path, or the empty one. */
export function checkPath(verb: string, path: unknown): void {
  if (typeof path !== "string") throw new OptionError(`${verb}: expected the path of a file, got ${described(path)}`);
  if (path === "") throw new OptionError(`${verb}: the path is empty; name a file`);
  if (path.includes("\0")) throw new OptionError(`${verb}: a path cannot hold a zero byte`);
}

export interface ReadFileOptions {
  /** Largest file in bytes; default 2 GiB − 1. */
  limit: number;
}

/**
 * The bytes of a file. IoError when it is missing, a folder, not a regular file or not readable, FormatError when it is
 * empty, LimitError when it is larger than `limit`, before it is read.
 */
export async function readFileChecked(path: string, options: Partial<ReadFileOptions> = {}): Promise<Uint8Array> {
  checkPath("read", path);
  const { limit } = withDefaults<ReadFileOptions>("readFileChecked", { limit: DEFAULT_FILE_LIMIT }, options);
  checkNumber("readFileChecked", "limit", limit, { min: 0 });
  try {
    const info = await stat(path);
    if (info.isDirectory()) throw new IoError(`cannot read ${path}: it is a folder`);
    if (!info.isFile()) throw new IoError(`cannot read ${path}: it is not a regular file`);
    if (info.size === 0) throw new FormatError(`${path} is empty`);
    if (info.size > limit) throw new LimitError(`${path} has ${info.size} bytes, over the limit of ${limit}`);
    const bytes = await readFile(path);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (cause) {
    if (cause instanceof StrataError) throw cause;
    throw ioError("read", path, cause);
  }
}

/** An IoError that says what failed, where and why. */
export function ioError(verb: string, path: string, cause: unknown, reason = REASONS[codeOf(cause)]): IoError {
  return new IoError(`cannot ${verb} ${path}: ${reason ?? (cause as Error).message}`, { cause });
}

function codeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException | null)?.code ?? "";
}

/** Reasons of the system after which every further file would fail as well. */
const HOPELESS = ["ENOSPC", "EDQUOT", "EROFS", "EIO", "EFBIG"];

/** Whether an error says that nothing more can be written: the disk is full, read-only or broken. */
export function isHopeless(error: unknown): boolean {
  return HOPELESS.includes(codeOf(error instanceof StrataError ? error.cause : error));
}
