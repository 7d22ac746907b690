/**
 * Frozen weights for a training: a backbone, and encoders that were trained before. From a checkpoint (.ckpt, .pth), a
 * .safetensors file, a model folder, or the output of another training; torchvision's names of a ResNet are understood.
 */

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkMap, checkObject } from "../../check.js";
import { FormatError, OptionError } from "../../errors.js";
import { PREPROCESSINGS, type PreprocessingName } from "../../extract/preprocess.js";
import { parseJson } from "../../formats/bytes.js";
import { bytesOf, type NdArray } from "../../formats/ndarray.js";
import { readSafetensors } from "../../formats/safetensors.js";
import { readTorchCheckpoint } from "../../formats/torch.js";
import { BACKBONE_PREFIX, type Tensors } from "../../model/checkpoint.js";
import { checkChoice } from "../../options.js";
import { checkPath, readFileChecked } from "../atomic.js";

/** Tensors of a file or folder, and what it says of itself. */
export interface Weights {
  path: string;
  /** In the names of the reference's checkpoints. */
  tensors: Tensors;
  /** What the weights' configuration says that they were trained with; null where it says nothing. */
  preprocessing: PreprocessingName | null;
}

const ENCODER = /^feature_encoder\.e[123]\.0\./;
const MODEL = "model.safetensors";

/** The weights behind a path. OptionError where there are none, FormatError where they are damaged. */
export async function readWeights(path: string): Promise<Weights> {
  checkPath("readWeights", path);
  const file = await locate(path);
  const bytes = await readFileChecked(file);
  const isSafetensors = file.endsWith(".safetensors");
  const tensors = isSafetensors ? named(file, bytes) : readTorchCheckpoint(bytes, { name: file }).tensors;
  return {
    path: file,
    tensors: withPrefix(tensors),
    preprocessing: isSafetensors ? await preprocessingOf(file) : null,
  };
}

/** The file itself, or the one in a model folder or in a training's output. */
async function locate(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (!info) throw new OptionError(`no weights "${path}": there is no such file or folder`);
  if (!info.isDirectory()) return path;
  for (const file of [join(path, MODEL), join(path, "model", MODEL)]) {
    if ((await stat(file).catch(() => undefined))?.isFile()) return file;
  }
  throw new OptionError(
    `the folder "${path}" has neither ${MODEL} nor model/${MODEL}: it is no model folder and no finished training`,
  );
}

function named(path: string, bytes: Uint8Array): Tensors {
  try {
    return readSafetensors(bytes).tensors;
  } catch (error) {
    if (error instanceof FormatError) throw new FormatError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** A plain ResNet of torchvision gets the names that it has inside the reference's checkpoints. */
function withPrefix(tensors: Tensors): Tensors {
  if (!tensors.has("layer1.0.conv1.weight")) return tensors;
  return new Map([...tensors].map(([name, tensor]) => [BACKBONE_PREFIX + name, tensor]));
}

async function preprocessingOf(file: string): Promise<PreprocessingName | null> {
  const path = join(dirname(file), "config.json");
  if (!(await stat(path).catch(() => undefined))) return null;
  const { preprocessing } = parseJson(path, await readFileChecked(path)) as { preprocessing?: unknown };
  return PREPROCESSINGS.find((known) => known === preprocessing) ?? null;
}

/** Tensors of the backbone that inference needs. */
export const backboneOf = (tensors: Tensors): Map<string, NdArray> =>
  pick(tensors, (name) => name.startsWith(BACKBONE_PREFIX) && !name.startsWith(`${BACKBONE_PREFIX}fc.`));

/** Kernels and biases of the encoders of the three levels; empty where there are none. */
export const encodersOf = (tensors: Tensors): Map<string, NdArray> => pick(tensors, (name) => ENCODER.test(name));

const pick = (tensors: Tensors, wanted: (name: string) => boolean): Map<string, NdArray> =>
  new Map([...tensors].filter(([name]) => wanted(name)));

/** SHA-256 over names, types, shapes and values, in the order of names. */
export function digestOf(tensors: Tensors): string {
  const hash = createHash("sha256");
  for (const [name, { dtype, shape, data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name} ${dtype} [${shape}] `).update(bytesOf(data));
  }
  return hash.digest("hex");
}

/**
 * What a training starts from: the backbone of `backbone` (or of `encoder`, where that is not given) with the encoders
 * of `encoder` (or of `backbone`). OptionErrors for two backbones, or two preprocessings, that do not belong together.
 */
export function joinWeights(backbone: Weights | null, encoder: Weights | null): Weights {
  for (const [name, weights] of Object.entries({ backbone, encoder })) {
    if (weights === null) continue;
    checkMap("joinWeights", `${name}.tensors`, checkObject("joinWeights", name, weights).tensors);
  }
  const base = backbone ?? encoder;
  if (!base) throw new OptionError("training: no weights are given, not even a backbone's");
  const trunk = backboneOf(base.tensors);
  if (trunk.size === 0) {
    throw new FormatError(
      `${base.path}: no backbone in it (tensors named ${BACKBONE_PREFIX}* or as torchvision's ResNet)`,
    );
  }
  if (!encoder || encoder === base) return base;
  const own = backboneOf(encoder.tensors);
  if (own.size > 0 && digestOf(own) !== digestOf(trunk)) {
    throw new OptionError(
      `the encoder in ${encoder.path} was trained on another backbone than the one in ${base.path}; leave --backbone away, or train an encoder on it`,
    );
  }
  const encoders = encodersOf(encoder.tensors);
  if (encoders.size === 0) throw new FormatError(`${encoder.path}: no encoder in it (feature_encoder.e1.0.*, e2, e3)`);
  return {
    path: encoder.path,
    tensors: new Map([...trunk, ...encoders]),
    preprocessing: encoder.preprocessing ?? base.preprocessing,
  };
}

/** Weights that a training begins with. */
export interface TrainingWeights {
  /** Path of the backbone, and of encoders that were trained before; at least one is given. */
  backbone?: string;
  encoder?: string;
  /** Default: what the weights were trained with, else "none". */
  preprocessing?: PreprocessingName;
}

/** Reads what a training starts from (`joinWeights`); OptionError for an encoder that knows pixels prepared otherwise. */
export async function readTrainingWeights(
  given: TrainingWeights,
): Promise<Weights & { preprocessing: PreprocessingName }> {
  const where = "readTrainingWeights";
  const { backbone, encoder, preprocessing: wanted } = checkObject(where, "what is given", given) as TrainingWeights;
  if (wanted !== undefined) checkChoice(where, "preprocessing", wanted, PREPROCESSINGS);
  if (backbone === undefined && encoder === undefined) {
    throw new OptionError("say what to train on top of: --backbone FILE, or --encoder with a backbone in it");
  }
  const read = async (path: string | undefined) => (path === undefined ? null : readWeights(path));
  const weights = joinWeights(await read(backbone), await read(encoder));
  const preprocessing = wanted ?? weights.preprocessing ?? "none";
  if (encoder !== undefined && weights.preprocessing !== null && weights.preprocessing !== preprocessing) {
    throw new OptionError(
      `the encoder was trained with --preprocessing ${weights.preprocessing}, not ${preprocessing}; leave the flag away`,
    );
  }
  return { ...weights, preprocessing };
}
