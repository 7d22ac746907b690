/**
 * One process at a time in a model's folder: two downloads would write into the same beginning of a file. The lock is a file
 * that names its process; one whose process is gone does not count.
 */
import { open, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { IoError } from "../../errors.js";
import { ioError } from "../atomic.js";

const LOCK = ".lock";

/** Runs `work` while nobody else is in the folder, which is there; an IoError that says who is. */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK);
  await take(path);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<void> {
  for (let stale = false; ; stale = true) {
    try {
      const file = await open(path, "wx");
      await file.writeFile(`${process.pid} ${hostname()}\n`).finally(() => file.close());
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw ioError("write", path, cause);
    }
    const holder = await readFile(path, "utf8").catch(() => "");
    const [pid, host] = holder.trim().split(" ");
    if (stale || host !== hostname() || isAlive(Number(pid))) {
      const who = holder === "" ? "another strata" : `another strata (process ${pid} on ${host})`;
      throw new IoError(`${who} is at work there; if it is not, remove ${path}`);
    }
    await rm(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is alive as well.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
