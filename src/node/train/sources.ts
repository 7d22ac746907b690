/**
 * Sources of training pairs by a description that can be sent to another thread: a folder of photographs, MegaDepth, or
 * a module of one's own that exports `openPairs(options)`.
 */

import { checkObject, checkText } from "../../check.js";
import { OptionError } from "../../errors.js";
import { checkChoice } from "../../options.js";
import type { PairSource } from "../../train/types.js";
import { checkPath } from "../atomic.js";
import type { MegaDepthOptions } from "./megadepth.js";
import type { FoundPhotos, PhotoOptions } from "./photos.js";

/** Which source of pairs is opened. */
export type SourceSpec =
  | { kind: "photos"; options: Partial<PhotoOptions>; found?: FoundPhotos }
  | { kind: "megadepth"; options: Partial<MegaDepthOptions> }
  /** `url` of a module; `options` must be what structured cloning takes. */
  | { kind: "module"; url: string; options: unknown };

/** Sources of training and validation (null: none). */
export interface SourcePair {
  train: SourceSpec;
  validation: SourceSpec | null;
}

/**
 * Training and validation from one description. `validation`: other photographs (a folder) or scenes (a list) to validate
 * on, true for a part of these, false to train on all and validate on none.
 */
export function splitSources(
  all: Extract<SourceSpec, { kind: "photos" | "megadepth" }>,
  validation: string | boolean,
): SourcePair {
  checkChoice("splitSources", "kind", checkObject("splitSources", "the sources", all).kind, ["photos", "megadepth"]);
  checkObject("splitSources", "options", all.options);
  if (typeof validation !== "boolean") checkPath("splitSources: validation", validation);
  const part = (split: "all" | "train" | "validation", of?: string): SourceSpec =>
    all.kind === "photos"
      ? { kind: "photos", options: { ...all.options, ...(of !== undefined && { folder: of }), split } }
      : { kind: "megadepth", options: { ...all.options, ...(of !== undefined && { scenes: of }), split } };
  if (validation === false) return { train: part("all"), validation: null };
  if (validation === true) return { train: part("train"), validation: part("validation") };
  return { train: part("all"), validation: part("all", validation) };
}

/** Opens the source in this thread. Each kind is loaded when it is asked for: HDF5, which photographs do not need, is large. */
export async function openSource(spec: SourceSpec): Promise<PairSource> {
  const { kind, options } = checkObject("openSource", "spec", spec);
  checkChoice("openSource", "kind", kind, ["photos", "megadepth", "module"]);
  if (kind !== "module") checkObject("openSource", "options", options);
  switch (spec.kind) {
    case "photos":
      return (await import("./photos.js")).PhotoSource.open(spec.options, spec.found);
    case "megadepth":
      return (await import("./megadepth.js")).MegaDepthSource.open(spec.options);
    case "module":
      return openModule(spec.url, spec.options);
  }
}

async function openModule(url: string, options: unknown): Promise<PairSource> {
  checkText("openSource", "url", url);
  const module: Record<string, unknown> = await import(url).catch((cause: Error) => {
    throw new OptionError(`openSource: the module ${url} cannot be loaded: ${cause.message}`, { cause });
  });
  const { openPairs } = module;
  if (typeof openPairs !== "function") {
    throw new OptionError(
      `${url} must export openPairs(options), a function; it exports ${Object.keys(module).join(", ")}`,
    );
  }
  return openPairs(options);
}

/**
 * The description for one of `workers` threads: what `opened` found is not looked for again, and the threads share the
 * memory of one.
 */
export async function specForWorker(spec: SourceSpec, opened: PairSource, workers: number): Promise<SourceSpec> {
  if (spec.kind === "photos") {
    const { PHOTO_DEFAULTS, PhotoSource } = await import("./photos.js");
    const cache = (spec.options.cache ?? PHOTO_DEFAULTS.cache) / workers;
    const found = opened instanceof PhotoSource ? opened.found : spec.found;
    return { ...spec, options: { ...spec.options, cache }, found };
  }
  if (spec.kind === "megadepth") {
    const { MEGADEPTH_DEFAULTS } = await import("./megadepth.js");
    return { ...spec, options: { ...spec.options, cache: (spec.options.cache ?? MEGADEPTH_DEFAULTS.cache) / workers } };
  }
  return spec;
}
