/**
 * The fundamental and the essential matrix between two images, from matches that may be mostly wrong, by the robust
 * estimator of `robust/`. They hold for scenes of any depth; a homography only for planes and turning cameras.
 */
import { ShapeError } from "../errors.js";
import { checkHomography, checkMatches, type Matches } from "../features.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { checkIntrinsics, type IntrinsicsLike } from "./intrinsics.js";
import { essentialOf, recoverPose } from "./pose.js";
import { type Correspondences, correspondences } from "./robust/correspondences.js";
import { conditioningOf, essentialModel } from "./robust/essential.js";
import { estimateModel } from "./robust/estimate.js";
import { fundamentalModel } from "./robust/fundamental.js";
import { type RobustModel, TWO_VIEW_MODELS } from "./robust/model.js";
import { essentialOfPlane, fundamentalBesidePlane } from "./robust/plane.js";

export { TWO_VIEW_MODELS };

/** What explains the matches of two images. */
export interface TwoViewGeometry {
  model: (typeof TWO_VIEW_MODELS)[number];
  /**
   * Row-major 3×3, or null where none was found. Homography: from image 1 to image 2, last entry 1. Fundamental matrix:
   * x₂ᵀ F x₁ = 0 in pixels, of norm 1. Essential matrix: x₂ᵀ E x₁ = 0 for x = K⁻¹p, E = [translation]× rotation.
   */
  matrix: Float64Array | null;
  /** Indices into the matches (or pairs of points) that agree with it, ascending. */
  inliers: Uint32Array;
  /** Of an essential matrix: row-major 3×3, x_b = rotation · x_a + translation. */
  rotation?: Float64Array;
  /** Of an essential matrix: of length 1. */
  translation?: Float64Array;
}

/** How a fundamental matrix is estimated. */
export interface FundamentalOptions {
  /** Largest Sampson error at which a pair is an inlier, in pixels. Default 1.5. */
  threshold?: number;
  /** Wanted probability that a sample without outliers was drawn, in [0, 1). Default 0.9999. */
  confidence?: number;
  /** Most samples drawn. Default 10 000. */
  maxIterations?: number;
  /** The same seed gives the same matrix, bit for bit. Default 0. */
  seed?: number;
  /**
   * Fewer inliers than this: no matrix. Default and least: one more than a sample has (8; of an essential matrix 6), for
   * a sample agrees with its own matrix whatever it is.
   */
  minInliers?: number;
  /** A number per pair, larger is better: pairs that are probably right are sampled first. Default null: none. */
  scores?: ArrayLike<number> | null;
}

/** How an essential matrix is estimated. */
export interface EssentialOptions extends FundamentalOptions {
  /** Camera of image a: { fx, fy, cx, cy } in pixels, or a 3×3 matrix. */
  intrinsicsA: IntrinsicsLike;
  /** Camera of image b. */
  intrinsicsB: IntrinsicsLike;
}

const DEFAULTS: Required<FundamentalOptions> = {
  threshold: 1.5,
  confidence: 0.9999,
  maxIterations: 10_000,
  seed: 0,
  minInliers: 0,
  scores: null,
};

/** There are none for cameras: `checkIntrinsics` says so. */
const ESSENTIAL_DEFAULTS = {
  ...DEFAULTS,
  intrinsicsA: undefined as unknown as IntrinsicsLike,
  intrinsicsB: undefined as unknown as IntrinsicsLike,
};

/**
 * The fundamental matrix of `pointsA` and `pointsB` (pixels: x0, y0, x1, y1, …, pair by pair); `inliers` are all pairs within
 * `threshold` of it. Where a plane holds most of them, it and the pairs off it are asked, too. Pairs with a coordinate
 * that is not finite are left out. Too few pairs, or pairs that determine none: matrix null, no inliers. Throws a
 * ShapeError when the arrays do not pair up, an OptionError for an option that is not offered.
 */
