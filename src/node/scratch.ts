/** Folders for what appears whole, under a name that it gets by renaming: unpacked archives, new models. */
import { mkdir, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ioError } from "./atomic.js";
import { makeFolder } from "./folders.js";
import { followLinks } from "./links.js";
import { temporaryFor } from "./temporary.js";

/**
 * Runs `work` with an empty folder of a name that nobody else has, and with where `target` leads, beside which that folder lies;
 * afterwards it is gone, unless `work` has renamed it. Folders around `target` are made. What killed processes have left there
 * goes, as with temporary files.
 */
export async function withScratch<T>(
  target: string,
  work: (scratch: string, target: string) => Promise<T>,
): Promise<T> {
  // Resolved, for with a slash at its end it would lie in the folder.
  let place = resolve(target);
  let scratch: string;
  try {
    place = await followLinks(place);
    await makeFolder(dirname(place));
    scratch = await temporaryFor(place);
    await mkdir(scratch);
  } catch (cause) {
    throw ioError("write into", dirname(place), cause);
  }
  try {
    return await work(scratch, place);
  } finally {
    await rm(scratch, { recursive: true, force: true }).catch(() => {});
  }
}
