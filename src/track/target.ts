/**
 * A flat picture to be tracked: its keypoints at the sizes that a camera sees it in, and a grey picture for its patches.
 * `compileTarget` makes one of an image; target-file.ts writes and reads it.
 */
import { checkText } from "../check.js";
import { OptionError } from "../errors.js";
import type { Extractor } from "../extract/extractor.js";
import { emptyFeatures, type FloatFeatures, takeFeatures } from "../features.js";
import { resizePoints } from "../geometry/coordinates.js";
import { checkImage, type Image } from "../image/image.js";
import { fitSize, resizeImage } from "../image/resize.js";
import { checkNumber, withDefaults } from "../options.js";
import { descriptorBytes, descriptorFloats, placesFromPixels, placesToPixels } from "../packed.js";
import { checkExtractor } from "./check-targets.js";
import { findCorners } from "./corners.js";

import type { PatchSource } from "./patches.js";
import { packPicture, unpackPicture } from "./picture-codec.js";
import { type Grey, Pyramid, writeGrey } from "./pyramid.js";
import { judgeQuality, type TargetQuality } from "./quality.js";

/** Options of compileTarget. */
export interface CompileTargetOptions {
  /** What the target is called. Default "". */
  name?: string;
  /** Width of the printed picture, in whatever unit poses shall have (metres, say). Default 1. */
  physicalWidth?: number;
}

/** A target, ready to be tracked. */
export interface Target {
  name: string;
  /** [width, height] of the image it was compiled from, in pixels: what homographies and corners refer to. */
  size: [number, number];
  /** Width of the printed picture, in the unit of poses. */
  physicalWidth: number;
  /** Name and SHA-256 of the model whose features it holds. */
  model: { name: string; sha256: string };
  /** Keypoints in pixels of the image, best first; descriptors have 8 bits a value. */
  features: FloatFeatures;
  /** The grey picture, smaller than the image, and as it is stored. */
  picture: Grey;
  packedPicture: Uint8Array;
  /** How well it can be found and followed. */
  quality: TargetQuality;
}

/**
 * Longer edges at which the image is extracted: a camera of 640 pixels sees a target in any size, and the models look at a
 * frame at scales of their own, so neighbours are a factor of 1.6 apart. With each, keypoints at most.
 */
const SIZES = [
  { edge: 640, most: 270 },
  { edge: 400, most: 210 },
  { edge: 250, most: 160 },
  { edge: 160, most: 90 },
  { edge: 100, most: 50 },
] as const;
/** Keypoints of another size nearer than this share of the longer edge, and as similar as this, are the same. */
const SAME_PLACE = 0.004;
const SAME_SIMILARITY = 0.97;
/** Longer edges of the picture for patches, in pixels, and the bytes that it may take: the first that fits is taken. */
const PICTURE_EDGES = [400, 360, 320, 280, 240] as const;
const PICTURE_BYTES = 46_000;
/** Edges of an image below this are no picture to track. */
const LEAST_EDGE = 32;
/** Levels of a picture, and patches' places on the finest one; a coarser one has fewer. */
const MOST_LEVELS = 5;
const MOST_PLACES = 240;
/** Patches keep away from the picture's edge, in pixels of a level. */
const MARGIN = 6;

/**
 * The target that `image` is, by the features of `extractor`. Throws an OptionError for options that are not offered and for
 * images with an edge below 32 pixels; a picture that is poor to track is compiled, and `quality` says why it is.
 */
export async function compileTarget(
  image: Image,
  extractor: Pick<Extractor, "extract" | "info">,
  options: CompileTargetOptions = {},
): Promise<Target> {
  const where = "compileTarget";
  checkImage(where, image);
  checkExtractor(where, extractor);
  const { name, physicalWidth } = withDefaults(where, { name: "", physicalWidth: 1 }, options);
  checkText(where, "name", name);
  checkNumber(where, "physicalWidth", physicalWidth, { min: Number.MIN_VALUE });
  const { width, height } = image;
  if (Math.min(width, height) < LEAST_EDGE) {
    throw new OptionError(
      `${where}: the picture is ${width}×${height}; its edges must be ${LEAST_EDGE} pixels at least`,
    );
  }
  const found: FloatFeatures[] = [];
  for (const { edge, most } of SIZES) {
    // Nothing is enlarged: the first size that the image has is its own.
    if (edge > Math.max(width, height) && found.length > 0) continue;
    found.push(best(await atSize(image, extractor, edge), most));
  }
  const features = eightBits(merged(found, [width, height]));
  const packedPicture = packWithin(image);
  const picture = unpackPicture(where, packedPicture);
  const { model, sha256 } = extractor.info;
  return {
    name,
    size: [width, height],
    physicalWidth,
    model: { name: model, sha256 },
    features,
    picture,
    packedPicture,
    quality: judgeQuality(features, picture),
  };
}

