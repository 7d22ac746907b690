/**
 * The homography between two images from matches that may be mostly wrong, by the robust estimator of `robust/`, or by
 * least squares where all are right. Measured against OpenCV's USAC on the same matches: docs/benchmark.md.
 */
import type { Homography } from "../features.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { normalized } from "./matrix3.js";
import { spanPlane } from "./robust/breadth.js";
import { correspondences } from "./robust/correspondences.js";
import { estimateModel } from "./robust/estimate.js";
import { homographyModel } from "./robust/homography.js";
import { STRIDE } from "./robust/model.js";

/** Estimators of homographies. */
export const HOMOGRAPHY_METHODS = ["magsac", "ransac", "dlt"] as const;

/** How a homography is estimated. */
export interface HomographyOptions {
  /**
   * "magsac" (default): scored as in MAGSAC++ and polished by reweighted least squares; "ransac": least squares on the
   * inliers of the best sample; "dlt": least squares on all pairs, no outliers allowed.
   */
  method?: (typeof HOMOGRAPHY_METHODS)[number];
  /** Largest distance at which a pair is an inlier, in pixels of image 2 (or whatever its unit is). Default 3. */
  threshold?: number;
  /** Wanted probability that a sample without outliers was drawn, in [0, 1). Default 0.9999. */
  confidence?: number;
  /** Most samples drawn. Default 10 000. */
  maxIterations?: number;
  /** The same seed gives the same matrix, bit for bit. Default 0. */
  seed?: number;
  /** Fewer inliers than this: no homography. Any 4 pairs agree on one, so 4, the default, accepts whatever was found. */
  minInliers?: number;
  /**
   * A number per pair, larger is better: pairs that are probably right are sampled first. Default: none; in
   * `verifyMatches` the matches' scores.
   */
  scores?: ArrayLike<number> | null;
}

/** Default threshold, in pixels. */
export const HOMOGRAPHY_THRESHOLD = 3;

const DEFAULTS: Required<HomographyOptions> = {
  method: "magsac",
  threshold: HOMOGRAPHY_THRESHOLD,
  confidence: 0.9999,
  maxIterations: 10_000,
  seed: 0,
  minInliers: 4,
  scores: null,
};

/** Refits by which least squares in distances of image 2 settle. */
const LEAST_SQUARES_REFITS = 5;

/**
 * The homography that takes `pointsA` to `pointsB` (pixels: x0, y0, x1, y1, …, pair by pair). `inliers` are the indices,
 * ascending, of all pairs within `threshold` of the final matrix. Pairs with a coordinate that is not finite are left
 * out. Too few pairs, or pairs that do not determine a homography (all on a line but for one): matrix null, no inliers.
 * Throws a ShapeError when the arrays do not pair up, an OptionError for an option that is not offered.
 */
export async function estimateHomography(
  pointsA: Float32Array,
  pointsB: Float32Array,
  options: HomographyOptions = {},
): Promise<Homography> {
  const settings = checkOptions(options);
  const { indices, points, scores } = correspondences("estimateHomography", pointsA, pointsB, settings.scores);
  if (indices.length < settings.minInliers) return noHomography();
  const model =
    settings.method === "dlt"
      ? leastSquares(points)
      : estimateModel(homographyModel, points, { ...settings, kernel: settings.method, scores })?.model;
  const matrix = model && normalized(model);
  if (!matrix) return noHomography();

  const errors = new Float64Array(indices.length);
  homographyModel.squaredErrors(matrix, 0, points, errors);
  const limit = settings.threshold ** 2;
  const inliers = indices.filter((_, i) => errors[i] <= limit);
  // Inliers on a line agree with the matrix and yet say nothing about it.
  if (inliers.length < settings.minInliers || !spanPlane(points, errors, limit)) return noHomography();
  return { matrix, inliers };
}

function noHomography(): Homography {
  return { matrix: null, inliers: new Uint32Array(0) };
}

/** The direct linear transform, then the same in distances of image 2. */
function leastSquares(points: Float64Array): Float64Array | null {
  const weights = new Float64Array(points.length / STRIDE).fill(1);
  const model = new Float64Array(9);
  const next = new Float64Array(9);
  if (!homographyModel.fit(points, weights, null, model)) return null;
  for (let k = 0; k < LEAST_SQUARES_REFITS; k++) {
    if (!homographyModel.fit(points, weights, model, next)) return null;
    model.set(next);
  }
  return model;
}

function checkOptions(options: HomographyOptions): Required<HomographyOptions> {
  const where = "estimateHomography";
  const settings = withDefaults<Required<HomographyOptions>>(where, DEFAULTS, options);
  checkChoice(where, "method", settings.method, HOMOGRAPHY_METHODS);
  checkNumber(where, "threshold", settings.threshold, { min: 1e-3 });
  checkNumber(where, "confidence", settings.confidence, { min: 0, max: 1 - 1e-9 });
  checkNumber(where, "maxIterations", settings.maxIterations, { min: 1, max: 2 ** 31 - 1, integer: true });
  checkNumber(where, "seed", settings.seed, { min: 0, max: 2 ** 32 - 1, integer: true });
  checkNumber(where, "minInliers", settings.minInliers, { min: 4, integer: true });
  return settings;
}
