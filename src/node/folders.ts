/** Folders to write into: made where they are not there, and tried before any work is done. */
import { randomBytes } from "node:crypto";
import { mkdir, open, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ioError } from "./atomic.js";

/**
 * Makes the folders of these files where they are not there and tries each by a file; an IoError now, not after hours,
 * also for a path that is a folder itself.
 */
export async function checkWritable(paths: readonly string[]): Promise<void> {
  for (const folder of new Set(paths.map((path) => dirname(path)))) {
    const probe = join(folder, `.strata.${process.pid}.${randomBytes(4).toString("hex")}.tmp`);
    try {
      await makeFolder(folder);
      await (await open(probe, "wx")).close();
      await rm(probe, { force: true });
    } catch (cause) {
      throw ioError("write into", folder, cause);
    }
  }
  for (const path of paths) {
    const there = await stat(path).catch(() => undefined);
    if (there?.isDirectory()) throw ioError("write", path, { code: "EISDIR" });
  }
}

/** `mkdir -p`. Node's own `recursive` (20, 22) never returns where a folder refuses with ENOENT, as /proc does. */
export async function makeFolder(folder: string): Promise<void> {
  const isThere = async (path: string) => (await stat(path).catch(() => undefined)) !== undefined;
  if (await isThere(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) await makeFolder(parent);
  await mkdir(folder).catch(async (cause) => {
    // Somebody else may have made it just now.
    if (!(await isThere(folder))) throw cause;
  });
}
