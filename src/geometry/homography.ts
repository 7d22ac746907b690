/**
 * The homography between two images from matches that may be mostly wrong. OpenCV's USAC (Ivashechkin, Barath, Matas
 * 2020) with MAGSAC++ scoring proposes from several seeds; the proposal with the best truncated score is polished by
 * reweighted least squares on all matches near it.
 *
 * Measured on 30 pairs with ground truth, the default model's matches, three seeds each: one run of USAC gives corner
 * errors ≤ 1 px for .47 and ≤ 3 px for .78 of them (geometric mean 1.43 px) in 2 ms; polished .57 and .80 (1.14 px); with
 * restarts too .57 and .80 (1.06 px) in 11 ms. Thresholds of 2 and 3 px give the same, 4 px and more lose one pair; plain
 * RANSAC .43 and .73. (ORB's matches gain as much, SIFT's nothing.)
 */
import { checkArray } from "../check.js";
import { OptionError, ShapeError } from "../errors.js";
import type { Features, Homography, Matches } from "../features.js";
import { matchedPoints } from "../match/points.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { Random } from "../random.js";
import { fitHomography, polishHomography, squaredErrors } from "./least-squares.js";
import { type Matrix3, normalized } from "./matrix3.js";
import { loadOpenCv, type OpenCv, withMats } from "./opencv.js";

/** Estimators of homographies. */
export const HOMOGRAPHY_METHODS = ["magsac", "ransac", "dlt"] as const;

/** How a homography is estimated. */
export interface HomographyOptions {
  /** MAGSAC++, RANSAC with local optimisation, or least squares on all pairs (no outliers allowed). Default "magsac". */
  method?: (typeof HOMOGRAPHY_METHODS)[number];
  /** Largest distance in pixels of image 2 at which a pair is an inlier. Default 3. */
  threshold?: number;
  /** Wanted probability that the best model was sampled, in [0, 1). Default 0.9999. */
  confidence?: number;
  /** Most samples drawn per start. Default 10 000. */
  maxIterations?: number;
  /** The same seed gives the same matrix, bit for bit. Default 0. */
  seed?: number;
  /** Fewer inliers than this: no homography. Any 4 pairs agree on one, so 4, the default, accepts whatever was found. */
  minInliers?: number;
  /** Independent starts, of which the best is kept. Default 4. */
  restarts?: number;
  /** Polish the result by reweighted least squares. Default true; false with `restarts: 1` is OpenCV's own answer. */
  polish?: boolean;
}

const DEFAULTS: Required<HomographyOptions> = {
  method: "magsac",
  threshold: 3,
  confidence: 0.9999,
  maxIterations: 10_000,
  seed: 0,
  minInliers: 4,
  restarts: 4,
  polish: true,
};

/**
 * The homography that takes `pointsA` to `pointsB` (pixels: x0, y0, x1, y1, …, pair by pair). `inliers` are the indices,
 * ascending, of all pairs within `threshold` of the final matrix, counted here rather than taken from OpenCV's mask,
 * which belongs to the matrix before polishing. Pairs with a coordinate that is not finite are left out. Too few pairs,
 * or pairs that do not determine a homography (all on a line but for one): matrix null, no inliers.
 * Throws a ShapeError when the arrays do not pair up, an OptionError for an option that is not offered.
 */
export async function estimateHomography(
  pointsA: Float32Array,
  pointsB: Float32Array,
  options: HomographyOptions = {},
): Promise<Homography> {
  const settings = checkOptions(options);
  checkArray("estimateHomography", "pointsA", pointsA, Float32Array);
  checkArray("estimateHomography", "pointsB", pointsB, Float32Array);
  if (pointsA.length !== pointsB.length || pointsA.length % 2) {
    throw new ShapeError(
      `estimateHomography: points come as x, y pairs, as many of a as of b, got ${pointsA.length} and ${pointsB.length} numbers`,
    );
  }
  const { indices, from, to } = finitePairs(pointsA, pointsB);
  if (indices.length < settings.minInliers) return noHomography();
  const matrix =
    settings.method === "dlt" ? leastSquares(from, to) : robust(await loadOpenCv(), from, to, indices.length, settings);
  if (!matrix) return noHomography();

  const errors = new Float64Array(indices.length);
  squaredErrors(matrix, from, to, errors);
  const within = errors.map((error) => (error <= settings.threshold ** 2 ? 1 : 0));
  const inliers = indices.filter((_, i) => within[i] === 1);
  // Inliers on a line agree with the matrix and yet say nothing about it.
  if (inliers.length < settings.minInliers || !fitHomography(from, to, within, matrix)) return noHomography();
  return { matrix, inliers };
}

