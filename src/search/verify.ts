/** The second look at a candidate: whether its keypoints and the query's fit together, where it lies in the query, and how sure that is. */

import type { FloatFeatures } from "../features.js";
import { resizePoints } from "../geometry/coordinates.js";
import { compose, imageCorners, type Matrix3, projectPoints } from "../geometry/matrix3.js";
import { type GuidedMatches, rematchGuided } from "../geometry/second-pass.js";
import { verifyMatches } from "../geometry/two-view.js";
import { judgeGeometry, type VerdictModel } from "../geometry/verdict.js";
import { fitSize } from "../image/resize.js";
import { matchFeatures } from "../match/mutual.js";
import { matchedPoints } from "../match/points.js";

/** Where an indexed image lies in a query. */
export interface FoundGeometry {
  model: "homography";
  /** Row-major 3×3, pixels of the indexed image to pixels of the query. */
  matrix: number[];
  /** Where the indexed image's corners lie in the query, clockwise from its top left: x0, y0, …, x3, y3. */
  corners: number[];
}

/** Points that fit together: x0, y0, x1, y1, … in pixels of either picture. */
export interface FoundPoints {
  image: Float32Array;
  query: Float32Array;
}

/** What a candidate's geometry says. */
export interface Verified {
  /** Whether it is called the same picture. */
  found: boolean;
  /** That its geometry is right; 0 where there is none. */
  probability: number;
  /** Keypoints that agree with the geometry. */
  inliers: number;
  geometry: FoundGeometry | null;
  points: FoundPoints | null;
}

export const NOT_VERIFIED: Verified = { found: false, probability: 0, inliers: 0, geometry: null, points: null };

/**
 * Longest edge in pixels that a query is verified in: errors of keypoints grow with the picture that they were found in,
 * which is no larger than this where it was scaled down for extraction.
 */
const VERIFY_EDGE = 1280;
/** Samples that the estimation draws at most; where it needs more, too little agrees to be a find. */
const MOST_SAMPLES = 2000;

/** The query in pixels of at most VERIFY_EDGE, and the way back. */
export interface ScaledQuery {
  features: FloatFeatures;
  /** Scaled pixels to those of the query. */
  back: Matrix3;
}

export function scaleQuery(features: FloatFeatures): ScaledQuery {
  const { imageSize, keypoints } = features;
  const size = fitSize(...imageSize, { maxEdge: VERIFY_EDGE });
  const [sx, sy] = [imageSize[0] / size[0], imageSize[1] / size[1]];
  const back = Float64Array.of(sx, 0, (sx - 1) / 2, 0, sy, (sy - 1) / 2, 0, 0, 1);
  if (sx === 1 && sy === 1) return { features, back };
  return {
    features: { ...features, imageSize: size, keypoints: resizePoints(keypoints.slice(), 1 / sx, 1 / sy) },
    back,
  };
}

const VERIFYING = { maxIterations: MOST_SAMPLES, confidence: 0.99 };

async function firstLook(query: ScaledQuery, image: FloatFeatures): Promise<GuidedMatches> {
  const matches = await matchFeatures(image, query.features);
  return { matches, geometry: await verifyMatches(image, query.features, matches, VERIFYING) };
}

export async function verifyImage(query: ScaledQuery, image: FloatFeatures, verdict: VerdictModel): Promise<Verified> {
  const first = await firstLook(query, image);
  if (!first.geometry.matrix) return NOT_VERIFIED;
  const judged = judgeGeometry(verdict, image, query.features, first.matches, first.geometry);
  const probability = judged?.probability ?? 0;
  const found = judged?.verdict === "same";
  const { matches, geometry } = found
    ? await rematchGuided(image, query.features, first.matches, first.geometry, VERIFYING)
    : first;
  const matrix = compose(query.back, geometry.matrix as Float64Array);
  const corners = [...projectPoints(matrix, imageCorners(image.imageSize))];
  const [from, to] = matchedPoints("search", image, query.features, matches);
  const [own, theirs] = [from, to].map((points) => pointsAt(points, geometry.inliers));
  return {
    found,
    probability,
    inliers: geometry.inliers.length,
    // What lies behind the horizon lies nowhere.
    geometry: corners.every(Number.isFinite) ? { model: "homography", matrix: [...matrix], corners } : null,
    points: { image: own, query: Float32Array.from(projectPoints(query.back, theirs)) },
  };
}

function pointsAt(points: Float32Array, indices: Uint32Array): Float32Array {
  const taken = new Float32Array(2 * indices.length);
  for (const [to, i] of indices.entries()) taken.set(points.subarray(2 * i, 2 * i + 2), 2 * to);
  return taken;
}
