/**
 * What explains the matches of two images: a homography (a plane, or a camera that only turns) or epipolar geometry (a scene
 * with depth), and which of them by Torr's geometric robust information criterion (GRIC; Torr 1998, "Geometric motion
 * segmentation and model selection"): the sum of squared errors in units of their variance, cut off where a pair is an
 * outlier, and a price for a model's freedom and for the dimension of what it allows a pair to do. Then by the pairs that are
 * clearly off the plane: parallax brings most of them near their epipolar lines, chance brings few of the wrong ones there.
 */
import { OptionError } from "../errors.js";
import type { Features, Matches } from "../features.js";
import { matchedPoints } from "../match/points.js";
import { checkChoice, withDefaults } from "../options.js";
import {
  type EssentialOptions,
  estimateEssential,
  estimateFundamental,
  TWO_VIEW_MODELS,
  type TwoViewGeometry,
} from "./epipolar.js";
import { estimateHomography, HOMOGRAPHY_THRESHOLD, type HomographyOptions } from "./homography.js";
import { checkIntrinsics } from "./intrinsics.js";
import { pairedPoints } from "./robust/correspondences.js";
import { conditioningOf } from "./robust/essential.js";
import { homographyModel } from "./robust/homography.js";
import { STRIDE } from "./robust/model.js";
import { sampsonErrors, unconditioned } from "./robust/sampson.js";

/** Models that `verifyMatches` looks for; "auto": the one that explains the matches. */
export const VERIFY_MODELS = [...TWO_VIEW_MODELS, "auto"] as const;

/** How matches are verified. */
export interface VerifyOptions
  extends HomographyOptions,
    Partial<Pick<EssentialOptions, "intrinsicsA" | "intrinsicsB">> {
  /**
   * "homography" (default), "fundamental", "essential" (needs intrinsics), or "auto": a homography for a plane or a camera
   * that only turns, else the essential matrix where both intrinsics are given, the fundamental matrix where not.
   */
  model?: (typeof VERIFY_MODELS)[number];
}

/**
 * The geometry of matched keypoints; `inliers` are indices into `matches`. Options that are not given are those of the
 * model (`estimateHomography`, `estimateFundamental`, `estimateEssential`), and better scores are sampled first. "auto"
 * estimates two models and needs the least of both.
 */
export async function verifyMatches(
  a: Features,
  b: Features,
  matches: Matches,
  options: VerifyOptions = {},
): Promise<TwoViewGeometry> {
  const where = "verifyMatches";
  const [pointsA, pointsB] = matchedPoints(where, a, b, matches);
  const { model, intrinsicsA, intrinsicsB, method, ...rest } = checkVerifyOptions(where, options);
  const shared = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const settings = { scores: matches.scores, ...shared };
  const planar = async (): Promise<TwoViewGeometry> => ({
    model: "homography",
    ...(await estimateHomography(pointsA, pointsB, { ...settings, ...(method !== undefined && { method }) })),
  });
  if (model === "homography") return planar();
  const calibrated = model === "essential" || (model === "auto" && (intrinsicsA ?? intrinsicsB) !== undefined);
  const deep = calibrated
    ? await estimateEssential(pointsA, pointsB, { ...settings, intrinsicsA, intrinsicsB } as EssentialOptions)
    : await estimateFundamental(pointsA, pointsB, settings);
  if (model !== "auto") return deep;
  const flat = await planar();
  if (!flat.matrix || !deep.matrix) return flat.matrix ? flat : deep;
  const cameras = calibrated
    ? conditioningOf(
        checkIntrinsics(where, "intrinsicsA", intrinsicsA),
        checkIntrinsics(where, "intrinsicsB", intrinsicsB),
      )
    : null;
  const clear = CLEARLY_OFF * (rest.threshold ?? HOMOGRAPHY_THRESHOLD);
  return isPlanar(pairedPoints(pointsA, pointsB), flat, deep, cameras, clear) ? flat : deep;
}

/** Defaults overlaid by `options`; an OptionError for what does not go together or is not offered. */
export function checkVerifyOptions(where: string, options: VerifyOptions): VerifyOptions {
  const given = withDefaults<VerifyOptions>(where, KNOWN, options);
  const { model, method, intrinsicsA, intrinsicsB } = given;
  checkChoice(where, "model", model, VERIFY_MODELS);
  if (method !== undefined && model !== "homography") {
    throw new OptionError(`${where}: "method" is of homographies alone; leave it out for model "${model}"`);
  }
  if (model === "essential" || (model === "auto" && (intrinsicsA ?? intrinsicsB) !== undefined)) {
    checkIntrinsics(where, "intrinsicsA", intrinsicsA);
    checkIntrinsics(where, "intrinsicsB", intrinsicsB);
  }
  return given;
}

