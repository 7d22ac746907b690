/**
 * Least squares on all pairs near a model, reweighted: by the estimator's kernel while it looks for the best model (local
 * optimisation; Lebeda, Matas, Chum 2012), and by Geman and McClure's function (1985) for the result. Its scale follows the
 * pairs' own precision, so exact pairs count more than rough ones whatever the threshold is.
 *
 * Errors of real keypoints have long tails. Against Tukey's biweight, which cuts them off, geometric means of corner errors
 * fell by 1 to 7 % (strata-s, ORB and AKAZE; 30 pairs of photographs, 120 drawn views of others), of poses by 5 to 10 %.
 * Where errors turn out to be as short as a Gaussian's the function is wider, which takes 10 % off those of drawn pairs.
 */
import type { RobustModel } from "./model.js";
import { type Kernel, supportOf, writeWeights } from "./score.js";

/** Most refits of one candidate. */
const REFITS = 5;
/** Most refits of the result. */
const FINAL_REFITS = 20;
/**
 * Deviations at which a pair counts a quarter: where errors have long tails, and where they are as short as a Gaussian's, of
 * which the narrow function leaves too much unused (corners err 10 % more).
 */
const [NARROW, WIDE] = [2.5, 6];
/** Over the square root of the number of pairs: what the wide function may lose to the narrow one by chance. */
const CHANCE = 0.5;
/** Thresholds beyond which a pair counts nothing: with few right pairs the many wrong ones would draw the result away. */
const FARTHEST = 3;
/** Median squared error over the variance of a coordinate: χ² of two degrees of freedom, and of one (Sampson's error). */
const MEDIAN_SQUARED_ERROR = { homography: 2 * Math.LN2, fundamental: 0.4549, essential: 0.4549 };
/** Least deviation, as a share of the threshold: keypoints are float32, no better than that. */
const LEAST_SCALE = 1e-4;
/** The result is settled once no entry moves by more than this share of itself. */
const SETTLED = 1e-9;

/** Refits of models on the same pairs; its arrays are allocated once. */
export class Refiner {
  /** What each pair counted in the last refit. */
  readonly weights: Float64Array;
  private readonly sorted: Float64Array;
  private readonly factors: Float64Array;
  private readonly current = new Float64Array(9);
  private readonly next = new Float64Array(9);

  /**
   * `errors`: scratch, one number per pair, that the caller may use between two calls. `precisions`: of each pair the inverse
   * of its variance, to any scale; null: all are alike.
   */
  constructor(
    private readonly model: RobustModel,
    private readonly points: Float64Array,
    private readonly errors: Float64Array,
    private readonly threshold: number,
    private readonly precisions: Float64Array | null = null,
  ) {
    this.weights = new Float64Array(errors.length);
    this.sorted = new Float64Array(errors.length);
    this.factors = new Float64Array(errors.length).fill(1);
  }

  /** Refits `best` in place for as long as its support grows; returns that support. */
  optimize(kernel: Kernel, best: Float64Array): number {
    const { model, points, errors, weights, threshold, current, next } = this;
    current.set(best);
    let support = 0;
    for (let refits = 0; ; refits++) {
      model.squaredErrors(current, 0, points, errors);
      const found = supportOf(kernel, errors, errors.length, threshold);
      if (!(found > support)) return support;
      support = found;
      best.set(current);
      if (refits === REFITS) return support;
      writeWeights(kernel, errors, threshold, weights);
      if (!model.fit(points, weights, current, next)) return support;
      current.set(next);
    }
  }

