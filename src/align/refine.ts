/**
 * A homography made exact by pixels. Keypoints place a page within a pixel; patches all over it, found in the other image
 * by correlation and placed between pixels (track/patches.ts), do so within a tenth.
 */
import { resizeHomography } from "../geometry/coordinates.js";
import { inverse3x3, type Matrix3 } from "../geometry/matrix3.js";
import { squaredTransferErrors } from "../geometry/transfer-error.js";
import type { Image } from "../image/image.js";
import { type Shrunk, shrinkToEdge } from "../image/shrink.js";
import { findCorners } from "../track/corners.js";
import { follow } from "../track/follow.js";
import type { PatchSource } from "../track/patches.js";
import { type Grey, Pyramid, writeGrey } from "../track/pyramid.js";

const LEVELS = 4;
/** Longer edge of what is compared, in pixels: a tenth of a pixel there is enough for larger images too. */
const LONGEST_EDGE = 4096;
/** Corners are looked for in so many parts of an image each way, so many in each: all of a page has some. */
const PARTS = 6;
const OF_PART = 14;
/** Pixels around a corner that its patch needs. */
const MARGIN = 9;
/** Pixels of the coarsest level that are searched each way. */
const RADIUS = 3;
/** Mean correlation of the patches, and how many must agree. */
const LEAST_CONFIDENCE = 0.5;
const LEAST_SUPPORT = 24;
/**
 * Share of the keypoints near their partners that must stay so. Patches look at all of the view: in a scene that is no
 * plane they may settle on another one than the keypoints. Of pairs of hseq whose truth patches come nearer to, .92 stay.
 */
const STAYING = 0.915;

/** Matched keypoints of two images, x0, y0, …, and the distance in the second one at which partners are near. */
export interface MatchedPoints {
  from: ArrayLike<number>;
  to: ArrayLike<number>;
  near: number;
}

interface Plane {
  /** Pixels of the image per pixel of what is compared. */
  step: Shrunk["step"];
  source: PatchSource;
  /** x0, y0, …, x3, y3. */
  corners: Float64Array;
}

/** Homographies between images of one plane, each image made ready once. */
export class HomographyRefiner {
  private readonly planes = new Map<Image, Plane>();

  /** The homography from `image` to `base` near the one given; null where patches do not agree on one. */
  refine(image: Image, base: Image, homography: Matrix3, points: MatchedPoints): Float64Array | null {
    const plane = this.planes.get(base) ?? planeOf(shrinkToEdge(base, LONGEST_EDGE));
    this.planes.set(base, plane);
    const frame = shrinkToEdge(image, LONGEST_EDGE);
    const back = inverse3x3(resizeHomography(homography, inverted(frame.step), inverted(plane.step)));
    const found = back && follow(plane.source, plane.corners, pyramidOf(frame.image), back, RADIUS);
    if (!found || found.confidence < LEAST_CONFIDENCE || found.support < LEAST_SUPPORT) return null;
    const inverse = inverse3x3(found.homography);
    const refined = inverse && resizeHomography(inverse, frame.step, plane.step);
    return refined && nearOnes(refined, points) >= STAYING * nearOnes(homography, points) ? refined : null;
  }
}

const inverted = ([x, y]: readonly [number, number]): [number, number] => [1 / x, 1 / y];

const nearOnes = (homography: Matrix3, { from, to, near }: MatchedPoints): number =>
  squaredTransferErrors(homography, from, to).filter((error) => error <= near ** 2).length;

function planeOf({ image, step }: Shrunk): Plane {
  const { levels } = pyramidOf(image);
  const [right, bottom] = [image.width - 1, image.height - 1];
  return {
    step,
    source: { levels, places: levels.map(cornersAllOver) },
    corners: Float64Array.of(0, 0, right, 0, right, bottom, 0, bottom),
  };
}

function pyramidOf(image: Image): Pyramid {
  const pyramid = new Pyramid(image.width, image.height, LEVELS);
  writeGrey(image, 3, pyramid.levels[0].data);
  pyramid.reduce();
  return pyramid;
}

/** Corners x0, y0, …: the best of every part, then the second best of every part, and so on. */
function cornersAllOver(level: Grey): Float32Array {
  const parts: Float32Array[] = [];
  for (let j = 0; j < PARTS; j++) {
    for (let i = 0; i < PARTS; i++) {
      const [left, right] = stretch(i, level.width);
      const [top, bottom] = stretch(j, level.height);
      const { places } = findCorners(cut(level, left, top, right, bottom), MARGIN, OF_PART);
      parts.push(places.map((value, k) => value + (k % 2 ? top : left)));
    }
  }
  const places: number[] = [];
  for (let k = 0; k < 2 * OF_PART; k += 2) {
    for (const part of parts) if (k < part.length) places.push(part[k], part[k + 1]);
  }
  return Float32Array.from(places);
}

/** One part of an axis, with the margin that its corners need. */
function stretch(part: number, length: number): [from: number, to: number] {
  const [from, to] = [part, part + 1].map((k) => Math.round((k * length) / PARTS));
  return [Math.max(0, from - MARGIN), Math.min(length, to + MARGIN)];
}

function cut({ width, data }: Grey, left: number, top: number, right: number, bottom: number): Grey {
  const part = { width: right - left, height: bottom - top, data: new Uint8Array((right - left) * (bottom - top)) };
  for (let y = top; y < bottom; y++) {
    part.data.set(data.subarray(y * width + left, y * width + right), (y - top) * part.width);
  }
  return part;
}
