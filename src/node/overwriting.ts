/** Outputs that would take the place of what is read. */
import { realpath } from "node:fs/promises";
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
