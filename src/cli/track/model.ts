/** The model that compiles and tracks targets unless a flag names another. */
import { readFileChecked } from "../../node/atomic.js";
import type { OpenOptions } from "../../node/extractor.js";
import { openRegistry } from "../../node/models/registry.js";
import { TRACK_MODEL } from "../../track/model.js";
import { isTarget, readTarget } from "../../track/target-file.js";
import { type ExtractionFlags, openOptions } from "../arguments.js";

/** Options for `openExtractor`; `model` where no flag names one. */
export function trackOptions(flags: ExtractionFlags, model = TRACK_MODEL): OpenOptions {
  const options = openOptions(flags);
  return options.model === undefined && options.attentionCkpt === undefined ? { ...options, model } : options;
}

/** The model that the first compiled target of these files was compiled with, if its name is known; errors name the file. */
export async function modelOfTargets(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const bytes = await readFileChecked(path);
    if (!isTarget(bytes)) continue;
    const { name } = readTarget(bytes, path).model;
    return (await openRegistry()).find(name) ? name : undefined;
  }
  return undefined;
}