export async function estimateFundamental(
  pointsA: Float32Array,
  pointsB: Float32Array,
  options: FundamentalOptions = {},
): Promise<TwoViewGeometry> {
  const where = "estimateFundamental";
  const settings = checkOptions(where, DEFAULTS, options, fundamentalModel.sampleSize + 1);
  const pairs = correspondences(where, pointsA, pointsB, settings.scores);
  const found = robust(fundamentalModel, pairs, settings);
  const matrix = found && fundamentalBesidePlane(pairs.points, found, settings, pairs.scores);
  return result(fundamentalModel, matrix, pairs, settings);
}

/**
 * The essential matrix of two cameras whose intrinsics are known, with the pose that it stands for; points, `inliers` and
 * errors as in `estimateFundamental`. A camera that only turns has no translation, and the one that is given then means
 * nothing.
 */
export async function estimateEssential(
  pointsA: Float32Array,
  pointsB: Float32Array,
  options: EssentialOptions,
): Promise<TwoViewGeometry> {
  const where = "estimateEssential";
  const settings = checkOptions<Required<EssentialOptions>>(where, ESSENTIAL_DEFAULTS, options, 6);
  const intrinsicsA = checkIntrinsics(where, "intrinsicsA", settings.intrinsicsA);
  const intrinsicsB = checkIntrinsics(where, "intrinsicsB", settings.intrinsicsB);
  const conditioning = conditioningOf(intrinsicsA, intrinsicsB);
  const model = essentialModel(conditioning);
  const pairs = correspondences(where, pointsA, pointsB, settings.scores);
  const sampled = robust(model, pairs, settings);
  const matrix = sampled && essentialOfPlane(model, conditioning, pairs.points, sampled, settings);
  const found = result(model, matrix, pairs, settings);
  if (!found.matrix) return found;
  const { inliers } = found;
  const pose = recoverPose(found.matrix, pointsA, pointsB, { intrinsicsA, intrinsicsB, inliers });
  if (!pose) return { ...found, matrix: null, inliers: new Uint32Array(0) };
  const { rotation, translation } = pose;
  return { ...found, matrix: essentialOf(pose), rotation, translation };
}

type Settings = Required<FundamentalOptions>;

function robust(model: RobustModel, { points, scores, indices }: Correspondences, settings: Settings) {
  if (indices.length < settings.minInliers) return null;
  return estimateModel(model, points, { ...settings, kernel: "magsac", scores })?.model ?? null;
}

/** The matrix with all pairs that are within the threshold of it, if there are enough. */
function result(
  model: RobustModel,
  matrix: Float64Array | null,
  { points, indices }: Correspondences,
  { threshold, minInliers }: Settings,
): TwoViewGeometry {
  const none = { model: model.name, matrix: null, inliers: new Uint32Array(0) };
  if (!matrix) return none;
  const errors = new Float64Array(indices.length);
  model.squaredErrors(matrix, 0, points, errors);
  const inliers = indices.filter((_, i) => errors[i] <= threshold * threshold);
  return inliers.length < minInliers ? none : { model: model.name, matrix, inliers };
}

function checkOptions<T extends Settings>(where: string, defaults: T, options: Partial<T>, least: number): T {
  const settings = withDefaults<T>(where, { ...defaults, minInliers: least }, options);
  checkNumber(where, "threshold", settings.threshold, { min: 1e-3 });
  checkNumber(where, "confidence", settings.confidence, { min: 0, max: 1 - 1e-9 });
  checkNumber(where, "maxIterations", settings.maxIterations, { min: 1, max: 2 ** 31 - 1, integer: true });
  checkNumber(where, "seed", settings.seed, { min: 0, max: 2 ** 32 - 1, integer: true });
  checkNumber(where, "minInliers", settings.minInliers, { min: least, integer: true });
  return settings;
}

/** A ShapeError or OptionError for what is no geometry of these matches. */
export function checkTwoViewGeometry(where: string, geometry: TwoViewGeometry, matches: Matches): TwoViewGeometry {
  checkMatches(where, matches);
  checkHomography(where, geometry);
  checkChoice(where, "model", geometry.model, TWO_VIEW_MODELS);
  const beyond = geometry.inliers.find((m) => m >= matches.count);
  if (beyond !== undefined) throw new ShapeError(`${where}: inlier ${beyond} is none of ${matches.count} matches`);
  return geometry;
}
