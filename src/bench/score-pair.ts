/**
 * Everything that is scored of one pair of images: matches under the true homography, raw and after RANSAC, keypoints
 * found again, and how far homographies estimated from the matches are from the true one.
 */
import { FormatError } from "../errors.js";
import type { Features, Homography, Matches } from "../features.js";
import { cornerError } from "../geometry/corner-error.js";
import { type HomographyOptions, verifyMatches } from "../geometry/homography.js";
import { inverse3x3 } from "../geometry/matrix3.js";
import type { Runtime } from "../graph/session.js";
import { matchFeatures } from "../match/mutual.js";
import { checkNumber, withDefaults } from "../options.js";
import { countWithin, projectionErrors, REPEAT_DISTANCE } from "./metrics.js";
import { repeatedKeypoints } from "./repeat.js";
import { ESTIMATORS, type Estimator, type PairScores, type PairTruth } from "./types.js";

export interface ScoringOptions {
  /** Seed of the robust estimators. Default 0. */
  seed?: number;
  /** What multiplies descriptors, as in `matchFeatures`. Default: the runtime that a door has set. */
  runtime?: Runtime | null;
}

export interface PairResult {
  scores: PairScores;
  /** Mutual nearest neighbours. */
  matches: Matches;
  /** Distance in pixels of image b of each match from where the true homography wants it. */
  errors: Float64Array;
  /** What each estimator found; `inliers` are indices into `matches`. */
  homographies: Record<Estimator, Homography>;
  /** The RANSAC to whose inliers the refined matches are cut. */
  refined: Homography;
}

type Estimation = Pick<HomographyOptions, "method" | "threshold" | "maxIterations" | "restarts" | "polish">;

/** The reference's refinement, residual 4 px and 10 000 trials, by our estimator with its restarts and polish. */
const REFINEMENT: Estimation = { method: "ransac", threshold: 4, maxIterations: 10_000, restarts: 4, polish: true };

/** MAGSAC as this package offers it, RANSAC as OpenCV's USAC gives it, and least squares on all matches. */
const ESTIMATIONS: Record<Estimator, Estimation> = {
  magsac: { method: "magsac", threshold: 3, maxIterations: 10_000, restarts: 4, polish: true },
  ransac: { method: "ransac", threshold: 3, maxIterations: 10_000, restarts: 1, polish: false },
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
  const { seed, runtime } = checkOptions(options);
  const { homography, sequence, images } = truth;
  if (!(homography.length === 9 && homography.every(Number.isFinite) && inverse3x3(homography))) {
    throw new FormatError(
      `scorePair: the true homography of ${sequence} ${images.join("-")} must be 9 finite numbers of an invertible ` +
        `matrix, got ${Array.from(homography).join(" ")}`,
    );
  }
  const started = performance.now();
  const matches = await matchFeatures(a, b, runtime === undefined ? {} : { runtime });
  const matched = performance.now();

  const errors = projectionErrors(a, b, matches, homography);
  const refined = await verifyMatches(a, b, matches, { ...REFINEMENT, seed });
  const homographies = {} as Record<Estimator, Homography>;
  const corners = {} as PairScores["cornerError"];
  for (const estimator of ESTIMATORS) {
    const found = await verifyMatches(a, b, matches, { ...ESTIMATIONS[estimator], seed });
    homographies[estimator] = found;
    const error = cornerError(found.matrix, homography, a.imageSize);
    corners[estimator] = Number.isFinite(error) ? error : null;
  }
  const kept = Float64Array.from(refined.inliers, (m) => errors[m]);
  const repeated = repeatedKeypoints(a, b, homography);
  const scores: PairScores = {
    keypoints: [a.count, b.count],
    matches: matches.count,
    correct: countWithin(errors),
    refined: { matches: kept.length, correct: countWithin(kept) },
    ...repeated,
    cornerError: corners,
    seconds: { match: (matched - started) / 1000, score: (performance.now() - matched) / 1000 },
  };
  return { scores, matches, errors, homographies, refined };
}

/** How pairs are scored under these options, for a run's record: what changes scores changes it. */
export function scoringOf(options: ScoringOptions = {}): Record<string, unknown> {
  const { seed } = checkOptions(options);
  return {
    matching: "mutual nearest neighbours",
    repeatDistance: REPEAT_DISTANCE,
    refinement: REFINEMENT,
    estimators: ESTIMATIONS,
    seed,
  };
}

function checkOptions(options: ScoringOptions) {
  const defaults: { seed: number; runtime: Runtime | null | undefined } = { seed: 0, runtime: undefined };
  const settings = withDefaults("scorePair", defaults, options);
  checkNumber("scorePair", "seed", settings.seed, { min: 0, max: 2 ** 32 - 1, integer: true });
  return settings;
}
