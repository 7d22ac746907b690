/** Folders to write into: made where they are not there, and tried before any work is done. */
import { mkdir, open, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkPath, ioError, isDevice } from "./atomic.js";
import { followLinks } from "./links.js";
import { temporaryFor } from "./temporary.js";

/**
 * Makes the folders of these files where they are not there and tries each by a file; an IoError now, not after hours,
 * also for a path that is a folder itself. Of links, those that they lead to. An OptionError for an empty path.
 */
export async function checkWritable(paths: readonly string[]): Promise<void> {
  const folders = new Set<string>();
  for (const path of paths) {
    checkPath("write", path);
    if (await isDevice(path)) continue;
    const target = await followLinks(path).catch((cause) => {
      throw ioError("write", path, cause);
    });
    folders.add(dirname(target));
  }
  for (const folder of folders) {
    try {
      await makeFolder(folder);
      const probe = await temporaryFor(join(folder, "strata"));
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

/**
 * `mkdir -p`, through links to what is not there yet as well. Node's own `recursive` (20, 22) never returns where a folder
 * refuses with ENOENT, as /proc does.
 */
export async function makeFolder(folder: string): Promise<void> {
  const isThere = async (path: string) => (await stat(path).catch(() => undefined)) !== undefined;
  if (await isThere(folder)) return;
  const target = await followLinks(folder);
  if (target !== folder) return makeFolder(target);
  const parent = dirname(folder);
  if (parent !== folder) await makeFolder(parent);
  await mkdir(folder).catch(async (cause) => {
    // Somebody else may have made it just now.
    if (!(await isThere(folder))) throw cause;
  });
}