/** `estimateHomography` on the keypoints of matches; `inliers` are indices into `matches`. */
export async function verifyMatches(
  a: Features,
  b: Features,
  matches: Matches,
  options: HomographyOptions = {},
): Promise<Homography> {
  const [pointsA, pointsB] = matchedPoints("verifyMatches", a, b, matches);
  return estimateHomography(pointsA, pointsB, options);
}

function noHomography(): Homography {
  return { matrix: null, inliers: new Uint32Array(0) };
}

function finitePairs(a: Float32Array, b: Float32Array) {
  const indices = Uint32Array.from({ length: a.length / 2 }, (_, i) => i).filter(
    (i) => Number.isFinite(a[2 * i] + a[2 * i + 1]) && Number.isFinite(b[2 * i] + b[2 * i + 1]),
  );
  const pick = (points: Float32Array) =>
    Float32Array.from({ length: 2 * indices.length }, (_, k) => points[2 * indices[k >> 1] + (k & 1)]);
  return { indices, from: pick(a), to: pick(b) };
}

/** The direct linear transform, then the same in distances of image 2; five times settle it. */
function leastSquares(from: Float32Array, to: Float32Array): Float64Array | null {
  const weights = new Float64Array(from.length / 2).fill(1);
  let matrix = fitHomography(from, to, weights);
  for (let k = 0; k < 5 && matrix; k++) matrix = fitHomography(from, to, weights, matrix);
  return matrix;
}

function robust(
  cv: OpenCv,
  from: Float32Array,
  to: Float32Array,
  count: number,
  settings: Required<HomographyOptions>,
): Float64Array | null {
  const random = new Random(settings.seed);
  const errors = new Float64Array(count);
  let best: Float64Array | null = null;
  let bestScore = 0;
  for (let start = 0; start < settings.restarts; start++) {
    const proposal = propose(cv, from, to, count, settings, random.uint32() >>> 1);
    if (!proposal) continue;
    squaredErrors(proposal, from, to, errors);
    let score = 0;
    for (const error of errors) score += Math.max(0, 1 - error / settings.threshold ** 2) || 0;
    if (score > bestScore) {
      bestScore = score;
      best = proposal;
    }
  }
  if (!best || !settings.polish) return best;
  return polishHomography(best, from, to, settings.threshold) ?? best;
}

/** One run of USAC. OpenCV's sampler starts from `randomGeneratorState`, and nothing else in it is random. */
function propose(
  cv: OpenCv,
  from: Float32Array,
  to: Float32Array,
  count: number,
  { method, threshold, confidence, maxIterations }: Required<HomographyOptions>,
  seed: number,
): Float64Array | null {
  return withMats((keep) => {
    const [a, b] = [from, to].map((points) => {
      const mat = keep(new cv.Mat(count, 1, cv.CV_32FC2));
      mat.data32F.set(points);
      return mat;
    });
    const params = keep(new cv.UsacParams());
    params.confidence = confidence;
    params.maxIterations = maxIterations;
    params.threshold = threshold;
    params.randomGeneratorState = seed;
    params.loMethod = method === "magsac" ? cv.LOCAL_OPTIM_SIGMA : cv.LOCAL_OPTIM_INNER_LO;
    params.score = method === "magsac" ? cv.SCORE_METHOD_MAGSAC : cv.SCORE_METHOD_RANSAC;
    try {
      const found: Matrix3 = keep(cv.findHomography1(a, b, keep(new cv.Mat()), params)).data64F;
      return normalized(found);
    } catch (error) {
      // A C++ exception arrives as its address: OpenCV refuses the points, so there is no homography in them.
      if (typeof error === "number") return null;
      throw error;
    }
  });
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
  checkNumber(where, "restarts", settings.restarts, { min: 1, max: 1000, integer: true });
  if (typeof settings.polish !== "boolean") {
    throw new OptionError(`${where}: "polish" must be true or false, got ${String(settings.polish)}`);
  }
  return settings;
}
