/**
 * Whether two images show the same: the probability that the geometry found between them is right, by a logistic function
 * of what speaks for it. Its weights are fitted on pairs with a known answer (`strata bench verdict`), those of epipolar
 * geometry on scenes with depth; they belong to a model, whose configuration holds them.
 */
import { checkObject, jsonText } from "../check.js";
import { FormatError } from "../errors.js";
import {
  checkFeatures,
  checkHomography,
  checkMatches,
  type Features,
  type Homography,
  type Matches,
} from "../features.js";
import { matchedPoints } from "../match/points.js";
import { checkTwoViewGeometry, type TwoViewGeometry } from "./epipolar.js";
import { epipolarEvidence, type Span } from "./epipolar-evidence.js";
import { EVIDENCE, type Evidence, type EvidenceName } from "./evidence.js";
import { checkIntrinsics } from "./intrinsics.js";
import { imageCorners, type Matrix3 } from "./matrix3.js";
import type { CameraPair } from "./pose.js";
import { pairedPoints } from "./robust/correspondences.js";
import { conditioningOf, ESSENTIAL_SAMPLE } from "./robust/essential.js";
import { fundamentalModel } from "./robust/fundamental.js";
import { homographyModel } from "./robust/homography.js";
import { type Conditioning, unconditioned } from "./robust/sampson.js";
import { squaredTransferErrors } from "./transfer-error.js";

export { EVIDENCE, type Evidence, type EvidenceName };

export const VERDICTS = ["same", "uncertain", "different"] as const;

/** Weights and thresholds of the verdict on one kind of geometry. */
export interface VerdictWeights {
  weights: Evidence;
  bias: number;
  /** From this probability on images are called the same. */
  same: number;
  /** Below this one they are called different. */
  different: number;
}

/** Geometries of scenes with depth. */
export const EPIPOLAR_MODELS = ["fundamental", "essential"] as const;

/** A verdict on homographies and, where it is fitted, on the geometry of scenes with depth. */
export interface VerdictModel
  extends VerdictWeights,
    Partial<Record<(typeof EPIPOLAR_MODELS)[number], VerdictWeights>> {}

/** Whether two images show the same. */
export interface Verdict {
  verdict: (typeof VERDICTS)[number];
  /** That the geometry is right; 0 where none was found, or where only as many matches agree as with any. */
  probability: number;
}

/** Distance in pixels of image 2 within which matches count here, whatever the estimation's threshold was. */
export const INLIER_DISTANCE = 3;
/** Areas beyond this factor, and its inverse, are no view of the same. */
const LARGEST_ZOOM = 40;

/** Matches that any homography agrees with: they prove nothing. */
const SAMPLE = homographyModel.sampleSize;

/**
 * What speaks for the homography of two images' matches; null where no more of them agree with it than with any. n is the
 * number of matches within 3 px beyond those four.
 * inliers: ln(1 + n) · share: ln((n + 1) / (others + 1)) · spread: ln of the share of the image that the inliers span, the
 * lesser of both · tightness: their mean squared error over 9/2, which errors without a cause have, the four being errors
 * of that size · form: 1 where image 1 stays convex, is not mirrored, and no more than 40 times as large or small, else 0.
 */
export function evidenceOf(a: Features, b: Features, matches: Matches, matrix: Matrix3): Evidence | null {
  const [from, to] = matchedPoints("verdict", a, b, matches);
  const errors = squaredTransferErrors(matrix, from, to);
  const inliers: number[] = [];
  let sum = 0;
  for (let m = 0; m < matches.count; m++) {
    if (!(errors[m] <= INLIER_DISTANCE ** 2)) continue;
    inliers.push(m);
    sum += errors[m];
  }
  const n = inliers.length - SAMPLE;
  if (n <= 0) return null;
  return {
    inliers: Math.log(1 + n),
    share: Math.log((n + 1) / (matches.count - inliers.length + 1)),
    spread: Math.log(1e-3 + spanOf(a, b, from, to)(inliers)),
    tightness: (sum / (INLIER_DISTANCE ** 2 / 2) + SAMPLE) / inliers.length,
    form: Number(isView(matrix, a.imageSize)),
  };
}

