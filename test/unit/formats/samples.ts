/** Arrays and features made by code, shared by the tests of formats. */
import { expect } from "vitest";
import { checkFeatures, type Features, type FloatFeatures } from "../../../src/features.js";
import { countOf, type DType, type NdArray, type TypedArray, zerosOf } from "../../../src/formats/ndarray.js";
import { Random } from "../../../src/random.js";

/** An array of small whole numbers of either sign, as far as the type has one; halves of floats. */
export function sampleArray(dtype: DType, shape: number[], seed = 1): NdArray {
  const random = new Random(seed);
  const data = zerosOf(dtype, countOf("sample", shape));
  for (let i = 0; i < data.length; i++) {
    const value = random.integer(100);
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(value);
    else if (dtype === "float32" || dtype === "float64") data[i] = value / 2 - 20;
    else if (dtype === "float16") data[i] = 0x3c00 + value;
    else if (dtype.startsWith("int")) data[i] = value - 50;
    else data[i] = dtype === "bool" ? value & 1 : value;
  }
  return { dtype, shape, data };
}

/** Features with unit descriptors and levels. */
export function sampleFeatures(count: number, { dim = 64, levels = true, seed = 1 } = {}): FloatFeatures {
  const random = new Random(seed);
  const keypoints = Float32Array.from({ length: 2 * count }, () => random.uniform(0, 480));
  const scores = Float32Array.from({ length: count }, () => random.uniform()).sort((a, b) => b - a);
  const descriptors = Float32Array.from({ length: count * dim }, () => random.normal());
  for (let i = 0; i < count; i++) {
    const row = descriptors.subarray(i * dim, (i + 1) * dim);
    const norm = Math.hypot(...row);
    for (let k = 0; k < dim; k++) row[k] /= norm;
  }
  const features: FloatFeatures = { count, dim, imageSize: [640, 480], keypoints, scores, descriptors };
  return levels ? { ...features, levels: Uint8Array.from({ length: count }, (_, i) => i % 3) } : features;
}

/** The array belongs together: what every reader must guarantee, whatever the bytes were. */
export function expectWellFormed({ dtype, shape, data }: NdArray): void {
  expect(data.constructor).toBe(zerosOf(dtype, 0).constructor);
  expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
}

/** The features belong together and every number is finite. */
export function expectSound(features: Features): void {
  checkFeatures("test", features);
  for (const array of [features.keypoints, features.scores, features.descriptors]) {
    expect(array.every(Number.isFinite)).toBe(true);
  }
}

export function expectSameArray(actual: NdArray, expected: NdArray): void {
  expect(actual.dtype).toBe(expected.dtype);
  expect(actual.shape).toEqual(expected.shape);
  expect(plain(actual.data)).toEqual(plain(expected.data));
}

export function plain(data: TypedArray): number[] {
  return Array.from(data as ArrayLike<number | bigint>, Number);
}
