/** Features and small vocabularies for tests, drawn by code. */
import type { FloatFeatures } from "../../../src/features.js";
import { projectPoints } from "../../../src/geometry/matrix3.js";
import type { Image } from "../../../src/image/image.js";
import type { ImageParts } from "../../../src/image/parts.js";
import { Random } from "../../../src/random.js";
import { trainVocabulary, type Vocabulary } from "../../../src/search/index.js";

export const DIM = 64;
export const MODEL = { name: "drawn", sha256: "ab".repeat(32) };

/** A verdict by the number of inliers: 10 and more are a find. */
export const VERDICT = {
  weights: { inliers: 6, share: 0, spread: 0, tightness: 0, form: 0 },
  bias: -10,
  same: 0.9,
  different: 0.05,
};

function unit(values: Float32Array): Float32Array {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** `count` keypoints at drawn places with drawn descriptors. */
export function drawnFeatures(
  seed: number,
  count = 60,
  dim = DIM,
  imageSize: [number, number] = [640, 480],
): FloatFeatures {
  const random = new Random(seed);
  const features: FloatFeatures = {
    count,
    dim,
    imageSize,
    keypoints: Float32Array.from({ length: 2 * count }, (_, k) => random.uniform(0, imageSize[k & 1] - 1)),
    scores: Float32Array.from({ length: count }, (_, i) => 1 - i / count),
    descriptors: new Float32Array(count * dim),
  };
  for (let i = 0; i < count; i++) {
    features.descriptors.set(unit(Float32Array.from({ length: dim }, () => random.normal())), i * dim);
  }
  return features;
}

/** The same keypoints seen from elsewhere: moved by a homography, with noise on places and descriptors, and others among them. */
export function seenAgain(
  features: FloatFeatures,
  seed: number,
  { matrix = [0.7, -0.2, 90, 0.2, 0.7, 10, 0, 0, 1], noise = 0.3, others = 40 } = {},
): FloatFeatures {
  const random = new Random(seed);
  const { count, dim, imageSize } = features;
  const stranger = drawnFeatures(seed + 1_000_000, others, dim, imageSize);
  const descriptors = new Float32Array((count + others) * dim);
  for (let i = 0; i < count; i++) {
    const row = features.descriptors.subarray(i * dim, (i + 1) * dim);
    descriptors.set(unit(row.map((value) => value + (noise * random.normal()) / Math.sqrt(dim))), i * dim);
  }
  descriptors.set(stranger.descriptors, count * dim);
  const keypoints = new Float32Array(2 * (count + others));
  keypoints.set(
    Float32Array.from(projectPoints(matrix, features.keypoints), (value) => value + random.uniform(-0.3, 0.3)),
  );
  keypoints.set(stranger.keypoints, 2 * count);
  return {
    count: count + others,
    dim,
    imageSize,
    keypoints,
    scores: Float32Array.from({ length: count + others }, (_, i) => 1 - i / (count + others)),
    descriptors,
  };
}

/** An extractor of MODEL: an image's brightness says what is found in it. */
export const extractorOf = () => ({
  info: { model: MODEL.name, sha256: MODEL.sha256, dim: DIM },
  extract: async (image: Image | ImageParts) => drawnFeatures((image as Image).data[0]),
});

let trained: Promise<Vocabulary> | undefined;

/** 64 words of drawn descriptors; the same in every test of a file. */
export function smallVocabulary(): Promise<Vocabulary> {
  trained ??= (() => {
    const pictures = Array.from({ length: 20 }, (_, i) => drawnFeatures(500 + i, 40));
    const descriptors = new Float32Array(pictures.flatMap((one) => [...one.descriptors]));
    const starts = Uint32Array.from({ length: pictures.length + 1 }, (_, i) => 40 * i);
    return trainVocabulary(MODEL, { descriptors, dim: DIM, pictures: starts }, { words: 64, iterations: 3 });
  })();
  return trained;
}
