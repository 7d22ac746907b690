/** Where a homography puts the frame of image A in image B, also when part of it lies behind the camera. */
import type { Matrix3 } from "../geometry/matrix3.js";

/**
 * Least denominator that is drawn, relative to the one at the anchor: what is 1000 times farther away than that is cut
 * off, long after it has left any image.
 */
const NEAR = 1e-3;

/**
 * `matrix` or its negative, the same homography, so that the denominator is positive at `anchor`, a point that is seen
 * in both images.
 */
export function facing(matrix: Matrix3, [x, y]: readonly [number, number]): Float64Array {
  const sign = matrix[6] * x + matrix[7] * y + matrix[8] < 0 ? -1 : 1;
  return Float64Array.from(matrix, (value) => sign * value);
}

/**
 * The frame of an image of `size` = [width, height] in image B: corners x0, y0, … of a polygon, three or more, or none
 * when nothing of it is in front of the camera. Pixel centres lie on integers, so the frame goes from −½ to size − ½.
 * `anchor`: a point of image A that is seen in B, for instance an inlier.
 */
export function projectedOutline(
  matrix: Matrix3,
  [width, height]: readonly [number, number],
  anchor: readonly [number, number],
): Float64Array {
  const h = facing(matrix, anchor);
  const least = NEAR * (h[6] * anchor[0] + h[7] * anchor[1] + h[8]);
  const corners = [
    [-0.5, -0.5],
    [width - 0.5, -0.5],
    [width - 0.5, height - 0.5],
    [-0.5, height - 0.5],
  ].map(([x, y]) => [0, 3, 6].map((row) => h[row] * x + h[row + 1] * y + h[row + 2]));
  const polygon: number[] = [];
  for (let k = 0; k < 4; k++) {
    const p = corners[k];
    const q = corners[(k + 1) % 4];
    if (p[2] >= least) polygon.push(p[0] / p[2], p[1] / p[2]);
    if (p[2] >= least !== q[2] >= least) {
      // The edge crosses the near line: its point on that line takes the place of the hidden end.
      const t = (least - p[2]) / (q[2] - p[2]);
      polygon.push((p[0] + t * (q[0] - p[0])) / least, (p[1] + t * (q[1] - p[1])) / least);
    }
  }
  return polygon.every(Number.isFinite) ? Float64Array.from(polygon) : new Float64Array(0);
}
