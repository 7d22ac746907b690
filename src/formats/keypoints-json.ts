/**
 * Features as JSON, for eyes and for programs without a reader of npz. One object:
 * `{ format: "strata-keypoints", version: 1, imageSize: [w, h], count, dim, keypoints: [[x, y], …], scores: […],
 * levels?: […], descriptors: [[…dim numbers], …], meta: {…} }`. Numbers are plain decimals with nine digits, enough to
 * give every float32 back exactly; about 11 bytes a number, three times an npz. Features with descriptors of bits
 * (`kind: "binary"`, rows of bytes) or without any (`dim` 0, no `descriptors`) are version 2, which older readers refuse.
 */
import { checkObject } from "../check.js";
import { FormatError, OptionError, UnsupportedError } from "../errors.js";
import type { Features } from "../features.js";
import { encodeUtf8, parseJson } from "./bytes.js";
import { arraysToFeatures, checkFiniteFeatures } from "./feature-arrays.js";
import type { NdArray } from "./ndarray.js";

const FORMAT = "strata-keypoints";
/** The latest version, and the first, which has all but descriptors of bits or none. */
const VERSION = 2;
const PLAIN_VERSION = 1;

/** Features and whatever was noted beside them (image, model, options, …). */
export interface KeypointsJson {
  features: Features;
  meta: Record<string, unknown>;
}

/** JSON bytes of features; `meta` is kept as it is and must be plain JSON. */
export function writeKeypointsJson(features: Features, meta: Record<string, unknown> = {}): Uint8Array {
  const { imageSize, count, dim, kind, keypoints, scores, levels, descriptors } = checkFiniteFeatures(
    "writeKeypointsJson",
    features,
  );
  checkObject("writeKeypointsJson", "meta", meta);
  try {
    JSON.stringify(meta);
  } catch (cause) {
    throw new OptionError(`writeKeypointsJson: meta must be what JSON can hold: ${(cause as Error).message}`, {
      cause,
    });
  }
  const json = {
    format: FORMAT,
    version: kind === "binary" || dim === 0 ? VERSION : PLAIN_VERSION,
    imageSize,
    count,
    dim,
    ...(kind === "binary" && { kind }),
    keypoints: rows(keypoints, count, 2),
    scores: shortest(scores),
    ...(levels && { levels: [...levels] }),
    ...(dim > 0 && { descriptors: rows(descriptors, count, dim) }),
    meta,
  };
  return encodeUtf8(`${JSON.stringify(json)}\n`);
}

/** Features and meta of JSON bytes; FormatError for damage, UnsupportedError for a later version. */
export function readKeypointsJson(bytes: Uint8Array): KeypointsJson {
  const where = "readKeypointsJson";
  const json = parseJson(where, bytes);
  if (!isRecord(json) || json.format !== FORMAT)
    throw new FormatError(`${where}: not a JSON object of format "${FORMAT}"`);
  if (json.version !== VERSION && json.version !== PLAIN_VERSION) {
    throw new UnsupportedError(`${where}: version ${String(json.version)}, this reads ${VERSION}; use a newer strata`);
  }
  const { count, dim, kind = "float", meta = {} } = json;
  const isPlain = json.version === PLAIN_VERSION;
  if (!isCount(count) || !isCount(dim) || (dim === 0 && isPlain)) {
    throw new FormatError(`${where}: "count" and "dim" must be whole`);
  }
  if (kind !== "float" && (kind !== "binary" || isPlain)) {
    throw new FormatError(`${where}: "kind" must be "float" or (in version 2) "binary"`);
  }
  if (!isRecord(meta)) throw new FormatError(`${where}: "meta" must be an object`);
  const arrays: Record<string, NdArray> = {
    keypoints: matrix(where, "keypoints", json.keypoints, count, 2),
    scores: vector(where, "scores", json.scores, count),
    ...(dim > 0 && { descriptors: matrix(where, "descriptors", json.descriptors, count, dim) }),
    image_size: vector(where, "imageSize", json.imageSize, 2),
  };
  if (json.levels !== undefined) arrays.levels = vector(where, "levels", json.levels, count);
  return { features: arraysToFeatures(where, arrays, { kind }), meta };
}

/** Decimals that round to the same float32; JSON.stringify would print the 17 digits of its double. */
function shortest(values: Float32Array | Uint8Array): number[] {
  return Array.from(values, (value) => Number(value.toPrecision(9)));
}

function rows(values: Float32Array | Uint8Array, count: number, columns: number): number[][] {
  return Array.from({ length: count }, (_, i) => shortest(values.subarray(i * columns, (i + 1) * columns)));
}

function matrix(where: string, name: string, value: unknown, count: number, columns: number): NdArray {
  if (!Array.isArray(value) || value.length !== count) {
    throw new FormatError(`${where}: "${name}" must be a list of ${count} rows`);
  }
  // Every row is checked before memory is taken for all, so a false `dim` costs nothing.
  for (const [i, row] of value.entries()) checkNumbers(where, `${name}[${i}]`, row, columns);
  const data = new Float32Array(count * columns);
  for (const [i, row] of value.entries()) data.set(row as number[], i * columns);
  return { dtype: "float32", shape: [count, columns], data };
}

function vector(where: string, name: string, value: unknown, count: number): NdArray {
  return { dtype: "float32", shape: [count], data: Float32Array.from(checkNumbers(where, name, value, count)) };
}

function checkNumbers(where: string, name: string, value: unknown, count: number): number[] {
  if (!Array.isArray(value) || value.length !== count || !value.every((v) => typeof v === "number")) {
    throw new FormatError(`${where}: "${name}" must be a list of ${count} numbers`);
  }
  return value as number[];
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
