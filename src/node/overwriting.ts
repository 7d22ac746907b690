/** Outputs that would take the place of what is read. */
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { OptionError } from "../errors.js";

/** An OptionError where an output would take the place of an image that is read. */
export async function refuseOverwriting(images: readonly string[], outputs: readonly string[]): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => resolve(path));
  const inputs = new Set<string>();
  for (const image of images) inputs.add(await real(image));
  for (const output of outputs) {
    if (inputs.has(await real(output))) {
      throw new OptionError(`${output} is one of the images and would be overwritten; name another output`);
    }
  }
}
