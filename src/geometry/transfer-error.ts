/** How far matched points are from where a homography takes them. */
import type { Matrix3 } from "./matrix3.js";
import { pairedPoints } from "./robust/correspondences.js";
import { homographyModel } from "./robust/homography.js";

/**
 * Squared distance in image 2 between each point of `from` (x0, y0, …), carried by the homography, and that of `to`;
 * Infinity for a point that is carried to infinity or is not finite.
 */
export function squaredTransferErrors(
  homography: Matrix3,
  from: ArrayLike<number>,
  to: ArrayLike<number>,
): Float64Array {
  const errors = new Float64Array(from.length / 2);
  homographyModel.squaredErrors(Float64Array.from(homography), 0, pairedPoints(from, to), errors);
  return errors;
}
