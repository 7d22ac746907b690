/**
 * One process at a time where two would spoil each other's files. The lock is a small file that names its owner (owner.ts). A
 * lock whose owner is gone is taken over; so is an empty one, which a full disk or a crash leaves.
 */
import { createHash } from "node:crypto";
import { link, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { IoError } from "../errors.js";
import { ioError } from "./atomic.js";
import { followLinks } from "./links.js";
import { ownerLine, parseOwner, standingOf } from "./owner.js";
import { temporaryFor } from "./temporary.js";

export interface Lock {
  /** Gives the place free again; the second call does nothing. */
  release(): Promise<void>;
}

const NAME = ".strata.lock";

/** The lock file of a folder. */
export const lockPath = (folder: string): string => join(folder, NAME);

/** Bytes up to which a file's name is part of its lock's, which then no folder finds too long. */
const MAX_NAME = 50;

/** A file's name, or a digest of a long one: cut off, two names could become one. */
function shortName(name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME) return name;
  return createHash("sha256").update(name).digest("hex").slice(0, 32);
}

/**
 * The lock file of a file, or of a folder that is not there yet or becomes another one: it lies beside it. Of a link, beside
 * what it leads to, for that is what two processes would share.
 */
export async function lockBeside(path: string): Promise<string> {
  const plain = resolve(path);
  const target = await followLinks(plain).catch(() => plain);
  // By one path, whatever links are on the way.
  const folder = await realpath(dirname(target)).catch(() => dirname(target));
  return join(folder, `.${shortName(basename(target))}${NAME}`);
}

/** Runs `work` while nobody else holds the lock file `path`; see `takeLock`. */
export async function withLock<T>(path: string, place: string, work: () => Promise<T>): Promise<T> {
  const lock = await takeLock(path, place);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** Attempts to take a lock that others give free or take over at the same time. */
const ATTEMPTS = 5;

/**
 * Takes the lock file `path`, whose folder is there. `place` says in the error what is locked, e.g. "the folder runs/a".
 * An IoError with code ELOCKED as its cause's says who is at work there and which file to remove when nobody is.
 */
export async function takeLock(path: string, place: string): Promise<Lock> {
  const mine = await ownerLine();
  const lock: Lock = { release: () => release(path, mine) };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await create(path, mine)) return lock;
    const holder = await read(path);
    if (holder === null) continue;
    if (!(await isStale(path, holder))) throw await heldError(path, place, holder);
    if (await takeOver(path, mine)) return lock;
  }
  throw await heldError(path, place, (await read(path)) ?? "");
}

/** Makes the lock with its content in one step, so that nobody ever reads half of it. False where there is one. */
async function create(path: string, content: string): Promise<boolean> {
  const temporary = await temporaryFor(path);
  try {
    await write(temporary, content);
    try {
      await link(temporary, path);
      return true;
    } catch (cause) {
      // A file server may have made it and lost its answer on the way.
      if (codeOf(cause) === "EEXIST") return (await read(path)) === content;
    }
    // No hard links on this file system: the content follows a moment after the name.
    await write(path, content);
    return true;
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false;
    throw ioError("write", path, cause);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** A new file with that content, or none. */
async function write(path: string, content: string): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(content).finally(() => file.close());
  } catch (cause) {
    await rm(path, { force: true }).catch(() => {});
    throw cause;
  }
}

/** Milliseconds after which a lock without content was left by a crash, not just made. */
const EMPTY_AGE = 2000;

async function isStale(path: string, holder: string): Promise<boolean> {
  const owner = parseOwner(holder);
  if (owner) return (await standingOf(owner)) === "gone";
  // After a power cut a file may also be torn, or zeros. Anything else is no lock of ours, and nothing to remove.
  if (!/^[\0\s]*$|^\d+( \S*)?$/.test(holder)) return false;
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
  return age > EMPTY_AGE;
}

/**
 * Puts our lock in the place of a stale one; false where somebody else does, or has. Only one at a time may: else a second one,
 * which found the stale lock as well, would take away the lock that the first has just put there.
 */
async function takeOver(path: string, mine: string): Promise<boolean> {
  const guard = `${path}.takeover`;
  if (!(await create(guard, mine))) {
    const other = await read(guard);
    if (other !== null && (await isStale(guard, other))) await removeStale(guard, other);
    return false;
  }
  const temporary = await temporaryFor(path);
  try {
    const holder = await read(path);
    if (holder === null || !(await isStale(path, holder))) return false;
    await write(temporary, mine);
    await rename(temporary, path);
    return true;
  } catch (cause) {
    throw ioError("write", path, cause);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
    await release(guard, mine);
  }
}

/** Removes the guard of somebody who was killed within a take-over; one that took its place meanwhile goes back. */
async function removeStale(path: string, holder: string): Promise<void> {
  const aside = await temporaryFor(path);
  try {
    await rename(path, aside);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return;
    throw ioError("remove", path, cause);
  }
  if ((await read(aside)) !== holder) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function release(path: string, mine: string): Promise<void> {
  // A folder that was removed with its lock, or a lock that somebody removed by hand, is no error at the end.
  if ((await read(path)) === mine) await rm(path, { force: true }).catch(() => {});
}

async function heldError(path: string, place: string, holder: string): Promise<IoError> {
  const cause = Object.assign(new Error("locked"), { code: "ELOCKED" });
  const owner = parseOwner(holder);
  const standing = owner && (await standingOf(owner));
  const away = standing === "another container" || standing === "another host";
  const where = standing === "another container" ? `in another container on ${owner?.host}` : `on ${owner?.host}`;
  const who = owner ? `another strata (process ${owner.pid} ${where})` : "another strata";
  // A run that was killed on another machine leaves a lock that nobody else can judge.
  const unsure = away ? ", which cannot be seen from here" : "";
  return new IoError(
    `${who} is at work in ${place}; wait until it is done, or remove ${path} if it is not running${unsure}`,
    { cause },
  );
}

/** Whether an error says that another process holds a lock. */
export function isLocked(error: unknown): boolean {
  return error instanceof IoError && codeOf(error.cause) === "ELOCKED";
}

/** null: not there. */
const read = (path: string): Promise<string | null> => readFile(path, "utf8").catch(() => null);

function codeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException | null)?.code ?? "";
}
