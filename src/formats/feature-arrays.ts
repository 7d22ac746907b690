/**
 * Features as named arrays, the form that npz, MAT and HDF5 files share: `keypoints` [N, 2], `scores` [N],
 * `descriptors` [N, D], `image_size` [2] (width, height) and, where there are levels, `levels` [N]. Names, shapes and
 * types of the first three are the reference's (float32). Descriptors of bits are bytes there, and `binary` [1] says so
 * beyond doubt; features without descriptors have no such array.
 */
import { checkSize } from "../check.js";
import { FormatError, OptionError, ShapeError } from "../errors.js";
import { checkFeatures, type DescriptorKind, type Features } from "../features.js";
import { type Descriptors, fromDescriptors, NO_DESCRIPTORS, toDescriptors } from "./descriptors.js";
import { countOf, type NdArray, toFloat32 } from "./ndarray.js";

/** Names of the arrays, all that is read of a file; `imsize` is R2D2's word for `image_size`. */
export const FEATURE_ARRAYS = [
  "keypoints",
  "scores",
  "descriptors",
  "image_size",
  "imsize",
  "binary",
  "levels",
] as const;

/** Most columns of keypoints: x and y, and what others keep beside them (7 make a cv::KeyPoint). */
const MAX_COLUMNS = 7;

export interface ArraysOptions {
  /** Stands in where the file has no `image_size` (the reference's have none). */
  imageSize?: [number, number] | null;
  /** What descriptors are, where their type does not tell. */
  kind?: DescriptorKind | null;
  /** Whether floats are brought to length 1; default true. */
  normalize?: boolean;
}

/** The file does not say how large its image is, and the caller did not either. */
export class MissingImageSize extends OptionError {}

/** `features` when lengths fit and every number is finite; ShapeError that names array and index otherwise. */
export function checkFiniteFeatures(where: string, features: Features): Features {
  checkFeatures(where, features);
  const { keypoints, scores, descriptors, imageSize } = features;
  for (const [name, values] of Object.entries({ keypoints, scores, descriptors })) {
    const bad = values instanceof Uint8Array ? -1 : values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new ShapeError(`${where}: ${name}[${bad}] is ${values[bad]}, expected a finite number`);
  }
  if (imageSize.length !== 2 || !imageSize.every((size) => Number.isInteger(size) && size > 0)) {
    throw new ShapeError(`${where}: imageSize must be two positive whole numbers, got [${imageSize}]`);
  }
  return features;
}

/** The arrays of features; `append` adds a third column of ones to `keypoints`, as the reference's `--append` does. */
export function featuresToArrays(features: Features, append: boolean): Record<string, NdArray> {
  const { count, dim, kind, imageSize, keypoints, scores, levels } = checkFiniteFeatures("writeFeatures", features);
  const columns = append ? 3 : 2;
  let points = keypoints;
  if (append) {
    points = new Float32Array(3 * count).fill(1);
    for (let i = 0; i < count; i++) points.set(keypoints.subarray(2 * i, 2 * i + 2), 3 * i);
  }
  const arrays: Record<string, NdArray> = {
    keypoints: { dtype: "float32", shape: [count, columns], data: points },
    scores: { dtype: "float32", shape: [count], data: scores },
    ...(dim > 0 && { descriptors: fromDescriptors(features) }),
    image_size: { dtype: "int32", shape: [2], data: Int32Array.from(imageSize) },
  };
  if (kind === "binary") arrays.binary = { dtype: "uint8", shape: [1], data: Uint8Array.of(1) };
  if (levels) arrays.levels = { dtype: "uint8", shape: [count], data: levels };
  return arrays;
}

/**
 * Features from named arrays of any real type. Keypoints may have up to seven columns (x, y, scale, angle; an affine
 * shape; a cv::KeyPoint), of which the first two are read; flat arrays may come as rows or columns (MATLAB). Without
 * `scores` they are 1: the file's order counts as best first. Descriptors as `toDescriptors` tells them, or none.
 * FormatError that names the array for whatever does not fit, MissingImageSize.
 */
export function arraysToFeatures(
  where: string,
  arrays: Record<string, NdArray>,
  { imageSize = null, kind = null, normalize = true }: ArraysOptions = {},
): Features {
  const get = (name: string): NdArray | null => (Object.hasOwn(arrays, name) ? arrays[name] : null);
  const keypoints = get("keypoints");
  if (!keypoints) {
    throw new FormatError(`${where}: no array "keypoints"; there are: ${Object.keys(arrays).join(", ") || "none"}`);
  }
  const [count, columns] = keypoints.shape;
  if (keypoints.shape.length !== 2 || columns < 2 || columns > MAX_COLUMNS) {
    throw new FormatError(
      `${where}: keypoints must be [N, 2] (or up to ${MAX_COLUMNS} columns that begin with x, y), got [${keypoints.shape}]`,
    );
  }
  const [scores, levels, size] = [get("scores"), get("levels"), get("image_size") ?? get("imsize")];
  const features: Features = {
    count,
    imageSize: size ? sizeOf(where, size) : knownSize(where, imageSize),
    keypoints: firstTwoColumns(toFloat32(keypoints), count, columns),
    scores: scores ? toFloat32(flat(where, "scores", scores, count)) : new Float32Array(count).fill(1),
    ...descriptorsOf(where, get("descriptors"), count, {
      kind: kind ?? (get("binary")?.data[0] ? "binary" : null),
      normalize,
    }),
  };
  if (levels) features.levels = levelsOf(where, flat(where, "levels", levels, count));
  try {
    return checkFiniteFeatures(where, features);
  } catch (cause) {
    if (cause instanceof ShapeError) throw new FormatError(cause.message, { cause });
    throw cause;
  }
}

function descriptorsOf(
  where: string,
  array: NdArray | null,
  count: number,
  { kind, normalize }: { kind: DescriptorKind | null; normalize: boolean },
): Descriptors {
  if (!array) return NO_DESCRIPTORS;
  if (array.shape.length !== 2 || array.shape[0] !== count || array.shape[1] === 0) {
    throw new FormatError(`${where}: descriptors must be [${count}, D], got [${array.shape}]`);
  }
  return toDescriptors(where, array, kind, normalize);
}

function flat(where: string, name: string, array: NdArray, count: number): NdArray {
  const long = array.shape.filter((size) => size !== 1).length;
  if (long > 1 || countOf(where, array.shape) !== count) {
    throw new FormatError(`${where}: ${name} must be [${count}], got [${array.shape}]`);
  }
  return array;
}

function sizeOf(where: string, array: NdArray): [number, number] {
  const [width, height] = toFloat32(flat(where, "image_size", array, 2));
  return [width, height];
}

function knownSize(where: string, imageSize: [number, number] | null): [number, number] {
  if (imageSize !== null) return [...checkSize(where, "imageSize", imageSize)];
  throw new MissingImageSize(`${where}: the file does not say the image's size; give "imageSize": [width, height]`);
}

function firstTwoColumns(values: Float32Array, count: number, columns: number): Float32Array {
  if (columns === 2) return values;
  const out = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) {
    out[2 * i] = values[columns * i];
    out[2 * i + 1] = values[columns * i + 1];
  }
  return out;
}

function levelsOf(where: string, array: NdArray): Uint8Array {
  const levels = Uint8Array.from(array.data as ArrayLike<number | bigint>, Number);
  const bad = levels.findIndex((level, i) => level !== Number(array.data[i]));
  if (bad >= 0) throw new FormatError(`${where}: levels[${bad}] is ${array.data[bad]}, expected 0 to 255`);
  return levels;
}
