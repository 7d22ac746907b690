/**
 * What the robust estimator (`estimate.ts`) must know of a geometric model. Correspondences are one flat array: x1, y1,
 * x2, y2 per pair, in pixels of the two images. Matrices are nine numbers, row by row. No method but `fit` may allocate
 * per call: they run in the loop over samples.
 */

/** Models of two views. */
export const TWO_VIEW_MODELS = ["homography", "fundamental", "essential"] as const;

/** Numbers of a correspondence: x1, y1, x2, y2. */
export const STRIDE = 4;

/** A geometric model that correspondences may obey: its minimal solver, its refit and its error. */
export interface RobustModel {
  readonly name: (typeof TWO_VIEW_MODELS)[number];
  /** Correspondences of a minimal sample: 4, 7, 5. */
  readonly sampleSize: number;
  /** Most solutions of one minimal sample: 1, 3, 10. */
  readonly mostSolutions: number;
  /** Whether a minimal sample can determine a model: no repeated points, none on a line where that leaves it open. */
  isSampleGood(points: Float64Array, sample: Int32Array): boolean;
  /** Writes the solutions of a minimal sample to `models`, 9 numbers each; returns how many there are. */
  solve(points: Float64Array, sample: Int32Array, models: Float64Array): number;
  /**
   * Weighted least squares over all pairs whose weight is above 0, written to `model` (9 numbers). `near` is the model
   * to linearise about; null: the algebraic error. False, with `model` left as it is, where they do not determine one.
   */
  fit(points: Float64Array, weights: Float64Array, near: Float64Array | null, model: Float64Array): boolean;
  /**
   * Writes the squared error of each pair, in square pixels, to `errors`; Infinity where it is not defined. The model is
   * the 9 numbers from `offset` on. Homography: the distance in image 2; the others: Sampson's.
   */
  squaredErrors(model: Float64Array, offset: number, points: Float64Array, errors: Float64Array): void;
  /**
   * Writes the factor that makes each pair's squared error the squared distance, to first order, from the nearest pair
   * that obeys the model: errors of both images count (Sampson 1982). Absent where `squaredErrors` is that already.
   */
  pairFactors?(model: Float64Array, points: Float64Array, factors: Float64Array): void;
}
