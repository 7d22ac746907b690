/**
 * OpenCV's own JSON, what `cv::FileStorage` reads and writes (OpenCV 3 and later): keypoints as `cv::KeyPoint` lists
 * [x, y, size, angle, response, octave, class_id], matches as `cv::DMatch` lists [queryIdx, trainIdx, imgIdx, distance],
 * matrices as `{ type_id: "opencv-matrix", rows, cols, dt, data }`.
 *
 * Of ours: response is the score, octave the level (0 without levels), size 1, angle −1 ("not known"), class_id −1;
 * distance is what a BFMatcher gives: √(2 − 2s) for floats, which are unit vectors (NORM_L2), the Hamming distance for
 * bits (NORM_HAMMING). Names that OpenCV does not know (`image_size`, `levels`, `scores`, `binary`) hold what it has no
 * place for, so that reading gives everything back exactly.
 */

import { checkSize } from "../check.js";
import { FormatError } from "../errors.js";
import type { DescriptorKind, Features, Homography } from "../features.js";
import { DESCRIPTOR_KINDS } from "../features.js";
import { checkChoice } from "../options.js";
import { encodeUtf8, parseJson } from "./bytes.js";
import type { ImagePair } from "./colmap.js";
import { checkedPairs } from "./colmap.js";
import { arraysToFeatures, checkFiniteFeatures } from "./feature-arrays.js";
import { type DType, type NdArray, toFloat32, zerosOf } from "./ndarray.js";

/** Fields of a cv::KeyPoint and of a cv::DMatch. */
const KEYPOINT = 7;
const DMATCH = 4;

/** Types of elements by OpenCV's letter. */
const DTYPES: Readonly<Record<string, DType>> = {
  u: "uint8",
  c: "int8",
  w: "uint16",
  s: "int16",
  i: "int32",
  f: "float32",
  d: "float64",
};

/** A pair of images, its matches, and the homography that was found, if one was looked for. */
export interface OpenCvPair extends ImagePair {
  homography?: Homography;
  /** Bits of one descriptor, where they are binary: distances are Hamming's then. */
  bits?: number;
}

/** JSON of one image's features: `image_size`, `keypoints`, `descriptors` (CV_32F or, of bits, CV_8U; a row each), `levels`. */
export function writeOpenCvFeatures(features: Features): Uint8Array {
  const { count, dim, kind, imageSize, keypoints, scores, levels, descriptors } = checkFiniteFeatures(
    "writeOpenCvFeatures",
    features,
  );
  const points = Array.from({ length: count }, (_, i) => [
    short(keypoints[2 * i]),
    short(keypoints[2 * i + 1]),
    1,
    -1,
    short(scores[i]),
    levels?.[i] ?? 0,
    -1,
  ]);
  const json = {
    image_size: imageSize,
    keypoints: points,
    ...(dim > 0 && {
      descriptors: matrix(count, dim, kind === "binary" ? "u" : "f", Array.from(descriptors, short)),
    }),
    ...(kind === "binary" && { binary: 1 }),
    ...(levels && { levels: 1 }),
  };
  return encodeUtf8(`${JSON.stringify(json)}\n`);
}

/**
 * The features of such a file, also of one that another program wrote with these two names: `keypoints` as lists, as one
 * flat list (OpenCV 2) or as a matrix that begins with x and y, with `scores` beside it; `descriptors` of any type, of
 * which `kind` overrules what it says, or none. `imageSize` stands in where it has no `image_size`. FormatError for
 * anything that does not fit.
 */
export function readOpenCvFeatures(
  bytes: Uint8Array,
  imageSize: [number, number] | null = null,
  kind: DescriptorKind | null = null,
): Features {
  const where = "readOpenCvFeatures";
  if (imageSize !== null) checkSize(where, "imageSize", imageSize);
  if (kind !== null) checkChoice(where, "kind", kind, DESCRIPTOR_KINDS);
  const json = object(where, parseJson(where, bytes));
  const keypoints = readKeypoints(where, json.keypoints);
  const [count, columns] = keypoints.shape;
  const column = (k: number): NdArray => {
    const values = toFloat32(keypoints);
    return {
      dtype: "float32",
      shape: [count],
      data: Float32Array.from({ length: count }, (_, i) => values[i * columns + k]),
    };
  };
  const arrays: Record<string, NdArray> = { keypoints };
  if (json.scores !== undefined) arrays.scores = readMatrix(where, "scores", json.scores);
  else if (columns === KEYPOINT) arrays.scores = column(4);
  if (json.descriptors !== undefined) arrays.descriptors = readMatrix(where, "descriptors", json.descriptors);
  if (json.image_size !== undefined) {
    const size = numbers(where, "image_size", json.image_size, 2);
    arrays.image_size = { dtype: "float32", shape: [2], data: Float32Array.from(size) };
  }
  if (json.levels === 1 && columns === KEYPOINT) arrays.levels = column(5);
  return arraysToFeatures(where, arrays, { imageSize, kind: kind ?? (json.binary === 1 ? "binary" : null) });
}

function readKeypoints(where: string, value: unknown): NdArray {
  if (!Array.isArray(value)) return readMatrix(where, "keypoints", value);
  const isFlat = value.length > 0 && value.length % KEYPOINT === 0 && value.every((each) => typeof each === "number");
  const flat = isFlat ? (value as number[]) : lists(where, "keypoints", value, KEYPOINT).flat();
  return { dtype: "float32", shape: [flat.length / KEYPOINT, KEYPOINT], data: Float32Array.from(flat) };
}

/**
 * JSON of matches: `pairs`, each with `name0`, `name1`, `matches`, `scores` and, where a homography was found,
 * `homography` (3×3, CV_64F, image 0 to image 1) and `inliers` (indices of matches).
 */
