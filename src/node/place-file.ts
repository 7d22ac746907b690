/** A file that lies in two places of one disk: linked, for what is never changed needs no second copy. */
import { createReadStream } from "node:fs";
import { link, rename, rm } from "node:fs/promises";
import { ioError, writeFileAtomic } from "./atomic.js";
import { temporaryFor } from "./temporary.js";

/** Puts the file `from` at `to` as well, whole or not at all: a hard link, or a copy where the file system makes none. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  const temporary = await temporaryFor(to);
  const isLinked = await link(from, temporary).then(
    () => true,
    () => false,
  );
  if (!isLinked) return writeFileAtomic(to, piecesOf(from));
  try {
    await rename(temporary, to);
  } catch (cause) {
    throw ioError("write", to, cause);
  } finally {
    // Of two names of one file, a renaming leaves both.
    await rm(temporary, { force: true });
  }
}

/** The bytes of a file, piece by piece. Opened when they are asked for: a stream that waits tells nobody of its errors. */
export async function* piecesOf(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path);
  } catch (cause) {
    throw ioError("read", path, cause);
  }
}
