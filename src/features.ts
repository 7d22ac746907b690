/**
 * The vocabulary: what goes from extractor to matcher to file, unchanged. Flat typed arrays throughout; words are
 * those of the ecosystem (hloc, LightGlue, COLMAP). Pixel centres lie on integers, x right, y down, in the
 * orientation-corrected original image.
 */
import { checkArray, checkNumbers, checkObject, checkSize, described, wrong } from "./check.js";
import { ShapeError } from "./errors.js";

/** What descriptors are: floats, compared by the angle between them, or bits, compared by their Hamming distance. */
export const DESCRIPTOR_KINDS = ["float", "binary"] as const;
/** What descriptors are: floats or bits. */
export type DescriptorKind = (typeof DESCRIPTOR_KINDS)[number];

interface Keypoints {
  /** Number of keypoints; 0 is an answer. */
  count: number;
  /**
   * Values of one descriptor: floats (64 for every model shipped here), or bytes of eight bits (32 for ORB). 0: the
   * features have no descriptors, which serves matches that are there already and COLMAP.
   */
  dim: number;
  /** [width, height] of the image in pixels. */
  imageSize: [number, number];
  /** x0, y0, x1, y1, … in pixels; length 2·count. */
  keypoints: Float32Array;
  /** One score per keypoint. */
  scores: Float32Array;
  /** Level that found each keypoint (0 early, 1 middle, 2 deep), where a model detects per level. */
  levels?: Uint8Array;
}

/** Features whose descriptors are floats: what every model here gives, and SIFT. */
export interface FloatFeatures extends Keypoints {
  kind?: "float";
  /** Row-major count × dim, each row of L2 norm 1 (or all zeros: a descriptor that says nothing). */
  descriptors: Float32Array;
}

/** Features whose descriptors are bits: ORB, AKAZE, BRISK, … */
export interface BinaryFeatures extends Keypoints {
  kind: "binary";
  /** Row-major count × dim bytes, eight bits each, in whatever order; those that fill the last byte are 0. */
  descriptors: Uint8Array;
}

/** Local features of one image, best score first. */
export type Features = FloatFeatures | BinaryFeatures;

/** Pairs of keypoints, one of each image. */
export interface Matches {
  count: number;
  /** i0, j0, i1, j1, …: index in the first image, index in the second; length 2·count. */
  pairs: Uint32Array;
  /**
   * Cosine similarity of each pair's descriptors; of bits 1 − 2 · Hamming distance / bits, which is the cosine
   * similarity of the same bits as vectors of ±1.
   */
  scores: Float32Array;
}

/** A plane-to-plane mapping from image 1 to image 2. */
export interface Homography {
  /** Row-major 3×3 with the last entry 1, or null where none was found. */
  matrix: Float64Array | null;
  /** Indices into the matches that agree with it, ascending. */
  inliers: Uint32Array;
}

/** What descriptors those are, in words for a message: "64 floats", "32 bytes of bits", "no descriptors". */
export function describeDescriptors({ kind, dim }: Pick<Features, "kind" | "dim">): string {
  if (dim === 0) return "no descriptors";
  return kind === "binary" ? `${dim} bytes of bits` : `${dim} floats`;
}

/**
 * Throws a ShapeError that names the first array whose length does not fit, or descriptors that are not of their
 * `kind`. `where` names the source in the message.
 */