/** What speaks for a geometry of any model (see `epipolarEvidence`); `cameras` of an essential matrix. */
export function evidenceOfGeometry(
  a: Features,
  b: Features,
  matches: Matches,
  { model, matrix }: Pick<TwoViewGeometry, "model" | "matrix">,
  cameras: Partial<CameraPair>,
): Evidence | null {
  if (!matrix) return null;
  if (model === "homography") return evidenceOf(a, b, matches, matrix);
  const [from, to] = matchedPoints("verdict", a, b, matches);
  const sampleSize = model === "essential" ? ESSENTIAL_SAMPLE : fundamentalModel.sampleSize;
  const pixels = pixelMatrix(model, matrix, cameras);
  return epipolarEvidence(pixels, sampleSize, pairedPoints(from, to), spanOf(a, b, from, to));
}

/** The fundamental matrix, in pixels, of a geometry that is one or an essential matrix. */
export function pixelMatrix(model: TwoViewGeometry["model"], matrix: Float64Array, cameras: Partial<CameraPair>) {
  const pixels = Float64Array.from(matrix);
  if (model === "essential") unconditioned(matrix, camerasOf("verdict", cameras), pixels);
  return pixels;
}

/** The lesser share of both images that matches span. */
const spanOf =
  (a: Features, b: Features, from: Float32Array, to: Float32Array): Span =>
  (inliers) =>
    Math.min(spanned(from, inliers, a.imageSize), spanned(to, inliers, b.imageSize));

/** The verdict on two images, of the homography that was found between them. */
export function judgeHomography(
  model: VerdictModel,
  a: Features,
  b: Features,
  matches: Matches,
  homography: Homography,
): Verdict {
  parseVerdictModel("judgeHomography", model);
  checkMatches("judgeHomography", matches);
  checkFeatures("judgeHomography: a", a);
  checkFeatures("judgeHomography: b", b);
  const { matrix } = checkHomography("judgeHomography", homography);
  return verdictOf(model, matrix && evidenceOf(a, b, matches, matrix));
}

/**
 * The verdict on two images, of what `verifyMatches` found between them; null where the model has no weights for such a
 * geometry. `cameras`: of an essential matrix, those that it was found with.
 */
export function judgeGeometry(
  model: VerdictModel,
  a: Features,
  b: Features,
  matches: Matches,
  geometry: TwoViewGeometry,
  cameras: Partial<CameraPair> = {},
): Verdict | null {
  const where = "judgeGeometry";
  const parsed = parseVerdictModel(where, model);
  checkFeatures(`${where}: a`, a);
  checkFeatures(`${where}: b`, b);
  checkTwoViewGeometry(where, geometry, matches);
  checkObject(where, "cameras", cameras);
  if (geometry.model === "essential") camerasOf(where, cameras);
  const weights = geometry.model === "homography" ? parsed : parsed[geometry.model];
  return weights ? verdictOf(weights, evidenceOfGeometry(a, b, matches, geometry, cameras)) : null;
}

function camerasOf(where: string, cameras: Partial<CameraPair>): Conditioning {
  const [a, b] = (["intrinsicsA", "intrinsicsB"] as const).map((name) => checkIntrinsics(where, name, cameras[name]));
  return conditioningOf(a, b);
}

function verdictOf(model: VerdictWeights, evidence: Evidence | null): Verdict {
  const probability = evidence ? probabilityOf(model, evidence) : 0;
  const verdict = probability >= model.same ? VERDICTS[0] : probability < model.different ? VERDICTS[2] : VERDICTS[1];
  return { verdict, probability };
}

/** The logistic function of the weighted evidence. */
export function probabilityOf({ weights, bias }: Pick<VerdictModel, "weights" | "bias">, evidence: Evidence): number {
  const sum = EVIDENCE.reduce((total, name) => total + weights[name] * evidence[name], bias);
  return 1 / (1 + Math.exp(-sum));
}

