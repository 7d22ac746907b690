/** Outputs that would take the place of what is there. */
import { readdir, realpath, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { OptionError } from "../errors.js";

/** An OptionError where an output would take the place of what is read: images, unless `what` says otherwise. */
export async function refuseOverwriting(
  read: readonly string[],
  outputs: readonly string[],
  what = "one of the images",
): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => resolve(path));
  const inputs = new Set<string>();
  for (const path of read) inputs.add(await real(path));
  for (const output of outputs) {
    if (inputs.has(await real(output))) {
      throw new OptionError(`${output} is ${what} and would be overwritten; name another output`);
    }
  }
}

/** An OptionError for a path that is taken (an empty folder is not), unless `allowed`; `remedy` says what allows it. */
export async function refuseExisting(path: string, allowed = false, remedy = "--force writes over it"): Promise<void> {
  if (allowed) return;
  const there = await stat(path).catch(() => undefined);
  const isEmpty = there?.isDirectory() && (await readdir(path)).length === 0;
  if (there && !isEmpty) throw new OptionError(`${path} is there already; ${remedy}`);
}
