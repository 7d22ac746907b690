/**
 * Bytes that can be read in pieces, whether they lie in memory or in a file: what readers of large files ask for only
 * what they need. Pieces of memory are views; pieces of a file are new arrays, so that values in them are aligned.
 */
import { checkBytes } from "../check.js";
import { FormatError } from "../errors.js";

/** Bytes that are asked for by range. */
export interface ByteSource {
  /** Bytes in all. */
  readonly size: number;
  /** The bytes from `offset` on; called only for ranges inside of `size` (`readRange` checks them). */
  read(offset: number, length: number): Uint8Array;
}

/** Bytes in memory, or a source of them. */
export type Bytes = Uint8Array | ByteSource;

export function sourceOf(bytes: Bytes): ByteSource {
  if (!(bytes instanceof Uint8Array)) {
    const given = bytes as ByteSource | null | undefined;
    if (typeof given?.read === "function" && Number.isSafeInteger(given.size)) return given;
  }
  const whole = checkBytes("reading", bytes);
  return { size: whole.length, read: (offset, length) => whole.subarray(offset, offset + length) };
}

/** `length` bytes from `offset` on; FormatError that begins with `where` and says `what` when they are not there. */
export function readRange(where: string, source: ByteSource, offset: number, length: number, what: string): Uint8Array {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!whole || offset + length > source.size) {
    throw new FormatError(
      `${where}: ${what} needs ${length} bytes at offset ${offset}, the file has ${source.size}; it is truncated or damaged`,
    );
  }
  return source.read(offset, length);
}
