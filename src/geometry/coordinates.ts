/**
 * Every coordinate convention, in one place. Ours: pixel centres lie on integers, (0, 0) is the centre of the top left
 * pixel, x right, y down. OpenCV's, hloc's and LightGlue's pixels are the same; COLMAP puts (0, 0) at the corner of
 * that pixel, so its centre is (0.5, 0.5). Points are flat arrays x0, y0, x1, y1, …
 */

import { checkPoints, described } from "../check.js";
import { OptionError } from "../errors.js";
import { checkNumber } from "../options.js";
import { compose, type Matrix3, transposed } from "./matrix3.js";

/** Ours → COLMAP's pixels: p + 0.5. Changes `points` in place and returns it. */
export function toColmap<T extends Float32Array | Float64Array>(points: T): T {
  checkPoints("toColmap", "points", points);
  for (let i = 0; i < points.length; i++) points[i] += 0.5;
  return points;
}

/** COLMAP's pixels → ours: p − 0.5. Changes `points` in place and returns it. */
export function fromColmap<T extends Float32Array | Float64Array>(points: T): T {
  checkPoints("fromColmap", "points", points);
  for (let i = 0; i < points.length; i++) points[i] -= 0.5;
  return points;
}

/** A homography between our pixels of two images, for COLMAP's pixels of both. */
export function homographyToColmap(matrix: Matrix3): Float64Array {
  return compose(shift(0.5), compose(matrix, shift(-0.5)));
}

/** A homography between COLMAP's pixels of two images, for our pixels of both. */
export function homographyFromColmap(matrix: Matrix3): Float64Array {
  return compose(shift(-0.5), compose(matrix, shift(0.5)));
}

/** A fundamental matrix (x₂ᵀ F x₁ = 0) between our pixels of two images, for COLMAP's pixels of both. */
export function fundamentalToColmap(matrix: Matrix3): Float64Array {
  return compose(transposed(shift(-0.5)), compose(matrix, shift(-0.5)));
}

/** A fundamental matrix (x₂ᵀ F x₁ = 0) between COLMAP's pixels of two images, for our pixels of both. */
export function fundamentalFromColmap(matrix: Matrix3): Float64Array {
  return compose(transposed(shift(0.5)), compose(matrix, shift(0.5)));
}

/** The map p ↦ p + by. */
function shift(by: number): Float64Array {
  return Float64Array.of(1, 0, by, 0, 1, by, 0, 0, 1);
}

/**
 * Where points go when their image is resized: (p + 0.5)·s − 0.5, which keeps pixel areas (not centres) aligned.
 * `scaleX` = new width / old width, `scaleY` (default `scaleX`) likewise. Changes `points` in place and returns it.
 */
export function resizePoints<T extends Float32Array | Float64Array>(points: T, scaleX: number, scaleY = scaleX): T {
  checkPoints("resizePoints", "points", points);
  checkNumber("resizePoints", "scaleX", scaleX);
  checkNumber("resizePoints", "scaleY", scaleY);
  for (let i = 0; i + 1 < points.length; i += 2) {
    points[i] = (points[i] + 0.5) * scaleX - 0.5;
    points[i + 1] = (points[i + 1] + 0.5) * scaleY - 0.5;
  }
  return points;
}

/**
 * A homography between our pixels of two images, for the same images resized: each by [new width / old width, new height /
 * old height].
 */
export function resizeHomography(
  matrix: Matrix3,
  [ax, ay]: readonly [number, number],
  [bx, by]: readonly [number, number],
): Float64Array {
  return compose(resizing(bx, by), compose(matrix, resizing(1 / ax, 1 / ay)));
}

/** The map p ↦ (p + 0.5)·s − 0.5. */
function resizing(x: number, y: number): Float64Array {
  return Float64Array.of(x, 0, (x - 1) / 2, 0, y, (y - 1) / 2, 0, 0, 1);
}

/**
 * The reference's map from a cell of a feature map to a pixel: p ← 2p + 0.5, once per halving, `n` times.
 * It takes the centre of a cell for the centre of the 2×2 pixels below it.
 */
export function cellToPixel(p: number, n: number): number {
  checkCell("cellToPixel", p, n);
  return 2 ** n * p + (2 ** n - 1) / 2;
}

/** The inverse of `cellToPixel`: p ← (p − 0.5) / 2, `n` times. */
export function pixelToCell(p: number, n: number): number {
  checkCell("pixelToCell", p, n);
  return (p - (2 ** n - 1) / 2) / 2 ** n;
}

function checkCell(where: string, p: number, n: number): void {
  if (typeof p !== "number" || !Number.isInteger(n)) {
    throw new OptionError(
      `${where}: expected a position and a whole number of halvings, got ${described(p)}, ${described(n)}`,
    );
  }
}
