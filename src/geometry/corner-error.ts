/** The usual figure of merit of an estimated homography (HPatches' homography estimation, SuperPoint 2018). */
import { checkSize } from "../check.js";
import { checkMatrix, imageCorners, type Matrix3, projectPoints } from "./matrix3.js";

/**
 * Mean distance in pixels of image 2 between the four corners of image 1 as `estimated` and as `truth` place them;
 * `size` = [width, height] of image 1. Infinity where there is no estimate, or where it sends a corner to infinity.
 */
export function cornerError(estimated: Matrix3 | null, truth: Matrix3, size: readonly [number, number]): number {
  checkMatrix("cornerError", truth);
  const corners = imageCorners(checkSize("cornerError", "size", size));
  if (estimated === null) return Infinity;
  checkMatrix("cornerError", estimated);
  const found = projectPoints(estimated, corners);
  const wanted = projectPoints(truth, corners);
  let sum = 0;
  for (let k = 0; k < corners.length; k += 2) sum += Math.hypot(found[k] - wanted[k], found[k + 1] - wanted[k + 1]);
  return Number.isNaN(sum) ? Infinity : sum / 4;
}