export function writeOpenCvMatches(pairs: Iterable<OpenCvPair>): Uint8Array {
  return encodeUtf8([...openCvMatchesText(pairs)].join(""));
}

/** The text of such a file, pair by pair. */
export function* openCvMatchesText(pairs: Iterable<OpenCvPair>): Generator<string> {
  let before = '{"pairs":[';
  for (const pair of checkedPairs("writeOpenCvMatches", pairs)) {
    yield `${before}${JSON.stringify(pairJson(pair))}`;
    before = ",";
  }
  yield before === "," ? "]}\n" : `${before}]}\n`;
}

function pairJson({ name0, name1, matches: { count, pairs: indices, scores }, homography, bits }: OpenCvPair) {
  return {
    name0,
    name1,
    matches: Array.from({ length: count }, (_, m) => [
      indices[2 * m],
      indices[2 * m + 1],
      0,
      bits === undefined ? short(Math.sqrt(Math.max(0, 2 - 2 * scores[m]))) : Math.round((bits * (1 - scores[m])) / 2),
    ]),
    scores: Array.from(scores, short),
    ...(homography?.matrix && {
      homography: matrix(3, 3, "d", [...homography.matrix]),
      inliers: [...homography.inliers],
    }),
  };
}

/** The pairs of such a file; scores from the distances where it has no `scores`. FormatError for what does not fit. */
export function readOpenCvMatches(bytes: Uint8Array): OpenCvPair[] {
  const where = "readOpenCvMatches";
  const { pairs } = object(where, parseJson(where, bytes));
  if (!Array.isArray(pairs)) throw new FormatError(`${where}: "pairs" must be a list`);
  return pairs.map((entry: unknown, k): OpenCvPair => {
    const pair = object(`${where}: pairs[${k}]`, entry);
    const { name0, name1 } = pair;
    if (typeof name0 !== "string" || typeof name1 !== "string") {
      throw new FormatError(`${where}: pairs[${k}] must have the names "name0" and "name1"`);
    }
    const rows = lists(where, `pairs[${k}].matches`, pair.matches, DMATCH);
    const bad = rows.find(([i, j]) => !isIndex(i) || !isIndex(j));
    if (bad) throw new FormatError(`${where}: pairs[${k}]: ${bad[0]}, ${bad[1]} are no indices of keypoints`);
    const scores =
      pair.scores === undefined
        ? rows.map(([, , , distance]) => 1 - distance ** 2 / 2)
        : numbers(where, `pairs[${k}].scores`, pair.scores, rows.length);
    const matches = {
      count: rows.length,
      pairs: Uint32Array.from({ length: 2 * rows.length }, (_, k) => rows[k >> 1][k & 1]),
      scores: Float32Array.from(scores),
    };
    return { name0, name1, matches, ...homographyOf(`${where}: pairs[${k}]`, pair, rows.length) };
  });
}

function homographyOf(
  where: string,
  { homography, inliers }: Record<string, unknown>,
  count: number,
): { homography?: Homography } {
  if (homography === undefined) return {};
  const { shape, data } = readMatrix(where, "homography", homography);
  const indices = Array.isArray(inliers) ? numbers(where, "inliers", inliers, inliers.length) : [];
  if (shape[0] !== 3 || shape[1] !== 3 || indices.some((index) => !isIndex(index) || index >= count)) {
    throw new FormatError(`${where}: "homography" must be 3×3 and "inliers" indices of its ${count} matches`);
  }
  return { homography: { matrix: data as Float64Array, inliers: Uint32Array.from(indices) } };
}

function matrix(rows: number, cols: number, dt: "f" | "d" | "u", data: number[]) {
  return { type_id: "opencv-matrix", rows, cols, dt, data };
}

/** Matrices of one channel, of any type. */
function readMatrix(where: string, name: string, value: unknown): NdArray {
  const { type_id, rows, cols, dt, data } = object(`${where}: "${name}"`, value);
  const dtype = Object.hasOwn(DTYPES, String(dt)) ? DTYPES[String(dt)] : undefined;
  if (type_id !== "opencv-matrix" || !isIndex(rows) || !isIndex(cols) || !dtype) {
    throw new FormatError(
      `${where}: "${name}" must be an opencv-matrix of type ${Object.keys(DTYPES).join(", ")} with whole rows and cols`,
    );
  }
  const values = numbers(where, name, data, rows * cols);
  const stored = zerosOf(dtype, values.length);
  for (const [i, value] of values.entries()) {
    stored[i] = value;
    if (dtype[0] !== "f" && stored[i] !== value) throw new FormatError(`${where}: "${name}": ${value} is no ${dtype}`);
  }
  return { dtype, shape: [rows, cols], data: stored };
}

function lists(where: string, name: string, value: unknown, fields: number): number[][] {
  if (!Array.isArray(value)) throw new FormatError(`${where}: "${name}" must be a list`);
  return value.map((row: unknown, i) => numbers(where, `${name}[${i}]`, row, fields));
}

function numbers(where: string, name: string, value: unknown, count: number): number[] {
  if (!Array.isArray(value) || value.length !== count || !value.every((v) => typeof v === "number")) {
    throw new FormatError(`${where}: "${name}" must be a list of ${count} numbers`);
  }
  return value as number[];
}

function object(where: string, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FormatError(`${where}: not a JSON object`);
  }
  return value as Record<string, unknown>;
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}

/** A decimal that rounds to the same float32; JSON.stringify would print the 17 digits of its double. */
function short(value: number): number {
  return Number(Math.fround(value).toPrecision(9));
}
