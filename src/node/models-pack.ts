/** A model of the default family written again: smaller, with scales or a name of its own, or the mean of several. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OptionError } from "../errors.js";
import { familyOf, openModel, scoreFamilyOf } from "../families.js";
import { type NdArray, ndarray, toFloat32 } from "../formats/ndarray.js";
import { readSafetensors, writeSafetensors } from "../formats/safetensors.js";
import { PACKINGS, type Packing, packTensors, unpackTensors } from "../model/pack.js";
import { checkChoice } from "../options.js";
import { TRAINING_ONLY } from "../train/detector/loss.js";
import { type ReadModel, readModelNamed } from "./extractor.js";
import { checkModelFolder, withModelFolder, writeModelFolder } from "./model-folder.js";
import { readCheckpoint } from "./train/checkpoint.js";

export interface PackOptions {
  /** The model folder to write. */
  out: string;
  /** How weights are stored. */
  weights: Packing;
  /** Default: the model's. */
  name?: string;
  /** Scales at which the packed model looks for keypoints; default: the model's. */
  scales?: readonly number[];
  /** Default: the model's. */
  maxKeypoints?: number;
  /** Whether a model that is in `out` is written over; default false. */
  force?: boolean;
}

export interface PackReport {
  out: string;
  name: string;
  bytes: number;
  sha256: string;
  /** Largest change of a number, as a share of the largest number of its tensor. */
  rounding: number;
}

/**
 * A model by name or folder, or a checkpoint of a training of the default family (RUN/checkpoints/step-N): its
 * parameters and running statistics without what only the training needs.
 */
async function readModelOrCheckpoint(model: string): Promise<Pick<ReadModel, "path" | "tensors"> & { json: unknown }> {
  if (!existsSync(join(model, "training.json"))) return readModelNamed(model);
  const { identity, tensors } = await readCheckpoint(model);
  const weights = new Map<string, NdArray>();
  for (const [name, tensor] of tensors) {
    if (!name.startsWith("adam.") && !TRAINING_ONLY.includes(name)) weights.set(name.replace(/^state\./, ""), tensor);
  }
  return { path: model, tensors: weights, json: identity.recipe.network };
}

/**
 * Packs a model, or the mean of the weights of several stages of one training (stochastic weight averaging, Izmailov et
 * al. 2018); the configuration is the first one's. OptionError for a model of another family, for models of different
 * shapes and for what is no option; FormatError, IoError for files.
 */
export async function packModel(models: readonly string[], options: PackOptions): Promise<PackReport> {
  const { out, weights, name, scales, maxKeypoints, force = false } = options;
  checkChoice("packModel", "weights", weights, PACKINGS);
  await checkModelFolder(out, force);
  const [first, ...others] = models;
  const { path, tensors, json } = await readModelOrCheckpoint(first);
  if (!json || !familyOf(path, json).score) {
    throw new OptionError(`${path} is no model of the default family; only these are packed`);
  }
  const all = [unpackTensors(path, tensors)];
  for (const other of others) {
    const read = await readModelOrCheckpoint(other);
    all.push(unpackTensors(read.path, read.tensors));
  }
  const plain = meanTensors(models, all);
  const packed = packTensors(plain, weights);
  const bytes = writeSafetensors(packed);
  const own = json as Record<string, unknown>;
  const detection = {
    ...(own.detection as object),
    ...(scales === undefined ? {} : { scales: [...scales] }),
    ...(maxKeypoints === undefined ? {} : { maxKeypoints }),
  };
  // A verdict is fitted to what is found, which other scales and numbers change.
  const { verdict, sha256: _, ...rest } = own;
  const kept = scales === undefined && maxKeypoints === undefined && verdict !== undefined ? { verdict } : {};
  const config = { ...rest, ...(name === undefined ? {} : { name }), detection, ...kept };
  scoreFamilyOf(path, config).parse(`${path}, packed`, config);
  // What is written must open.
  openModel(out, readSafetensors(bytes).tensors, config, {}, createHash("sha256").update(bytes).digest("hex"));
  const sha256 = await withModelFolder(out, () => writeModelFolder(out, bytes, config, { force }));
  const restored = unpackTensors(out, packed);
  return { out, name: String(config.name), bytes: bytes.length, sha256, rounding: largestRounding(plain, restored) };
}

/** The mean of each tensor; the models' names are for the error. */
function meanTensors(
  models: readonly string[],
  all: readonly ReadonlyMap<string, NdArray>[],
): ReadonlyMap<string, NdArray> {
  if (all.length === 1) return all[0];
  const mean = new Map<string, NdArray>();
  for (const [name, { shape }] of all[0]) {
    const values = all.map((tensors, i) => {
      const tensor = tensors.get(name);
      if (tensor?.shape.join() !== shape.join() || tensors.size !== all[0].size) {
        throw new OptionError(
          `${models[i]} is not of the shape of ${models[0]}: tensor "${name}"; no mean can be taken`,
        );
      }
      return toFloat32(tensor);
    });
    const sum = values[0].map((_, i) => values.reduce((total, own) => total + own[i], 0) / values.length);
    mean.set(name, ndarray(sum, [...shape]));
  }
  return mean;
}

function largestRounding(before: ReadonlyMap<string, NdArray>, after: ReadonlyMap<string, NdArray>): number {
  let worst = 0;
  for (const [name, tensor] of before) {
    const [a, b] = [toFloat32(tensor), toFloat32(after.get(name) ?? tensor)];
    let largest = 0;
    let apart = 0;
    for (let i = 0; i < a.length; i++) {
      largest = Math.max(largest, Math.abs(a[i]));
      apart = Math.max(apart, Math.abs(a[i] - b[i]));
    }
    if (largest > 0) worst = Math.max(worst, apart / largest);
  }
  return worst;
}
