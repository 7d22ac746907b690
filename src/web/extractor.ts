/** Models in a browser: weights and configuration from addresses or bytes. */

import { checkBytes, checkObject, checkText, wrong } from "../check.js";
import { IoError, OptionError } from "../errors.js";
import { DenseExtractor } from "../extract/dense.js";
import type { Extractor } from "../extract/extractor.js";
import { type ExtractOptions, extractOptions } from "../extract/options.js";
import { GRAPH_FILE, hasPrepared, preparedKey } from "../extract/prepared.js";
import { openModel } from "../families.js";
import { parseJson } from "../formats/bytes.js";
import { readSafetensors } from "../formats/safetensors.js";
import { parseVerdictModel } from "../geometry/verdict.js";
import { BACKENDS, type Runtime, type SessionOptions } from "../graph/session.js";
import { checkChoice, checkNumber } from "../options.js";
import { webRuntime } from "./runtime.js";

/** Model, options of extraction and runtime of openExtractor. */
export interface OpenOptions extends Partial<ExtractOptions>, SessionOptions {
  /**
   * Address of a model folder (with model.safetensors, config.json and, for a quick start, graph.onnx), or the bytes of
   * these files.
   */
  model: string | URL | { weights: Uint8Array; config: Uint8Array; graph?: Uint8Array };
  /** Default: onnxruntime-web. */
  runtime?: Runtime;
  /**
   * Images of more pixels than this are extracted in tiles of at most as many, with the same keypoints; a default model
   * takes some 220 bytes of memory for each. Networks of the reference see images whole. Default 786 432 (1024 × 768).
   */
  tilePixels?: number;
}

/** Fewer than in Node: a page has less memory. */
const TILE_PIXELS = 1024 * 768;

/** An extractor over a model of any family. Throws an IoError for an address that does not answer. */
export async function openExtractor(options: OpenOptions): Promise<Extractor> {
  const where = "openExtractor";
  checkObject(where, "options", options);
  const { model, runtime, backend, threads, tilePixels = TILE_PIXELS, ...extract } = options;
  if (!model)
    throw new OptionError(
      "openExtractor: give the address of a model folder, e.g. new URL('./models/strata-s/', location.href)",
    );
  if (typeof model === "object" && !(model instanceof URL)) {
    const { weights, config, graph } = checkObject(where, '"model"', model);
    if (graph !== undefined) checkBytes(`${where}: graph`, graph);
    checkBytes(`${where}: weights`, weights);
    checkBytes(`${where}: config`, config);
  } else if (!(model instanceof URL)) checkText(where, '"model"', model);
  if (runtime !== undefined && typeof runtime?.open !== "function") {
    throw wrong(where, '"runtime"', "an object with the method open", runtime);
  }
  if (backend !== undefined) checkChoice(where, "backend", backend, BACKENDS);
  if (threads !== undefined) checkNumber(where, "threads", threads, { min: 1, max: 256, integer: true });
  checkNumber(where, "tilePixels", tilePixels, { min: 1, integer: true });
  const files: ModelBytes =
    typeof model === "string" || model instanceof URL ? await fetchModel(model) : { ...model, where: "model" };
  const { tensors } = readSafetensors(files.weights);
  const json = parseJson(`${files.where}: config.json`, files.config);
  const opened = openModel(files.where, tensors, json, {}, await sha256(files.weights));
  const { verdict } = opened.model;
  if (verdict) parseVerdictModel(`${files.where}, its configuration`, verdict);
  const { graph } = files;
  const prepared =
    hasPrepared() && graph ? { where: `${files.where}: ${GRAPH_FILE}`, file: graph, key: preparedKey(opened) } : null;
  return new DenseExtractor(opened.model, extractOptions(extract, opened.defaults), {
    runtime: runtime ?? webRuntime,
    backend,
    threads,
    tilePixels,
    prepared,
  });
}

interface ModelBytes {
  weights: Uint8Array;
  config: Uint8Array;
  graph?: Uint8Array;
  where: string;
}

async function fetchModel(folder: string | URL): Promise<ModelBytes> {
  const base = String(folder).replace(/\/?$/, "/");
  const [weights, config, graph] = await Promise.all([
    fetchBytes(`${base}model.safetensors`),
    fetchBytes(`${base}config.json`),
    // A folder without one is as good, and slower to start.
    hasPrepared() ? fetchBytes(base + GRAPH_FILE).catch(() => undefined) : undefined,
  ]);
  return { weights, config, graph, where: base };
}

async function fetchBytes(address: string): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(address);
  } catch (error) {
    throw new IoError(`cannot fetch ${address}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  if (!response.ok)
    throw new IoError(`cannot fetch ${address}: the server answered ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Hexadecimal SHA-256; empty on pages without a secure context, where browsers offer none. */
async function sha256(bytes: Uint8Array): Promise<string> {
  if (!globalThis.crypto?.subtle) return "";
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