/** Share of the image that points with this covariance would fill evenly, at most 1; 0 for fewer than 3 points. */
function spanned(points: Float32Array, chosen: readonly number[], [width, height]: readonly [number, number]): number {
  const n = chosen.length;
  if (n < 3) return 0;
  let [x, y, xx, xy, yy] = [0, 0, 0, 0, 0];
  for (const m of chosen) {
    const [px, py] = [points[2 * m] / width, points[2 * m + 1] / height];
    x += px;
    y += py;
    xx += px * px;
    xy += px * py;
    yy += py * py;
  }
  const determinant = (xx / n - (x / n) ** 2) * (yy / n - (y / n) ** 2) - (xy / n - (x / n) * (y / n)) ** 2;
  // An even distribution over a unit square has variances of 1/12.
  return Math.min(1, 12 * Math.sqrt(Math.max(0, determinant)));
}

/** Whether the matrix shows an image of this size from another place: what a camera can see of a plane. */
function isView(matrix: Matrix3, size: readonly [number, number]): boolean {
  const corners = imageCorners([size[0] + 1, size[1] + 1]);
  const places: [number, number][] = [];
  for (let k = 0; k < 8; k += 2) {
    const [x, y] = [corners[k], corners[k + 1]];
    const depth = matrix[6] * x + matrix[7] * y + matrix[8];
    if (!(depth > 0)) return false;
    places.push([
      (matrix[0] * x + matrix[1] * y + matrix[2]) / depth,
      (matrix[3] * x + matrix[4] * y + matrix[5]) / depth,
    ]);
  }
  let area = 0;
  for (let k = 0; k < 4; k++) {
    const [[ax, ay], [bx, by], [cx, cy]] = [places[k], places[(k + 1) % 4], places[(k + 2) % 4]];
    if (!((bx - ax) * (cy - by) - (by - ay) * (cx - bx) > 0)) return false;
    area += (ax * by - bx * ay) / 2;
  }
  const zoom = area / (size[0] * size[1]);
  return zoom < LARGEST_ZOOM && zoom > 1 / LARGEST_ZOOM;
}

/** Reads the verdict's weights out of a configuration; FormatError names what does not fit. */
export function parseVerdictModel(where: string, value: unknown): VerdictModel {
  const root = objectOf(where, "verdict", value);
  const parsed: VerdictModel = parseWeights(where, "verdict", root);
  for (const name of EPIPOLAR_MODELS) {
    if (root[name] === undefined) continue;
    parsed[name] = parseWeights(where, `verdict.${name}`, objectOf(where, `verdict.${name}`, root[name]));
  }
  return parsed;
}

function parseWeights(where: string, path: string, root: Record<string, unknown>): VerdictWeights {
  const number = (v: unknown, field: string): number => {
    if (typeof v !== "number" || !Number.isFinite(v)) throw wrong(where, `${path}.${field}`, "a number", v);
    return v;
  };
  const given = objectOf(where, `${path}.weights`, root.weights);
  const stranger = Object.keys(given).find((name) => !(EVIDENCE as readonly string[]).includes(name));
  if (stranger !== undefined)
    throw wrong(where, `${path}.weights`, `numbers for ${EVIDENCE.join(", ")} only`, stranger);
  const weights = Object.fromEntries(EVIDENCE.map((name) => [name, number(given[name], `weights.${name}`)]));
  const [same, different] = (["same", "different"] as const).map((name) => {
    const threshold = number(root[name], name);
    if (!(threshold > 0 && threshold < 1)) throw wrong(where, `${path}.${name}`, "between 0 and 1", threshold);
    return threshold;
  });
  if (different > same) throw wrong(where, `${path}.different`, `at most ${path}.same (${same})`, different);
  return { weights: weights as Evidence, bias: number(root.bias, "bias"), same, different };
}

function objectOf(where: string, path: string, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(where, path, "an object", value);
  return value as Record<string, unknown>;
}

const wrong = (where: string, path: string, wanted: string, got: unknown): FormatError =>
  new FormatError(`${where}: "${path}" must be ${wanted}, got ${jsonText(got)}`);
