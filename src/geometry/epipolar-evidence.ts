/**
 * What speaks for the epipolar geometry of two images' matches, under the names that a homography's evidence has. A match of
 * unrelated images lies near its epipolar line by chance in one case of a hundred, and the best line of many hypotheses
 * does better; what chance cannot do is put such matches on the same side of their epipoles.
 */
import type { Evidence } from "./evidence.js";
import { epipoleOf, sideOf } from "./robust/fundamental.js";
import { STRIDE } from "./robust/model.js";
import { sampsonErrors } from "./robust/sampson.js";

/** Sampson's error in pixels within which matches count here, whatever the estimation's threshold was. */
const INLIER_DISTANCE = 1.5;

/** How much of the images matches span: indices into them in, a share out. */
export type Span = (inliers: readonly number[]) => number;

/**
 * Evidence for a fundamental matrix in pixels; null where no more matches agree with it than a sample of `sampleSize` does
 * with any. n is the number of matches within 1.5 px beyond the sample. inliers: ln(1 + n) · share: ln((n + 1) / (others +
 * 1)) · spread: ln of the share of the image that the inliers span · tightness: their mean squared error over that of
 * errors without a cause, those of a sample being of that size · form: share of the n that lie on the same side of their
 * epipoles as most do, 0 for half of them, 1 for all.
 */
export function epipolarEvidence(
  matrix: Float64Array,
  sampleSize: number,
  points: Float64Array,
  span: Span,
): Evidence | null {
  const count = points.length / STRIDE;
  const errors = new Float64Array(count);
  sampsonErrors(matrix, 0, points, errors);
  const epipole = new Float64Array(3);
  epipoleOf(matrix, epipole);
  const inliers: number[] = [];
  let sum = 0;
  let before = 0;
  for (let m = 0; m < count; m++) {
    if (!(errors[m] <= INLIER_DISTANCE ** 2)) continue;
    inliers.push(m);
    sum += errors[m];
    if (sideOf(matrix, epipole, points, STRIDE * m) > 0) before++;
  }
  const n = inliers.length - sampleSize;
  if (n <= 0) return null;
  const alike = (Math.max(before, inliers.length - before) - sampleSize) / n;
  return {
    inliers: Math.log(1 + n),
    share: Math.log((n + 1) / (count - inliers.length + 1)),
    spread: Math.log(1e-3 + span(inliers)),
    tightness: (sum / (INLIER_DISTANCE ** 2 / 3) + sampleSize) / inliers.length,
    form: Math.max(0, 2 * alike - 1),
  };
}
