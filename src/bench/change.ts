/**
 * Pairs of images made from one photograph: turned about its centre, or zoomed. The homography is exact, so that what a
 * curve over turns or zooms shows is the method and not the truth's error.
 */

import type { Image } from "../image/image.js";
import { warpImage } from "../image/warp.js";
import { checkChoice, checkNumber } from "../options.js";
import type { Change } from "./types.js";

export const CHANGES = ["rotation", "scale"] as const satisfies readonly Change[];

/** Degrees, clockwise as seen on the screen: a whole turn by 15°. */
export const ROTATIONS: readonly number[] = Array.from({ length: 25 }, (_, i) => 15 * i);

/** Zoom factors 2^(k/3), k = −6…6: ¼ to 4, three to an octave. */
export const SCALES: readonly number[] = Array.from({ length: 13 }, (_, i) => 2 ** ((i - 6) / 3));

export const CHANGE_VALUES: Readonly<Record<Change, readonly number[]>> = { rotation: ROTATIONS, scale: SCALES };

/**
 * Longer edge of a photograph in pixels, for curves: larger ones are shrunk before they are changed, for the canvas of a
 * turned one has up to twice its pixels and a curve has three dozen values.
 */
export const CURVE_EDGE = 640;

/** Smallest and largest zoom: what `warpImage` shrinks without aliasing, and as much the other way. */
const [LEAST_ZOOM, MOST_ZOOM] = [1 / 16, 16];

export interface ChangedImage {
  image: Image;
  /** Row-major 3×3, pixels of the photograph to pixels of the changed image. */
  homography: Float64Array;
}

/** `photo` turned by `value` degrees or zoomed by the factor `value`; its border goes on where the canvas shows more. */
export function changeImage(photo: Image, change: Change, value: number): ChangedImage {
  const { width, height, homography } = changedCanvas([photo.width, photo.height], change, value);
  return { image: warpImage(photo, homography, { width, height }), homography };
}

/** Size of the changed image of one of `size` = [width, height], and the homography to it. */
export function changedCanvas(size: readonly [number, number], change: Change, value: number) {
  checkChoice("changedCanvas", "change", change, CHANGES);
  return change === "rotation" ? turn(size, value) : zoom(size, value);
}

/**
 * The turn by `degrees` of an image of [width, height] about its centre, onto the smallest canvas that holds all of it.
 * Quarter turns permute pixels.
 */
function turn([w, h]: readonly [number, number], degrees: number) {
  checkNumber("turn", "degrees", degrees);
  const quarters = degrees / 90;
  const whole = Number.isInteger(quarters);
  const quarter = ((quarters % 4) + 4) % 4;
  // Math.cos(π/2) is not 0, and a canvas must not grow by a pixel for it.
  const c = whole ? [1, 0, -1, 0][quarter] : Math.cos((degrees * Math.PI) / 180);
  const s = whole ? [0, 1, 0, -1][quarter] : Math.sin((degrees * Math.PI) / 180);
  const width = Math.ceil(w * Math.abs(c) + h * Math.abs(s) - 1e-9);
  const height = Math.ceil(w * Math.abs(s) + h * Math.abs(c) - 1e-9);
  return { width, height, homography: aboutCentres([w, h], [width, height], c, s) };
}

/**
 * The zoom by `factor` of an image of [width, height] about its centre. Shrunk, the canvas is as large as the whole
 * pixels that the image fills; enlarged, it keeps the image's size and shows its middle.
 */
function zoom([w, h]: readonly [number, number], factor: number) {
  checkNumber("zoom", "factor", factor, { min: LEAST_ZOOM, max: MOST_ZOOM });
  const edge = (size: number) => Math.max(1, Math.min(size, Math.floor(size * factor + 1e-9)));
  const [width, height] = [edge(w), edge(h)];
  return { width, height, homography: aboutCentres([w, h], [width, height], factor, 0) };
}

/**
 * p ↦ M·(p − c) + c′ with M = [[a, −b], [b, a]] and c, c′ the centres of both canvases. Where the new size is the old
 * one times s, that is (p + 0.5)·s − 0.5.
 */
function aboutCentres(from: readonly [number, number], to: readonly [number, number], a: number, b: number) {
  const [x, y] = from.map((size) => (size - 1) / 2);
  const [toX, toY] = to.map((size) => (size - 1) / 2);
  return Float64Array.of(a, -b, toX - a * x + b * y, b, a, toY - b * x - a * y, 0, 0, 1);
}
