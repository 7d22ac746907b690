/**
 * OpenCV's own JSON, what `cv::FileStorage` reads and writes (OpenCV 3 and later): keypoints as `cv::KeyPoint` lists
 * [x, y, size, angle, response, octave, class_id], matches as `cv::DMatch` lists [queryIdx, trainIdx, imgIdx, distance],
 * matrices as `{ type_id: "opencv-matrix", rows, cols, dt, data }`.
 *
 * Of ours: response is the score, octave the level (0 without levels), size 1, angle −1 ("not known"), class_id −1;
 * distance is √(2 − 2s), what a BFMatcher with NORM_L2 gives for unit descriptors. Names that OpenCV does not know
 * (`image_size`, `levels`, `scores`) hold what it has no place for, so that reading gives everything back exactly.
 */
import { FormatError } from "../errors.js";
import type { Features, Homography } from "../features.js";
import { encodeUtf8, parseJson } from "./bytes.js";
import type { ImagePair } from "./colmap.js";
import { arraysToFeatures, checkFiniteFeatures } from "./feature-arrays.js";
import type { NdArray } from "./ndarray.js";

/** Fields of a cv::KeyPoint and of a cv::DMatch. */
const KEYPOINT = 7;
const DMATCH = 4;

/** A pair of images, its matches, and the homography that was found, if one was looked for. */
export interface OpenCvPair extends ImagePair {
  homography?: Homography;
}

/** JSON of one image's features: `image_size`, `keypoints`, `descriptors` (CV_32F, a row each), `levels`. */
export function writeOpenCvFeatures(features: Features): Uint8Array {
  const { count, dim, imageSize, keypoints, scores, levels, descriptors } = checkFiniteFeatures(
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
    descriptors: matrix(count, dim, "f", Array.from(descriptors, short)),
    ...(levels && { levels: 1 }),
  };
  return encodeUtf8(`${JSON.stringify(json)}\n`);
}

/**
 * The features of such a file, also of one that another program wrote with these two names. `imageSize` stands in
 * where it has no `image_size`. FormatError for anything that does not fit.
 */
export function readOpenCvFeatures(bytes: Uint8Array, imageSize: [number, number] | null = null): Features {
  const where = "readOpenCvFeatures";
  const json = object(where, parseJson(where, bytes));
  const points = lists(where, "keypoints", json.keypoints, KEYPOINT);
  const column = (k: number): Float32Array => Float32Array.from(points, (point) => point[k]);
  const [x, y] = [column(0), column(1)];
  const arrays: Record<string, NdArray> = {
    keypoints: {
      dtype: "float32",
      shape: [points.length, 2],
      data: Float32Array.from({ length: 2 * points.length }, (_, k) => (k & 1 ? y : x)[k >> 1]),
    },
    scores: { dtype: "float32", shape: [points.length], data: column(4) },
    descriptors: readMatrix(where, "descriptors", json.descriptors),
  };
  if (json.image_size !== undefined) {
    const size = numbers(where, "image_size", json.image_size, 2);
    arrays.image_size = { dtype: "float32", shape: [2], data: Float32Array.from(size) };
  }
  if (json.levels === 1) arrays.levels = { dtype: "float32", shape: [points.length], data: column(5) };
  return arraysToFeatures(where, arrays, imageSize);
}

/**
 * JSON of matches: `pairs`, each with `name0`, `name1`, `matches`, `scores` and, where a homography was found,
 * `homography` (3×3, CV_64F, image 0 to image 1) and `inliers` (indices of matches).
 */
export function writeOpenCvMatches(pairs: Iterable<OpenCvPair>): Uint8Array {
  const listed = Array.from(pairs, ({ name0, name1, matches: { count, pairs: indices, scores }, homography }) => ({
    name0,
    name1,
    matches: Array.from({ length: count }, (_, m) => [
      indices[2 * m],
      indices[2 * m + 1],
      0,
      short(Math.sqrt(Math.max(0, 2 - 2 * scores[m]))),
    ]),
    scores: Array.from(scores, short),
    ...(homography?.matrix && {
      homography: matrix(3, 3, "d", [...homography.matrix]),
      inliers: [...homography.inliers],
    }),
  }));
  return encodeUtf8(`${JSON.stringify({ pairs: listed })}\n`);
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

function matrix(rows: number, cols: number, dt: "f" | "d", data: number[]) {
  return { type_id: "opencv-matrix", rows, cols, dt, data };
}

/** Matrices of floats ("f", "d") and bytes ("u", as ORB's descriptors) of one channel. */
function readMatrix(where: string, name: string, value: unknown): NdArray {
  const { type_id, rows, cols, dt, data } = object(`${where}: "${name}"`, value);
  if (type_id !== "opencv-matrix" || !isIndex(rows) || !isIndex(cols) || !["f", "d", "u"].includes(String(dt))) {
    throw new FormatError(`${where}: "${name}" must be an opencv-matrix of type f, d or u with whole rows and cols`);
  }
  const values = numbers(where, name, data, rows * cols);
  return dt === "d"
    ? { dtype: "float64", shape: [rows, cols], data: Float64Array.from(values) }
    : { dtype: "float32", shape: [rows, cols], data: Float32Array.from(values) };
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
