/** What a training of the default family begins with: its recipe, first weights, and photographs. */

import { fileURLToPath } from "node:url";
import { checkObject } from "../../check.js";
import { parseJson } from "../../formats/bytes.js";
import type { CompileOptions } from "../../graph/compile.js";
import { unpackTensors } from "../../model/pack.js";
import type { Beginning } from "../../train/detector/beginning.js";
import { type DetectorRecipe, parseDetectorRecipe } from "../../train/detector/recipe.js";
import { Teacher } from "../../train/detector/teacher.js";
import { checkPath, readFileChecked } from "../atomic.js";
import { readModelNamed } from "../extractor.js";
import { type SourcePair, splitSources } from "./sources.js";
import { digestOf, readWeights } from "./weights.js";

/**
 * The recipe in a JSON file, or one that comes with the package ("strata-s"). IoError where there is none, FormatError for
 * what is no JSON, OptionError for what is unknown or out of range.
 */
export async function readDetectorRecipe(nameOrFile: string): Promise<DetectorRecipe> {
  checkPath("readDetectorRecipe", nameOrFile);
  const isName = /^[\w-]+$/.test(nameOrFile);
  const file = isName
    ? fileURLToPath(new URL(`../../../models/recipes/${nameOrFile}.json`, import.meta.url))
    : nameOrFile;
  return parseDetectorRecipe(file, parseJson(file, await readFileChecked(file)));
}

/** Weights for `detectorTask` to begin with: those of a model's folder, a training's, or a file. */
export async function readBeginning(path: string): Promise<Beginning> {
  const tensors = unpackTensors(path, (await readWeights(path)).tensors);
  return { tensors, digest: digestOf(tensors) };
}

/** The teacher that a recipe names, opened; null where it has none. OptionError where the model is not what it says. */
export async function readTeacher(
  recipe: DetectorRecipe,
  runtime: Pick<CompileOptions, "runtime" | "backend" | "threads"> = {},
): Promise<Teacher | null> {
  checkObject("readTeacher", "recipe", recipe);
  checkObject("readTeacher", "runtime", runtime);
  const { teacher, network, data } = recipe;
  if (!teacher) return null;
  const { path, tensors, json, digest } = await readModelNamed(teacher.model);
  const model = { where: path, tensors, json, digest };
  return new Teacher(model, teacher, { size: data.cropSize, input: network.input }, runtime);
}

/** Pairs to train on and to validate on. */
export interface DetectorSources {
  /** Folder of photographs to train on. */
  photos: string;
  /** Folder of others to validate on; default true: a tenth of `photos`; false: train on all, validate on none. */
  validation?: string | boolean;
  seed: number;
}

/** Where the pairs of a recipe come from. */
export function detectorSources(recipe: DetectorRecipe, sources: DetectorSources): SourcePair {
  const where = "detectorSources";
  checkObject(where, "recipe.data", checkObject(where, "recipe", recipe).data);
  checkPath(`${where}: photos`, checkObject(where, "sources", sources).photos);
  const { data } = recipe;
  const before = recipe.teacher?.clean ?? false;
  const { photos, validation = true, seed } = sources;
  if (typeof validation !== "boolean") checkPath(`${where}: validation`, validation);
  return splitSources({ kind: "photos", options: { ...data, before, folder: photos, split: "all", seed } }, validation);
}
