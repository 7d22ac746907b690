/**
 * Folders of our own for what appears whole: unpacked archives, new models. They lie beside what they become, so that a renaming
 * is all that is left to do, under names that nobody else has. Each holds its owner's lock; what a killed process has left, the
 * next one with the same target removes.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, realpath, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { StrataError } from "../errors.js";
import { ioError } from "./atomic.js";
import { makeFolder } from "./folders.js";
import { lockPath, shortName, takeLock } from "./lock.js";

const ENDING = ".strata-scratch";

/** Milliseconds after which a folder without a lock is none that is just being made. */
const MAKING = 60_000;

/**
 * Runs `work` with an empty folder on the file system of `target`; afterwards the folder is gone, with what is still in it.
 * Folders around `target` are made.
 */
export async function withScratch<T>(target: string, work: (folder: string) => Promise<T>): Promise<T> {
  // Resolved, for with a slash at its end it would lie in the folder; of a link, beside what it leads to.
  const plain = await realpath(target).catch(() => resolve(target));
  const [parent, name] = [dirname(plain), `.${shortName(basename(plain))}.`];
  const own = join(parent, `${name}${randomBytes(8).toString("hex")}${ENDING}`);
  const folder = join(own, "content");
  try {
    await makeFolder(parent);
    await sweep(parent, name);
    await mkdir(own);
    await takeLock(lockPath(own), own);
    await mkdir(folder);
  } catch (cause) {
    await rm(own, { recursive: true, force: true }).catch(() => {});
    throw cause instanceof StrataError ? cause : ioError("write into", parent, cause);
  }
  try {
    return await work(folder);
  } finally {
    await rm(own, { recursive: true, force: true }).catch(() => {});
  }
}

/** Removes the scratch folders for that target whose process is gone. */
async function sweep(parent: string, name: string): Promise<void> {
  for (const entry of await readdir(parent, { withFileTypes: true })) {
    const id = entry.name.slice(name.length, -ENDING.length);
    const isOurs = entry.name.startsWith(name) && entry.name.endsWith(ENDING) && /^[0-9a-f]{16}$/.test(id);
    if (!isOurs || !entry.isDirectory()) continue;
    const path = join(parent, entry.name);
    const isMade = (await stat(lockPath(path)).catch(() => null)) !== null;
    const age = Date.now() - ((await stat(path).catch(() => null))?.mtimeMs ?? Number.POSITIVE_INFINITY);
    if (!isMade && !(age > MAKING)) continue;
    const lock = await takeLock(lockPath(path), path).catch(() => null);
    if (lock) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}
