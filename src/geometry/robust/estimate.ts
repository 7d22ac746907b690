/**
 * The robust estimator, for every model: progressive samples, the support of each solution, local optimisation of the
 * best so far (LO-RANSAC; Chum, Matas, Kittler 2003), an end as soon as a better model is improbable, and a last
 * polish. The loop allocates nothing.
 */
import { Random } from "../../random.js";
import { type RobustModel, STRIDE } from "./model.js";
import { Refiner } from "./refine.js";
import { Sampler } from "./sampling.js";
import { KERNELS, supportOf } from "./score.js";

/** How a model is estimated; the caller has checked it. */
export interface EstimateOptions {
  /** Error from which on a pair is an outlier, in pixels. */
  threshold: number;
  /** Wanted probability that a sample without outliers was drawn, in [0, 1). */
  confidence: number;
  /** Most samples drawn. */
  maxIterations: number;
  /** The same seed gives the same model, bit for bit. */
  seed: number;
  /** Which kernel scores and refits. "magsac" is polished in the end, "ransac" is not. */
  kernel: keyof typeof KERNELS;
  /** A number per pair, larger is better: what samples are drawn from first. Null: nothing is known. */
  scores: ArrayLike<number> | null;
}

/** What the estimator finds. */
export interface Estimate {
  /** Nine numbers, to whatever scale the model's solver and refit give them. */
  model: Float64Array;
  /** Samples drawn. */
  iterations: number;
}

/** Samples drawn at least: they are cheap where most pairs are right, and make seeds agree. */
const LEAST_SAMPLES = 50;
/** Pairs on which a solution is tried before it is tried on all. */
const SCREEN = 128;
/** Standard deviations by which a better model's support on them may fall short of what is expected: one in 20 does. */
const SHORTFALL = 1.7;

/** The model that most of `pairs` (x1, y1, x2, y2, …; all finite) agree with; null where no sample gives one. */
export function estimateModel(model: RobustModel, pairs: Float64Array, options: EstimateOptions): Estimate | null {
  const count = pairs.length / STRIDE;
  const { sampleSize } = model;
  if (count < sampleSize) return null;
  const { threshold, confidence, maxIterations, scores } = options;
  const kernel = KERNELS[options.kernel];
  const random = new Random(options.seed);
  const places = shuffled(count, random);
  const points = moved(pairs, places);
  const ranks = rankByScore(count, scores);
  const order = ranks?.map((i) => places[i]) ?? places;

  const sampler = new Sampler(count, sampleSize, ranks !== null, random);
  const sample = new Int32Array(sampleSize);
  const solutions = new Float64Array(9 * model.mostSolutions);
  const errors = new Float64Array(count);
  const refiner = new Refiner(model, points, errors, threshold);
  const isScreened = count > 2 * SCREEN;
  const screen = points.subarray(0, STRIDE * SCREEN); // a random choice: the pairs are shuffled
  const screenErrors = errors.subarray(0, SCREEN);

  const best = new Float64Array(9);
  let support = 0;
  let limit = maxIterations;
  let iterations = 0;
  while (iterations < limit) {
    iterations++;
    sampler.draw(sample);
    for (let k = 0; k < sampleSize; k++) sample[k] = order[sample[k]];
    if (!model.isSampleGood(points, sample)) continue;
    const solved = model.solve(points, sample, solutions);
    for (let s = 0; s < solved; s++) {
      if (isScreened) {
        model.squaredErrors(solutions, 9 * s, screen, screenErrors);
        const expected = (SCREEN * support) / count;
        const least = expected - SHORTFALL * Math.sqrt(expected * (1 - support / count));
        if (supportOf(kernel, errors, SCREEN, threshold) < least) continue;
      }
      model.squaredErrors(solutions, 9 * s, points, errors);
      if (!(supportOf(kernel, errors, count, threshold) > support)) continue;
      for (let k = 0; k < 9; k++) best[k] = solutions[9 * s + k];
      support = refiner.optimize(kernel, best);
      model.squaredErrors(best, 0, points, errors);
      const needed = samplesNeeded(inlierShare(errors, threshold), sampleSize, confidence);
      limit = Math.min(maxIterations, Math.max(LEAST_SAMPLES, needed));
    }
  }
  if (support === 0) return null;
  if (options.kernel === "magsac") refiner.polish(best);
  return { model: best, iterations };
}

/** Samples until one without outliers is drawn with that probability. */
function samplesNeeded(share: number, size: number, confidence: number): number {
  const good = share ** size;
  return good >= 1 ? 0 : Math.ceil(Math.log(1 - confidence) / Math.log1p(-good));
}

function inlierShare(errors: Float64Array, threshold: number): number {
  let inliers = 0;
  for (let i = 0; i < errors.length; i++) if (errors[i] <= threshold * threshold) inliers++;
  return inliers / errors.length;
}

/** The whole numbers below `count` in random order (Fisher and Yates). */
function shuffled(count: number, random: Random): Int32Array {
  const places = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const kept = places[i];
    places[i] = places[j];
    places[j] = kept;
  }
  return places;
}

/** The pairs, pair i at `places[i]`. */
function moved(pairs: Float64Array, places: Int32Array): Float64Array {
  const points = new Float64Array(pairs.length);
  for (let i = 0; i < places.length; i++) {
    for (let k = 0; k < STRIDE; k++) points[STRIDE * places[i] + k] = pairs[STRIDE * i + k];
  }
  return points;
}

/** Indices of the pairs by score, best first; null where scores are not given or all the same. */
function rankByScore(count: number, scores: ArrayLike<number> | null): Int32Array | null {
  if (!scores) return null;
  const key = (i: number) => (Number.isNaN(scores[i]) ? -Infinity : scores[i]);
  const ranked = Int32Array.from({ length: count }, (_, i) => i).sort((i, j) => key(j) - key(i) || i - j);
  return key(ranked[0]) > key(ranked[count - 1]) ? ranked : null;
}
