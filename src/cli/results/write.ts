/** Writing features and matches of many images: where they go, in which format, and that nothing is lost on the way. */
import { readdir, stat } from "node:fs/promises";
import { basename } from "node:path";
import { OptionError } from "../../errors.js";
import { writeFileAtomic } from "../../node/atomic.js";
import { makeFolder } from "../../node/folders.js";

/** An OptionError for a path that is taken (an empty folder is not), unless `allowed`; `remedy` says what allows it. */
export async function refuseExisting(path: string, allowed = false, remedy = "--force writes over it"): Promise<void> {
  if (allowed) return;
  const there = await stat(path).catch(() => undefined);
  const isEmpty = there?.isDirectory() && (await readdir(path)).length === 0;
  if (there && !isEmpty) throw new OptionError(`${path} is there already; ${remedy}`);
}

/** Writes a file below a folder that is made for it; whole or not at all. */
export async function writeBelow(path: string, content: Uint8Array): Promise<void> {
  await makeFolder(path.slice(0, -basename(path).length) || ".");
  await writeFileAtomic(path, content);
}
