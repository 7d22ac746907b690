/** The model that compiles and tracks targets unless a flag names another. */
import type { OpenOptions } from "../../node/extractor.js";
import { type ExtractionFlags, openOptions } from "../arguments.js";

const TRACK_MODEL = "strata-xs";

/** Options for `openExtractor`. */
export function trackOptions(flags: ExtractionFlags): OpenOptions {
  const options = openOptions(flags);
  return options.model === undefined && options.attentionCkpt === undefined
    ? { ...options, model: TRACK_MODEL }
    : options;
}
