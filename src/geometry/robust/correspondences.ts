/** From two arrays of points, as the public functions take them, to the flat pairs of the estimator. */
import { checkArray, checkNumbers } from "../../check.js";
import { ShapeError } from "../../errors.js";
import { STRIDE } from "./model.js";

/** Pairs whose coordinates are finite. */
export interface Correspondences {
  /** Their indices, ascending. */
  indices: Uint32Array;
  /** x1, y1, x2, y2 per pair. */
  points: Float64Array;
  /** Their scores, where there are any. */
  scores: Float64Array | null;
}

/**
 * The pairs of two arrays (x0, y0, x1, y1, …) without those that have a coordinate that is not finite. `where` names the
 * caller in a ShapeError for arrays that do not pair up.
 */
export function correspondences(
  where: string,
  pointsA: Float32Array,
  pointsB: Float32Array,
  scores: ArrayLike<number> | null,
): Correspondences {
  checkArray(where, "pointsA", pointsA, Float32Array);
  checkArray(where, "pointsB", pointsB, Float32Array);
  if (pointsA.length !== pointsB.length || pointsA.length % 2) {
    throw new ShapeError(
      `${where}: points come as x, y pairs, as many of a as of b, got ${pointsA.length} and ${pointsB.length} numbers`,
    );
  }
  const count = pointsA.length / 2;
  if (scores !== null && checkNumbers(where, "scores", scores).length !== count) {
    throw new ShapeError(`${where}: ${count} pairs need as many scores, got ${scores.length}`);
  }
  const indices = Uint32Array.from({ length: count }, (_, i) => i).filter((i) =>
    Number.isFinite(pointsA[2 * i] + pointsA[2 * i + 1] + pointsB[2 * i] + pointsB[2 * i + 1]),
  );
  return {
    indices,
    points: pairedPoints(pointsA, pointsB, indices),
    scores: scores && Float64Array.from(indices, (i) => scores[i]),
  };
}

/** x1, y1, x2, y2 of each pair of points, or of those at `indices`. */
export function pairedPoints(a: ArrayLike<number>, b: ArrayLike<number>, indices?: Uint32Array): Float64Array {
  const count = indices?.length ?? a.length / 2;
  const points = new Float64Array(STRIDE * count);
  for (let to = 0; to < count; to++) {
    const i = indices ? indices[to] : to;
    points[STRIDE * to] = a[2 * i];
    points[STRIDE * to + 1] = a[2 * i + 1];
    points[STRIDE * to + 2] = b[2 * i];
    points[STRIDE * to + 3] = b[2 * i + 1];
  }
  return points;
}
