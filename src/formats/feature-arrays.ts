/**
 * Features as named arrays, the form that npz, MAT and HDF5 files share: `keypoints` [N, 2], `scores` [N],
 * `descriptors` [N, D], `image_size` [2] (width, height) and, where there are levels, `levels` [N]. Names, shapes and
 * types of the first three are the reference's (float32).
 */
import { FormatError, OptionError, ShapeError } from "../errors.js";
import { checkFeatures, type Features } from "../features.js";
import { countOf, type NdArray, toFloat32 } from "./ndarray.js";

/** Names of the arrays, all that is read of a file. */
export const FEATURE_ARRAYS = ["keypoints", "scores", "descriptors", "image_size", "levels"] as const;

/** `features` when lengths fit and every number is finite; ShapeError that names array and index otherwise. */
export function checkFiniteFeatures(where: string, features: Features): Features {
  checkFeatures(where, features);
  const { keypoints, scores, descriptors, imageSize } = features;
  for (const [name, values] of Object.entries({ keypoints, scores, descriptors })) {
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new ShapeError(`${where}: ${name}[${bad}] is ${values[bad]}, expected a finite number`);
  }
  if (imageSize.length !== 2 || !imageSize.every((size) => Number.isInteger(size) && size > 0)) {
    throw new ShapeError(`${where}: imageSize must be two positive whole numbers, got [${imageSize}]`);
  }
  return features;
}

/** The arrays of features; `append` adds a third column of ones to `keypoints`, as the reference's `--append` does. */
export function featuresToArrays(features: Features, append: boolean): Record<string, NdArray> {
  const { count, dim, imageSize, keypoints, scores, levels, descriptors } = checkFiniteFeatures(
    "writeFeatures",
    features,
  );
  const columns = append ? 3 : 2;
  let points = keypoints;
  if (append) {
    points = new Float32Array(3 * count).fill(1);
    for (let i = 0; i < count; i++) points.set(keypoints.subarray(2 * i, 2 * i + 2), 3 * i);
  }
  const arrays: Record<string, NdArray> = {
    keypoints: { dtype: "float32", shape: [count, columns], data: points },
    scores: { dtype: "float32", shape: [count], data: scores },
    descriptors: { dtype: "float32", shape: [count, dim], data: descriptors },
    image_size: { dtype: "int32", shape: [2], data: Int32Array.from(imageSize) },
  };
  if (levels) arrays.levels = { dtype: "uint8", shape: [count], data: levels };
  return arrays;
}

/**
 * Features from named arrays of any real type. Keypoints may have a third column, which is dropped; flat arrays may
 * come as rows or columns (MATLAB). `imageSize` stands in where the file has no `image_size` (the reference's have
 * none). FormatError that names the array for whatever does not fit.
 */
export function arraysToFeatures(
  where: string,
  arrays: Record<string, NdArray>,
  imageSize: [number, number] | null = null,
): Features {
  const get = (name: string): NdArray => {
    if (!Object.hasOwn(arrays, name)) {
      throw new FormatError(`${where}: no array "${name}"; there are: ${Object.keys(arrays).join(", ") || "none"}`);
    }
    return arrays[name];
  };
  const keypoints = get("keypoints");
  const [count, columns] = keypoints.shape;
  if (keypoints.shape.length !== 2 || (columns !== 2 && columns !== 3)) {
    throw new FormatError(`${where}: keypoints must be [N, 2] or [N, 3], got [${keypoints.shape}]`);
  }
  const descriptors = get("descriptors");
  if (descriptors.shape.length !== 2 || descriptors.shape[0] !== count || descriptors.shape[1] === 0) {
    throw new FormatError(`${where}: descriptors must be [${count}, D], got [${descriptors.shape}]`);
  }
  const features: Features = {
    count,
    dim: descriptors.shape[1],
    imageSize: Object.hasOwn(arrays, "image_size") ? sizeOf(where, arrays.image_size) : knownSize(where, imageSize),
    keypoints: firstTwoColumns(toFloat32(keypoints), count, columns),
    scores: toFloat32(flat(where, "scores", get("scores"), count)),
    descriptors: toFloat32(descriptors),
  };
  if (Object.hasOwn(arrays, "levels")) features.levels = levelsOf(where, flat(where, "levels", arrays.levels, count));
  try {
    return checkFiniteFeatures(where, features);
  } catch (cause) {
    if (cause instanceof ShapeError) throw new FormatError(cause.message, { cause });
    throw cause;
  }
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
  if (imageSize) return imageSize;
  throw new OptionError(`${where}: the file does not say the image's size; give "imageSize": [width, height]`);
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