/** Levels of the picture and places of patches on each, as patches.ts wants them. */
export function patchSource({ picture }: Pick<Target, "picture">): PatchSource {
  const pyramid = new Pyramid(picture.width, picture.height, MOST_LEVELS);
  pyramid.levels[0].data.set(picture.data);
  pyramid.reduce();
  const { levels } = pyramid;
  return {
    levels,
    places: levels.map((level, l) => findCorners(level, MARGIN, Math.max(40, MOST_PLACES >> l)).places),
  };
}

async function atSize(image: Image, extractor: Pick<Extractor, "extract">, edge: number): Promise<FloatFeatures> {
  const [width, height] = fitSize(image.width, image.height, { maxEdge: edge });
  const features = await extractor.extract(resizeImage(image, width, height));
  resizePoints(features.keypoints, image.width / width, image.height / height);
  return { ...features, imageSize: [image.width, image.height] };
}

const best = (features: FloatFeatures, most: number): FloatFeatures =>
  takeFeatures(
    features,
    Uint32Array.from({ length: Math.min(most, features.count) }, (_, i) => i),
  ) as FloatFeatures;

/** All sizes' features, largest size first, without those that an earlier one has at the same place. */
function merged(found: readonly FloatFeatures[], imageSize: [number, number]): FloatFeatures {
  const dim = found[0].dim;
  const near = (SAME_PLACE * Math.max(...imageSize)) ** 2;
  const kept: { features: FloatFeatures; i: number }[] = [];
  for (const features of found) {
    const before = kept.length;
    for (let i = 0; i < features.count; i++) {
      const isNew = kept.slice(0, before).every(({ features: other, i: j }) => {
        const dx = features.keypoints[2 * i] - other.keypoints[2 * j];
        const dy = features.keypoints[2 * i + 1] - other.keypoints[2 * j + 1];
        return dx * dx + dy * dy > near || similarity(features, i, other, j) < SAME_SIMILARITY;
      });
      if (isNew) kept.push({ features, i });
    }
  }
  const result = { ...emptyFeatures(imageSize, dim), count: kept.length };
  result.keypoints = new Float32Array(2 * kept.length);
  result.scores = new Float32Array(kept.length);
  result.descriptors = new Float32Array(dim * kept.length);
  for (const [k, { features, i }] of kept.entries()) {
    result.keypoints.set(features.keypoints.subarray(2 * i, 2 * i + 2), 2 * k);
    result.scores[k] = features.scores[i];
    result.descriptors.set(features.descriptors.subarray(dim * i, dim * (i + 1)), dim * k);
  }
  return result;
}

function similarity(a: FloatFeatures, i: number, b: FloatFeatures, j: number): number {
  let sum = 0;
  for (let k = 0; k < a.dim; k++) sum += a.descriptors[a.dim * i + k] * b.descriptors[b.dim * j + k];
  return sum;
}

/** Descriptors and keypoints with the precision of a file. */
function eightBits(features: FloatFeatures): FloatFeatures {
  const { count, dim, keypoints, imageSize } = features;
  return {
    ...features,
    keypoints: placesToPixels(placesFromPixels(keypoints, imageSize), imageSize),
    descriptors: descriptorFloats(descriptorBytes(features), count, dim),
  };
}

/** The picture as large as its bytes allow. */
function packWithin(image: Image): Uint8Array {
  let packed: Uint8Array = new Uint8Array(0);
  for (const edge of PICTURE_EDGES) {
    packed = packPicture(greyPicture(image, edge));
    if (packed.length <= PICTURE_BYTES) break;
  }
  return packed;
}

/** The image's luma, no longer edge above `edge`. */
function greyPicture(image: Image, edge: number): Grey {
  const [width, height] = fitSize(image.width, image.height, { maxEdge: edge });
  const small = resizeImage(image, width, height);
  const data = new Uint8Array(width * height);
  writeGrey(small, 3, data);
  return { width, height, data };
}
