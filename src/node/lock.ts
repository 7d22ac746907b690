/**
 * One process at a time where two would spoil each other's files. The lock is a small file that names its owner: process id,
 * when that process began (ids are used again), host. A lock whose owner is gone is taken over; so is an empty one, which a
 * full disk or a crash leaves.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { link, open, readFile, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { IoError } from "../errors.js";
import { ioError } from "./atomic.js";

export interface Lock {
  /** Gives the place free again; the second call does nothing. */
  release(): Promise<void>;
}

/** The lock file of a folder. */
export const lockPath = (folder: string): string => join(folder, ".lock");

/** Runs `work` while nobody else holds the lock file `path`; see `takeLock`. */
export async function withLock<T>(path: string, place: string, work: () => Promise<T>): Promise<T> {
  const lock = await takeLock(path, place);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/**
 * Takes the lock file `path`, whose folder is there. `place` says in the error what is locked, e.g. "the folder runs/a".
 * An IoError with code ELOCKED as its cause's says who is at work there and which file to remove when nobody is.
 */
export async function takeLock(path: string, place: string): Promise<Lock> {
  const mine = `${process.pid} ${await startOf(process.pid)} ${hostname()}\n`;
  // Two attempts may fail because somebody else takes over the same stale lock; then that one holds it.
  for (let attempt = 0; attempt < 3; attempt++) {
    if (await create(path, mine)) return { release: () => release(path, mine) };
    const holder = await readFile(path, "utf8").catch(() => null);
    if (holder === null) continue;
    if (!(await isStale(path, holder))) throw heldError(path, place, holder);
    await removeStale(path, holder);
  }
  throw heldError(path, place, await readFile(path, "utf8").catch(() => ""));
}

/** Makes the lock with its content in one step, so that nobody ever reads half of it. */
async function create(path: string, content: string): Promise<boolean> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`);
  try {
    const file = await open(temporary, "wx");
    await file.writeFile(content).finally(() => file.close());
    await link(temporary, path).catch(async (cause) => {
      if (codeOf(cause) === "EEXIST") throw cause;
      // No hard links on this file system: the content follows a moment after the name.
      const own = await open(path, "wx");
      await own.writeFile(content).finally(() => own.close());
    });
    return true;
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false;
    throw ioError("write", path, cause);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** Milliseconds after which a lock without content was left by a crash, not just made. */
const EMPTY_AGE = 2000;

async function isStale(path: string, holder: string): Promise<boolean> {
  const [pid, start, host] = holder.trim().split(" ");
  if (host === undefined) {
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    return age > EMPTY_AGE;
  }
  if (host !== hostname()) return false;
  return !isAlive(Number(pid)) || (start !== UNKNOWN && ![start, UNKNOWN].includes(await startOf(Number(pid))));
}

/** Removes the lock that `holder` left, unless somebody has taken its place in the meantime. */
async function removeStale(path: string, holder: string): Promise<void> {
  const aside = join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(4).toString("hex")}.stale`);
  try {
    await rename(path, aside);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return;
    throw ioError("remove", path, cause);
  }
  // Between reading and renaming another process may have taken over: its lock goes back.
  if ((await readFile(aside, "utf8").catch(() => holder)) !== holder) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function release(path: string, mine: string): Promise<void> {
  // A folder that was removed with its lock, or a lock that somebody removed by hand, is no error at the end.
  if ((await readFile(path, "utf8").catch(() => null)) === mine) await rm(path, { force: true }).catch(() => {});
}

function heldError(path: string, place: string, holder: string): IoError {
  const [pid, , host] = holder.trim().split(" ");
  const who = host === undefined ? "another strata" : `another strata (process ${pid} on ${host})`;
  const cause = Object.assign(new Error("locked"), { code: "ELOCKED" });
  return new IoError(`${who} is at work in ${place}; wait until it is done, or remove ${path} if it is not running`, {
    cause,
  });
}

/** Whether an error says that another process holds a lock. */
export function isLocked(error: unknown): boolean {
  return error instanceof IoError && codeOf(error.cause) === "ELOCKED";
}

const UNKNOWN = "?";

/** When a process began, as the system says it, in one word; UNKNOWN where it does not. */
async function startOf(pid: number): Promise<string> {
  try {
    if (process.platform === "linux") {
      const text = await readFile(`/proc/${pid}/stat`, "utf8");
      // The second field, the program's name in brackets, may hold anything; the 22nd is the start in clock ticks.
      return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? UNKNOWN;
    }
    if (process.platform === "win32") return UNKNOWN;
    const { stdout } = await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(pid)]);
    return stdout.trim().replace(/\s+/g, "-") || UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is alive as well.
    return codeOf(error) === "EPERM";
  }
}

function codeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException | null)?.code ?? "";
}
