/** Models in files: by name (shipped under models/, or downloaded), as a folder, a .safetensors file, or a checkpoint of the reference. */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkObject, checkText, wrong } from "../check.js";
import { FormatError, OptionError, UnsupportedError } from "../errors.js";
import { DenseExtractor, type PreparedModel } from "../extract/dense.js";
import type { Extractor } from "../extract/extractor.js";
import {
  hasBackbone,
  hasHeads,
  type OpenedModel,
  openReference,
  type ReferenceChoices,
  type Tensors,
  type TrunkFacts,
  withHeads,
} from "../extract/models.js";
import { type ExtractOptions, extractOptions } from "../extract/options.js";
import { GRAPH_FILE, hasPrepared, preparedKey } from "../extract/prepared.js";
import { familyOf, openModel } from "../families.js";
import { parseJson } from "../formats/bytes.js";
import { readSafetensors } from "../formats/safetensors.js";
import { BACKENDS, type Runtime, type SessionOptions } from "../graph/session.js";
import { checkChoice, checkNumber } from "../options.js";
import { checkPath, readFileChecked } from "./atomic.js";
import { keptGraphs } from "./graph-cache.js";
import { locateCached } from "./models/locate.js";
import { checkRuntime, nodeRuntime } from "./runtime.js";

/** The model that runs when none is named. */
export const DEFAULT_MODEL = "strata-s";

const MODELS = fileURLToPath(new URL("../../models/", import.meta.url));

/** The weights in a model folder. */
const WEIGHTS = "model.safetensors";

/** Model, options of extraction and runtime of openExtractor. */
export interface OpenOptions extends Partial<ExtractOptions>, ReferenceChoices, SessionOptions {
  /** Name of a shipped or downloaded model, or path of a model folder, a .safetensors file, or a .ckpt. Default "strata-s". */
  model?: string;
  /** Attention heads of the reference, or a whole checkpoint: a path, or NAME for checkpoints/NAME.ckpt. */
  attentionCkpt?: string;
  /** Default: onnxruntime-node. */
  runtime?: Runtime;
  /**
   * Images of more pixels than this are extracted in tiles of at most as many, with the same keypoints; a default model
   * takes some 220 bytes of memory for each. Networks of the reference see images whole. Default 2 097 152 (2²¹).
   */
  tilePixels?: number;
}

/**
 * An extractor over a model's files. Throws an OptionError for what is not offered, a FormatError for files that are
 * not what they should be, an IoError for files that are not there, an UnsupportedError where no runtime is installed.
 */
export async function openExtractor(options: OpenOptions = {}): Promise<Extractor> {
  checkObject("openExtractor", "options", options);
  const { runtime, backend, threads, tilePixels } = options;
  const { opened, path, options: extract } = await openModelFiles(options);
  // Before a list of images fails at each of them.
  if (!runtime) checkRuntime();
  const prepared = await readGraphBeside(path, opened);
  return new DenseExtractor(opened.model, extract, {
    runtime: runtime ?? nodeRuntime,
    backend,
    threads,
    tilePixels,
    prepared,
    // From source, code has no digest by which a graph could be known again.
    kept: hasPrepared() ? keptGraphs(preparedKey(opened)) : null,
  });
}

/** The graph that was prepared for a model in a folder; null where there is none. */
async function readGraphBeside(path: string, opened: OpenedModel): Promise<PreparedModel | null> {
  if (!hasPrepared() || basename(path) !== WEIGHTS) return null;
  const where = join(dirname(path), GRAPH_FILE);
  if (!existsSync(where)) return null;
  return { where, file: await readFileChecked(where), key: preparedKey(opened) };
}