export function checkFeatures<F extends Features>(where: string, features: F): F {
  checkObject(where, "features", features);
  const { count, dim, kind, imageSize, keypoints, scores, levels, descriptors } = features;
  for (const [name, number] of Object.entries({ count, dim })) {
    if (!Number.isSafeInteger(number) || number < 0) throw wrong(where, name, "a whole number ≥ 0", number);
  }
  checkSize(where, "imageSize", imageSize);
  if (kind !== undefined && !DESCRIPTOR_KINDS.includes(kind)) {
    throw new ShapeError(`${where}: kind must be one of ${DESCRIPTOR_KINDS.join(", ")}, got ${described(kind)}`);
  }
  if ((kind === "binary") !== descriptors instanceof Uint8Array) {
    throw new ShapeError(
      kind === "binary"
        ? `${where}: descriptors of kind "binary" must be a Uint8Array`
        : `${where}: descriptors must be a Float32Array, got ${described(descriptors)}; bits need kind "binary"`,
    );
  }
  checkArray(where, "keypoints", keypoints, Float32Array);
  checkArray(where, "scores", scores, Float32Array);
  if (kind !== "binary") checkArray(where, "descriptors", descriptors, Float32Array);
  if (levels !== undefined) checkArray(where, "levels", levels, Uint8Array);
  const wanted: [string, ArrayLike<number> | undefined, number][] = [
    ["keypoints", keypoints, 2 * count],
    ["scores", scores, count],
    ["descriptors", descriptors, count * dim],
    ["levels", levels, count],
  ];
  for (const [name, array, length] of wanted) {
    if (array !== undefined && array.length !== length) {
      throw new ShapeError(
        `${where}: ${name} has ${array.length} values, expected ${length} (${count} keypoints, dim ${dim})`,
      );
    }
  }
  return features;
}

/** Throws a ShapeError that names what of matches does not fit; `where` names their source. */
export function checkMatches(where: string, matches: Matches): Matches {
  checkObject(where, "matches", matches);
  const { count, pairs, scores } = matches;
  if (!Number.isSafeInteger(count) || count < 0) throw wrong(where, "count of matches", "a whole number ≥ 0", count);
  checkArray(where, "pairs", pairs, Uint32Array);
  checkArray(where, "scores", scores, Float32Array);
  if (pairs.length !== 2 * count || scores.length !== count) {
    throw new ShapeError(
      `${where}: ${count} matches need ${2 * count} pairs' indices and ${count} scores, got ${pairs.length} and ${scores.length}`,
    );
  }
  return matches;
}

/** Throws a ShapeError for what is no homography. */
export function checkHomography(where: string, homography: Homography): Homography {
  checkObject(where, "homography", homography);
  const { matrix, inliers } = homography;
  if (matrix !== null) checkNumbers(where, "the homography's matrix", matrix);
  if (matrix !== null && matrix.length !== 9) {
    throw new ShapeError(
      `${where}: the homography's matrix must be 9 finite numbers or null, got ${matrix.length} numbers`,
    );
  }
  checkArray(where, "inliers", inliers, Uint32Array);
  return homography;
}

/** Features without a single keypoint. */
export function emptyFeatures(imageSize: [number, number], dim: number): FloatFeatures {
  checkSize("emptyFeatures", "imageSize", imageSize);
  if (!Number.isSafeInteger(dim) || dim < 0) throw wrong("emptyFeatures", "dim", "a whole number ≥ 0", dim);
  return roomForFeatures(0, dim, imageSize);
}

/** Features whose numbers are still to be written; all are 0. */
export function roomForFeatures(count: number, dim: number, imageSize: [number, number]): FloatFeatures {
  return {
    count,
    dim,
    imageSize,
    keypoints: new Float32Array(2 * count),
    scores: new Float32Array(count),
    descriptors: new Float32Array(dim * count),
  };
}

/** The features at `indices`, in that order, in new memory. */
export function takeFeatures(features: Features, indices: Uint32Array): Features {
  const { dim, imageSize, keypoints, scores, levels } = features;
  const taken = {
    count: indices.length,
    dim,
    imageSize,
    keypoints: takeRows(keypoints, 2, indices),
    scores: takeRows(scores, 1, indices),
    ...(levels && { levels: takeRows(levels, 1, indices) }),
  };
  return features.kind === "binary"
    ? { ...taken, kind: "binary", descriptors: takeRows(features.descriptors, dim, indices) }
    : { ...taken, descriptors: takeRows(features.descriptors, dim, indices) };
}

function takeRows<T extends Float32Array | Uint8Array>(rows: T, columns: number, indices: Uint32Array): T {
  const taken = new (rows.constructor as new (length: number) => T)(indices.length * columns);
  for (const [to, i] of indices.entries()) taken.set(rows.subarray(i * columns, (i + 1) * columns), to * columns);
  return taken;
}