const KNOWN: VerifyOptions = {
  model: "homography",
  intrinsicsA: undefined,
  intrinsicsB: undefined,
  method: undefined,
  threshold: undefined,
  confidence: undefined,
  maxIterations: undefined,
  seed: undefined,
  minInliers: undefined,
  scores: undefined,
};

/** Least standard deviation of keypoints in pixels: with exact ones everything would be a departure from a plane. */
const LEAST_DEVIATION = 0.1;
/** Median squared error of a pair over the variance of a coordinate: χ² of two degrees of freedom, and of one. */
const MEDIAN_OF_TWO = 2 * Math.LN2;
const MEDIAN_OF_ONE = 0.4549;
/** Torr's prices: a pair has four coordinates; per pair and dimension ln 4, per parameter ln 4n; outliers 2 per codimension. */
const COORDINATES = 4;
const PER_OUTLIER = 2;
/** What epipolar geometry must gain per pair: errors of real keypoints have longer tails than Torr's normal ones. */
const LEAST_GAIN = 0.1;
/** Errors under the homography, in its thresholds, beyond which pairs are off the plane. */
const CLEARLY_OFF = 1.2;
/**
 * Share of these that epipolar geometry must explain for what it gains to be depth and no long tail, and share that is
 * depth by itself, whatever a large plane gains. Measured with strata-s: 0.06 to 0.13 on the five of 30 pairs of planes that
 * gain more than that, from 0.15 on (cameras known) and 0.18 (not known) on 51 pairs of scenes with depth.
 */
const [LEAST_SHARE, CLEAR_SHARE] = [0.14, 0.5];
/** Fewer pairs off the plane than that say nothing. */
const FEW = 15;

/** Whether the homography explains the matches of two images as well as epipolar geometry does. */
function isPlanar(
  points: Float64Array,
  flat: TwoViewGeometry,
  deep: TwoViewGeometry,
  cameras: Float64Array | null,
  clear: number,
): boolean {
  const [plane, epipolar] = [flat.matrix as Float64Array, (deep.matrix as Float64Array).slice()];
  if (cameras) unconditioned(epipolar, cameras, epipolar);
  const ofDeep = new Float64Array(points.length / STRIDE);
  sampsonErrors(epipolar, 0, points, ofDeep);
  const ofFlat = new Float64Array(points.length / STRIDE);
  const factors = new Float64Array(ofFlat.length);
  homographyModel.squaredErrors(plane, 0, points, ofFlat);
  homographyModel.pairFactors?.(plane, points, factors);
  for (let i = 0; i < ofFlat.length; i++) ofFlat[i] *= factors[i];
  const off = indicesOff(ofFlat, clear);
  const near = new Set(deep.inliers);
  const explained = off.filter((i) => near.has(i)).length;
  const share = explained / Math.max(1, off.length);
  if (share >= CLEAR_SHARE && explained >= FEW) return false;
  const isTail = share < LEAST_SHARE && off.length >= FEW;
  return isTail || gainOfDepth(flat, deep, ofFlat, ofDeep) <= LEAST_GAIN;
}

/** Pairs beyond a distance from the plane, or on its vanishing line. */
function indicesOff(squaredErrors: Float64Array, distance: number): number[] {
  const off: number[] = [];
  for (let i = 0; i < squaredErrors.length; i++) if (!(squaredErrors[i] <= distance * distance)) off.push(i);
  return off;
}

/** How much lower the criterion of epipolar geometry is, per pair that either model explains. */
function gainOfDepth(flat: TwoViewGeometry, deep: TwoViewGeometry, ofFlat: Float64Array, ofDeep: Float64Array): number {
  const union = Uint32Array.from(new Set([...flat.inliers, ...deep.inliers]));
  const variance = Math.max(
    LEAST_DEVIATION ** 2,
    medianAt(ofFlat, flat.inliers) / MEDIAN_OF_TWO,
    medianAt(ofDeep, deep.inliers) / MEDIAN_OF_ONE,
  );
  const parameters = deep.model === "essential" ? 5 : 7;
  const gain = criterion(ofFlat, union, variance, 2, 8) - criterion(ofDeep, union, variance, 3, parameters);
  return gain / union.length;
}

function medianAt(errors: Float64Array, indices: Uint32Array): number {
  return Float64Array.from(indices, (i) => errors[i]).sort()[indices.length >> 1];
}

/** GRIC of a model by the squared errors of pairs, their variance, its dimension and number of parameters: the less the better. */
function criterion(
  errors: Float64Array,
  pairs: Uint32Array,
  variance: number,
  dimension: number,
  parameters: number,
): number {
  const limit = PER_OUTLIER * (COORDINATES - dimension);
  let sum = 0;
  for (const i of pairs) sum += Math.min(errors[i] / variance, limit);
  return sum + pairs.length * dimension * Math.log(COORDINATES) + parameters * Math.log(COORDINATES * pairs.length);
}