/** The model behind an extractor and all its options, checked, before a runtime is asked for anything. */
export async function openModelFiles(
  options: OpenOptions,
): Promise<{ opened: OpenedModel; path: string; options: ExtractOptions }> {
  const {
    model,
    attentionCkpt,
    attentionModel,
    firstStride,
    replaceStrides,
    preprocessing,
    runtime,
    backend,
    threads,
    tilePixels,
    ...extract
  } = options;
  for (const [name, value] of Object.entries({ model, attentionCkpt })) {
    if (value !== undefined && checkText("extract", `"${name}"`, value) === "")
      throw wrong("extract", `"${name}"`, "a name or a path", value);
  }
  if (runtime !== undefined && typeof runtime?.open !== "function") {
    throw wrong("extract", '"runtime"', "an object with the method open", runtime);
  }
  if (backend !== undefined) checkChoice("extract", "backend", backend, BACKENDS);
  if (threads !== undefined) checkNumber("extract", "threads", threads, { min: 1, max: 256, integer: true });
  if (tilePixels !== undefined) checkNumber("extract", "tilePixels", tilePixels, { min: 1, integer: true });
  const choices = { attentionModel, firstStride, replaceStrides, preprocessing };
  const { opened, path } = await openFiles(model, attentionCkpt, choices);
  return { opened, path, options: extractOptions(extract, opened.defaults) };
}

/** What `strata info` prints. */
export interface ModelDescription {
  name: string;
  /** A backbone finds no features by itself. */
  kind: string;
  /** Where it was read from, and the file's size in bytes. */
  path: string;
  bytes: number;
  /** SHA-256 of the weights file, hexadecimal. */
  sha256: string;
  /** Numbers in all tensors, batch norm's statistics included. */
  parameters: number;
  config: Record<string, unknown>;
  tensors: { name: string; shape: number[]; type: string }[];
}

/** Reads a model whole and says what is in it. */
export async function describeModel(nameOrPath?: string): Promise<ModelDescription> {
  if (nameOrPath !== undefined) checkPath("describeModel", nameOrPath);
  const path = await locate(nameOrPath ?? DEFAULT_MODEL);
  if (!path.endsWith(".safetensors")) return describe(await openCheckpoint(path, undefined, {}));
  const read = await readModel(path);
  const { tensors, json: config, digest, bytes } = read;
  const { kind, open, trunk } = familyOf(path, config);
  if (kind !== "backbone" || !trunk) return describe({ ...read, opened: open(path, tensors, config, {}, digest) });
  const { name } = trunk(path, config, digest);
  return { ...listTensors(tensors), name, kind, path, bytes, sha256: digest, config };
}

function describe({ opened, tensors, path, bytes }: Files): ModelDescription {
  const { name, sha256 } = opened.model;
  return { ...listTensors(tensors), name, kind: opened.kind, path, bytes, sha256, config: opened.config };
}

function listTensors(tensors: Tensors): Pick<ModelDescription, "parameters" | "tensors"> {
  const list = [...tensors].map(([name, { shape, dtype }]) => ({ name, shape, type: dtype as string }));
  return { parameters: [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0), tensors: list };
}

interface Files {
  opened: OpenedModel;
  tensors: Tensors;
  path: string;
  bytes: number;
}

async function openFiles(
  model: string | undefined,
  attentionCkpt: string | undefined,
  choices: ReferenceChoices,
): Promise<Files> {
  if (attentionCkpt === undefined) {
    const path = await locate(model ?? DEFAULT_MODEL);
    if (!path.endsWith(".safetensors")) return openCheckpoint(path, undefined, choices);
    const read = await readModel(path);
    return { ...read, opened: openModel(path, read.tensors, read.json, choices, read.digest) };
  }
  const heads = await locateCheckpoint(attentionCkpt);
  return openCheckpoint(heads, model, choices);
}

/** The path behind a model's name. Names (shipped, or in the cache) and folders lead to their weights file. */
async function locate(model: string): Promise<string> {
  const shipped = join(MODELS, model);
  const isName = /^[\w.-]+$/.test(model);
  const path = isName && !existsSync(model) && isModelFolder(shipped) ? shipped : model;
  if (!existsSync(path)) {
    const cached = await locateCached(model);
    if (cached !== undefined) return cached;
    throw new OptionError(
      `no model "${model}": it is neither a file or folder nor one of ${shippedModels().join(", ")}, nor among those of ` +
        '"strata models list"',
    );
  }
  if (statSync(path).isDirectory()) {
    if (!isModelFolder(path)) throw new OptionError(`the folder "${path}" has no ${WEIGHTS}; it is not a model folder`);
    return join(path, WEIGHTS);
  }
  return path;
}

const isModelFolder = (path: string): boolean => existsSync(join(path, WEIGHTS));

/** Names under models/; recipes lie there too, and are none. */
const shippedModels = (): string[] =>
  existsSync(MODELS) ? readdirSync(MODELS).filter((name) => isModelFolder(join(MODELS, name))) : [];

