/**
 * Everything that is scored of one pair of images: matches under the true homography, raw and after RANSAC, keypoints
 * found again, and how far homographies estimated from the matches are from the true one.
 */
import { checkObject } from "../check.js";
import { FormatError, ShapeError } from "../errors.js";
import type { Features, Homography, Matches } from "../features.js";
import { cornerError } from "../geometry/corner-error.js";
import type { HomographyOptions } from "../geometry/homography.js";
import { checkMatrix, inverse3x3 } from "../geometry/matrix3.js";
import { verifyMatches } from "../geometry/two-view.js";
import type { Runtime } from "../graph/session.js";
import { matchFeatures } from "../match/mutual.js";
import { checkNumber, withDefaults } from "../options.js";
import { countWithin, projectionErrors, REPEAT_DISTANCE } from "./metrics.js";
import { repeatedKeypoints } from "./repeat.js";
import { ESTIMATORS, type Estimator, type PairScores, type PairTruth } from "./types.js";

/** How a pair is scored. */
export interface ScoringOptions {
  /** Seed of the robust estimators. Default 0. */
  seed?: number;
  /** What multiplies descriptors, as in `matchFeatures`. Default: the runtime that a door has set. */
  runtime?: Runtime | null;
}

/** The matches of a pair, and the homographies in them by the estimators that were asked for. */
export interface MatchedPair<E extends Estimator = Estimator> {
  /** Mutual nearest neighbours. */
  matches: Matches;
  /** Distance in pixels of image b of each match from where the true homography wants it. */
  errors: Float64Array;
  /** What each estimator found; `inliers` are indices into `matches`. */
  homographies: Record<E, Homography>;
  /** Mean distance in pixels of the four corners under the estimated and the true homography; null: none was found. */
  cornerError: Record<E, number | null>;
}

/** Scores of one pair of images. */
export interface PairResult extends Omit<MatchedPair, "cornerError"> {
  scores: PairScores;
  /** The RANSAC to whose inliers the refined matches are cut. */
  refined: Homography;
}

type Estimation = Pick<HomographyOptions, "method" | "threshold" | "maxIterations">;

const MATCHING = "mutual nearest neighbours";

/** The reference's refinement, residual 4 px and 10 000 trials. */
const REFINEMENT: Estimation = { method: "magsac", threshold: 4, maxIterations: 10_000 };

/** As this package offers them: scored as in MAGSAC++ and polished, RANSAC, and least squares on all matches. */
const ESTIMATIONS: Record<Estimator, Estimation> = {
  magsac: { method: "magsac", threshold: 3, maxIterations: 10_000 },
  ransac: { method: "ransac", threshold: 3, maxIterations: 10_000 },
  dlt: { method: "dlt", threshold: 3 },
};

/**
 * Scores of the features of two images. No matches score 0; seconds are of matching and of the rest. ShapeError for
 * descriptors of different lengths, FormatError for a true homography without an inverse.
 */
export async function scorePair(
  a: Features,
  b: Features,
  truth: PairTruth,
  options: ScoringOptions = {},
): Promise<PairResult> {
  const { seed } = checkOptions(options);
  checkTruth(truth);
  const started = performance.now();
  const { seconds, cornerError: corners, ...pair } = await matchPair(a, b, truth, ESTIMATORS, options);
  const { matches, errors } = pair;
  const refined = await verifyMatches(a, b, matches, { ...REFINEMENT, seed });
  const kept = Float64Array.from(refined.inliers, (m) => errors[m]);
  const repeated = repeatedKeypoints(a, b, truth.homography);
  const scores: PairScores = {
    keypoints: [a.count, b.count],
    matches: matches.count,
    correct: countWithin(errors),
    refined: { matches: kept.length, correct: countWithin(kept) },
    ...repeated,
    cornerError: corners,
    seconds: { match: seconds, score: (performance.now() - started) / 1000 - seconds },
  };
  return { scores, ...pair, refined };
}

/** The true homography as nine finite numbers; which pair it is of is said where one is at fault. */
function checkTruth(truth: PairTruth): void {
  checkObject("scorePair", "truth", truth);
  const { homography, sequence, images } = truth;
  const where = `scorePair: ${sequence} ${images?.[0]}-${images?.[1]}`;
  try {
    checkMatrix(where, homography);
  } catch (cause) {
    throw cause instanceof ShapeError ? new FormatError(cause.message, { cause }) : cause;
  }
}

/**
 * The part of `scorePair` that is about matches and homographies, by these estimators only: where most matches are wrong,
 * each takes longer than matching. `seconds` are of matching; errors as in `scorePair`.
 */
export async function matchPair<E extends Estimator>(
  a: Features,
  b: Features,
  { homography, sequence, images }: PairTruth,
  estimators: readonly E[],
  options: ScoringOptions = {},
): Promise<MatchedPair<E> & { seconds: number }> {
  const { seed, runtime } = checkOptions(options);
  if (!(homography.length === 9 && homography.every(Number.isFinite) && inverse3x3(homography))) {
    throw new FormatError(
      `scorePair: the true homography of ${sequence} ${images.join("-")} must be 9 finite numbers of an invertible ` +
        `matrix, got ${Array.from(homography).join(" ")}`,
    );
  }
  const started = performance.now();
  const matches = await matchFeatures(a, b, runtime === undefined ? {} : { runtime });
  const seconds = (performance.now() - started) / 1000;

  const errors = projectionErrors(a, b, matches, homography);
  const homographies = {} as Record<E, Homography>;
  const corners = {} as Record<E, number | null>;
  for (const estimator of estimators) {
    const found = await verifyMatches(a, b, matches, { ...ESTIMATIONS[estimator], seed });
    homographies[estimator] = found;
    const error = cornerError(found.matrix, homography, a.imageSize);
    corners[estimator] = Number.isFinite(error) ? error : null;
  }
  return { matches, errors, homographies, cornerError: corners, seconds };
}

/** How pairs are scored under these options, for a run's record: what changes scores changes it. */
export function scoringOf(options: ScoringOptions = {}): Record<string, unknown> {
  const { seed } = checkOptions(options);
  return {
    matching: MATCHING,
    repeatDistance: REPEAT_DISTANCE,
    refinement: REFINEMENT,
    estimators: ESTIMATIONS,
    seed,
  };
}

/** The same for what `matchPair` finds with these estimators. */
export function matchingOf(estimators: readonly Estimator[], options: ScoringOptions = {}): Record<string, unknown> {
  const { seed } = checkOptions(options);
  const chosen = Object.fromEntries(estimators.map((name) => [name, ESTIMATIONS[name]]));
  return { matching: MATCHING, estimators: chosen, seed };
}

function checkOptions(options: ScoringOptions) {
  const defaults: { seed: number; runtime: Runtime | null | undefined } = { seed: 0, runtime: undefined };
  const settings = withDefaults("scorePair", defaults, options);
  checkNumber("scorePair", "seed", settings.seed, { min: 0, max: 2 ** 32 - 1, integer: true });
  return settings;
}