  /** Draws `result` in place to the nearest optimum; as it is where its pairs do not determine one. */
  polish(result: Float64Array): void {
    const { model, points, errors, weights, factors, next } = this;
    const limit = (FARTHEST * this.threshold) ** 2;
    let width: number = NARROW;
    for (let refits = 0; refits < FINAL_REFITS; refits++) {
      model.squaredErrors(result, 0, points, errors);
      this.writeFactors(result);
      const variance = this.variance();
      if (variance === null) return; // they fit exactly: nothing says how precise they are
      // Once, and after a refit: until then a rough model's errors are among them.
      if (refits === 1 && !this.hasLongTails(variance)) width = WIDE;
      const unit = width ** 2 * variance;
      for (let i = 0; i < weights.length; i++) {
        weights[i] = errors[i] < limit ? factors[i] / (1 + (errors[i] * factors[i]) / unit) ** 2 : 0;
      }
      if (!model.fit(points, weights, result, next)) return;
      const settled = isSettled(result, next);
      result.set(next);
      if (settled) return;
    }
  }

  /** Writes what makes a pair's squared error one of the same variance as any other's. */
  private writeFactors(result: Float64Array): void {
    const { model, points, factors, precisions } = this;
    model.pairFactors?.(result, points, factors);
    if (!precisions) return;
    if (!model.pairFactors) factors.fill(1);
    for (let i = 0; i < factors.length; i++) factors[i] *= precisions[i];
  }

  /** Variance of a coordinate, robustly; null where no more pairs are near than a sample has. */
  private variance(): number | null {
    const { errors, factors, sorted, threshold, model } = this;
    let near = 0;
    for (let i = 0; i < errors.length; i++) {
      if (errors[i] <= threshold * threshold) sorted[near++] = errors[i] * factors[i];
    }
    if (near <= model.sampleSize) return null;
    const median = sorted.subarray(0, near).sort()[near >> 1];
    // Rousseeuw's correction for few samples: a fit comes closer to its own pairs than the truth does.
    const deviation = (1 + 5 / (near - model.sampleSize)) * Math.sqrt(median / MEDIAN_SQUARED_ERROR[model.name]);
    return Math.max(deviation, LEAST_SCALE * threshold) ** 2;
  }

  /**
   * Whether the narrow function determines the model better than the wide one: by the variance of an M-estimator,
   * Σψ² / (Σψ′)², of the errors as they are (as a choice of its constant: Wang, Lin, Zhu, Bai 2007).
   */
  private hasLongTails(variance: number): boolean {
    const limit = (FARTHEST * this.threshold) ** 2;
    const near = this.errors.reduce((count, error) => count + Number(error < limit), 0);
    const [narrow, wide] = [NARROW, WIDE].map((width) => this.spreadBy(width ** 2 * variance, limit));
    return wide > (1 + CHANCE / Math.sqrt(near)) * narrow;
  }

  /** The variance of a refit with this squared distance of a quarter, to a factor, of the pairs within the limit. */
  private spreadBy(unit: number, limit: number): number {
    const { errors, factors, model } = this;
    // An error of two coordinates has half of its square along either.
    const bend = model.name === "homography" ? 2 : 4;
    let squares = 0;
    let slopes = 0;
    for (let i = 0; i < errors.length; i++) {
      if (!(errors[i] < limit)) continue;
      const q = (errors[i] * factors[i]) / unit;
      const root = 1 / (1 + q);
      squares += root ** 4 * q * unit;
      slopes += (1 + q - bend * q) * root ** 3;
    }
    return slopes > 0 ? squares / slopes ** 2 : Infinity;
  }
}

/** Whether two models are the same but for their scale. */
function isSettled(before: Float64Array, after: Float64Array): boolean {
  let product = 0;
  let square = 0;
  for (let k = 0; k < 9; k++) {
    product += before[k] * after[k];
    square += after[k] * after[k];
  }
  const factor = product / square;
  const floor = SETTLED * 1e-6 * Math.abs(factor) * Math.sqrt(square);
  for (let k = 0; k < 9; k++) {
    const value = factor * after[k];
    if (!(Math.abs(value - before[k]) <= SETTLED * Math.abs(value) + floor)) return false;
  }
  return true;
}