async function locateCheckpoint(name: string): Promise<string> {
  if (existsSync(name)) return name;
  const inFolder = join("checkpoints", `${name}.ckpt`);
  if (existsSync(inFolder)) return inFolder;
  const cached = await locateCached(name);
  if (cached !== undefined) return cached;
  throw new OptionError(`no checkpoint "${name}": there is neither such a file nor ${inFolder}`);
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** The files behind a model's name or path; OptionError where it is no folder or .safetensors with a configuration. */
export async function readModelNamed(model: string): Promise<ReadModel> {
  const path = await locate(model);
  if (!path.endsWith(".safetensors")) throw new OptionError(`${path} is no model folder and no .safetensors file`);
  return readModel(path);
}

/** Weights and configuration of a model, read and not yet understood. */
export interface ReadModel {
  path: string;
  tensors: Tensors;
  /** As it was parsed; its family (families.ts) says whether it is a configuration. */
  json: Record<string, unknown>;
  digest: string;
  bytes: number;
}

async function readModel(path: string): Promise<ReadModel> {
  const bytes = await readFileChecked(path);
  const beside = path.replace(/\.safetensors$/, ".json");
  const configPath = existsSync(beside) ? beside : join(dirname(path), "config.json");
  if (!existsSync(configPath)) {
    throw new OptionError(`"${path}" needs its configuration beside it: ${basename(beside)} or config.json`);
  }
  const tensors = readNamed(path, bytes);
  const json = parseJson(configPath, await readFileChecked(configPath)) as Record<string, unknown>;
  return { path, tensors, json, digest: sha256(bytes), bytes: bytes.length };
}

/** Tensors of a safetensors file; what is wrong with it is said with its path. */
function readNamed(path: string, bytes: Uint8Array): Tensors {
  try {
    return readSafetensors(bytes).tensors;
  } catch (error) {
    if (error instanceof FormatError) throw new FormatError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Tensors of a checkpoint. Its reader, with zip and pickle, is loaded here: shipped models do without. */
async function readCheckpoint(path: string, bytes: Uint8Array): Promise<Tensors> {
  const { readTorchCheckpoint } = await import("../formats/torch.js");
  return readTorchCheckpoint(bytes, { name: path }).tensors;
}

/** A whole checkpoint, or heads on the backbone of the model named. */
async function openCheckpoint(path: string, model: string | undefined, choices: ReferenceChoices): Promise<Files> {
  const bytes = await readFileChecked(path);
  const own = await readCheckpoint(path, bytes);
  let tensors: Tensors = own;
  let digest = sha256(bytes);
  let { preprocessing } = choices;
  if (hasBackbone(own)) {
    if (model !== undefined) {
      throw new OptionError(
        `"${path}" is a whole checkpoint, with a backbone of its own; leave out the model "${model}"`,
      );
    }
  } else if (model !== undefined) {
    const base = await readBase(path, model);
    tensors = withHeads(base.tensors, own);
    digest = sha256(new TextEncoder().encode(`${base.digest}+${digest}`));
    preprocessing ??= base.preprocessing ?? undefined;
  } else if (hasHeads(own)) {
    throw new OptionError(`"${path}" holds attention heads only; name the checkpoint of their backbone as the model`);
  }
  const name = basename(path).replace(/\.[^.]*$/, "");
  const opened = openReference(path, name, tensors, { ...choices, preprocessing }, digest);
  return { opened, tensors, path, bytes: bytes.length };
}

/** What heads are put on: a whole checkpoint, or a folder with a network of the reference or a backbone in it. */
async function readBase(
  heads: string,
  model: string,
): Promise<{ tensors: Tensors; digest: string } & Partial<TrunkFacts>> {
  const path = await locate(model);
  if (!path.endsWith(".safetensors")) {
    const bytes = await readFileChecked(path);
    return { tensors: await readCheckpoint(path, bytes), digest: sha256(bytes) };
  }
  const { tensors, json, digest } = await readModel(path);
  const facts = familyOf(path, json).trunk?.(path, json, digest);
  if (facts) return { tensors, digest, ...facts };
  throw new UnsupportedError(
    `"${heads}" holds heads of the reference network; "${model}" is not one of its checkpoints or backbones`,
  );
}
