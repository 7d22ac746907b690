/**
 * A file as a source of bytes: pieces are read where they lie when they are asked for, into arrays of their own, so
 * memory holds what was asked for and no more. Reading is synchronous, for the parsers that ask are.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { FormatError, IoError, LimitError, StrataError } from "../errors.js";
import type { ByteSource } from "../formats/source.js";
import { ioError } from "./atomic.js";

/** Node reads at most 2 GiB − 1 bytes at once. */
const MOST_AT_ONCE = 2 ** 30;

export class FileSource implements ByteSource {
  readonly size: number;
  private readonly descriptor: number;

  /**
   * Opens the file; `dispose` closes it, and pieces that were read stay valid. IoError when it is missing, a folder, no
   * regular file or not readable, FormatError when it is empty.
   */
  constructor(readonly path: string) {
    try {
      // Before it is opened: a pipe would keep us waiting for its writer.
      const info = statSync(path);
      if (info.isDirectory()) throw new IoError(`cannot read ${path}: it is a folder`);
      if (!info.isFile()) throw new IoError(`cannot read ${path}: it is not a regular file`);
      if (info.size === 0) throw new FormatError(`${path} is empty`);
      this.size = info.size;
      this.descriptor = openSync(path, "r");
    } catch (cause) {
      if (cause instanceof StrataError) throw cause;
      throw ioError("read", path, cause);
    }
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = this.allocate(length);
    for (let at = 0; at < length; ) {
      const count = this.readInto(bytes, at, Math.min(length - at, MOST_AT_ONCE), offset + at);
      if (count === 0) throw new IoError(`cannot read ${this.path}: it became shorter while it was read`);
      at += count;
    }
    return bytes;
  }

  private allocate(length: number): Uint8Array {
    try {
      return new Uint8Array(length);
    } catch (cause) {
      throw new LimitError(`${this.path}: a piece of ${length} bytes does not fit the memory`, { cause });
    }
  }

  private readInto(bytes: Uint8Array, at: number, length: number, position: number): number {
    try {
      return readSync(this.descriptor, bytes, at, length, position);
    } catch (cause) {
      throw ioError("read", this.path, cause);
    }
  }

  dispose(): void {
    closeSync(this.descriptor);
  }
}
