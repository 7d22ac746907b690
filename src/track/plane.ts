/** Homographies of a target: from its corners, and through them. */
import { homographyModel } from "../geometry/robust/homography.js";
import { STRIDE } from "../geometry/robust/model.js";

const sample = Int32Array.of(0, 1, 2, 3);
const pairs = new Float64Array(4 * STRIDE);

/** The homography that takes four corners (x0, y0, …) to four others, with positive depth there; null for no quadrangle. */
export function homographyOfCorners(from: ArrayLike<number>, to: ArrayLike<number>): Float64Array | null {
  for (let k = 0; k < 4; k++) {
    pairs[STRIDE * k] = from[2 * k];
    pairs[STRIDE * k + 1] = from[2 * k + 1];
    pairs[STRIDE * k + 2] = to[2 * k];
    pairs[STRIDE * k + 3] = to[2 * k + 1];
  }
  if (!homographyModel.isSampleGood(pairs, sample)) return null;
  const matrix = new Float64Array(9);
  if (homographyModel.solve(pairs, sample, matrix) === 0) return null;
  const depth = matrix[6] * from[0] + matrix[7] * from[1] + matrix[8];
  for (let k = 0; k < 9; k++) matrix[k] /= depth;
  return matrix.every(Number.isFinite) ? matrix : null;
}

/** Writes where the homography takes points. */
export function projectInto(h: ArrayLike<number>, points: ArrayLike<number>, into: Float64Array): Float64Array {
  for (let k = 0; k < points.length; k += 2) {
    const [x, y] = [points[k], points[k + 1]];
    const w = h[6] * x + h[7] * y + h[8];
    into[k] = (h[0] * x + h[1] * y + h[2]) / w;
    into[k + 1] = (h[3] * x + h[4] * y + h[5]) / w;
  }
  return into;
}

/** The mean distance of four corners from four others. */
export function meanCornerDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < 8; k += 2) sum += Math.hypot(a[k] - b[k], a[k + 1] - b[k + 1]);
  return sum / 4;
}
