/**
 * Two-view pose: how far the pose in the matches of two images is from the true one. The error of a pair is the larger of
 * two angles, of the rotation and of the translation's direction; the figure of merit the area under the curve of the share
 * of pairs below an error, up to a threshold: the mean of max(0, 1 − error / threshold).
 */
import { checkNumbers } from "../check.js";
import type { Features, Matches } from "../features.js";
import type { TwoViewGeometry } from "../geometry/epipolar.js";
import type { IntrinsicsLike } from "../geometry/intrinsics.js";
import { checkMatrix, compose, type Matrix3, transposed } from "../geometry/matrix3.js";
import type { Pose } from "../geometry/pose.js";
import { rematchGuided } from "../geometry/second-pass.js";
import { verifyMatches } from "../geometry/two-view.js";
import { type MatchOptions, matchFeatures } from "../match/mutual.js";
import { checkNumber } from "../options.js";

/** Thresholds of the area under the curve, in degrees. */
export const POSE_THRESHOLDS = [5, 10, 20] as const;

/** A camera: intrinsics, and where it stands (x_camera = rotation · x_world + translation). */
export interface SceneCamera {
  intrinsics: IntrinsicsLike;
  rotation: Matrix3;
  translation: ArrayLike<number>;
}

/** How a pair's pose is estimated. */
export interface PoseOptions {
  /** Lowe's ratio; null: mutual nearest neighbours without it. */
  ratio?: MatchOptions["ratio"];
  /** Whether matches are searched a second time, guided by the first geometry. Default false. */
  guided?: boolean;
  /** Of the essential matrix, in pixels; default: that of `estimateEssential`. */
  threshold?: number;
  /** Default 0. */
  seed?: number;
  /** Whether it is told which model "auto" takes the matches for (see `verifyMatches`). Default false. */
  auto?: boolean;
}

/** What was found in a pair. */
export interface ScoredPose {
  /** In degrees; 180 where no pose was found. */
  error: number;
  matches: number;
  inliers: number;
  /** What "auto" takes the matches for, cameras known; absent where that was not asked for. */
  auto?: TwoViewGeometry["model"];
}

/** The pose of camera b seen from camera a, with a translation of length 1. */
export function relativePose(a: SceneCamera, b: SceneCamera): Pose {
  const rotation = compose(b.rotation, transposed(a.rotation));
  const at = (k: number) =>
    b.translation[k] - [0, 1, 2].reduce((sum, c) => sum + rotation[3 * k + c] * a.translation[c], 0);
  const translation = Float64Array.of(at(0), at(1), at(2));
  const length = Math.hypot(...translation);
  return { rotation, translation: translation.map((value) => value / length) };
}

/** The larger angle of rotation and translation's direction between two poses, in degrees. */
export function poseError(found: Pose, truth: Pose): number {
  for (const { rotation, translation } of [found, truth]) {
    checkMatrix("poseError", rotation);
    checkNumbers("poseError", "translation", translation);
  }
  const dot = (p: ArrayLike<number>, q: ArrayLike<number>) =>
    Array.from(p).reduce((sum, value, k) => sum + value * q[k], 0);
  const cosines = [(dot(found.rotation, truth.rotation) - 1) / 2, dot(found.translation, truth.translation)];
  return Math.max(...cosines.map((cosine) => (Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI));
}

/** The area under the curve of errors (degrees) up to a threshold, in [0, 1]; 0 of no errors. */
export function poseAuc(errors: readonly number[], threshold: number): number {
  checkNumber("poseAuc", "threshold", threshold, { min: 1e-6 });
  const sum = errors.reduce((total, error) => total + Math.max(0, 1 - error / threshold), 0);
  return errors.length === 0 ? 0 : sum / errors.length;
}

/** Matches two images, estimates their pose and compares it with the true one. */
export async function scorePose(
  a: Features,
  b: Features,
  cameras: readonly [SceneCamera, SceneCamera],
  { ratio = null, guided = false, threshold, seed = 0, auto = false }: PoseOptions = {},
): Promise<ScoredPose> {
  const options = {
    model: "essential" as const,
    intrinsicsA: cameras[0].intrinsics,
    intrinsicsB: cameras[1].intrinsics,
    threshold,
    seed,
  };
  const matches = await matchFeatures(a, b, { ratio });
  const first: { matches: Matches; geometry: TwoViewGeometry } = {
    matches,
    geometry: await verifyMatches(a, b, matches, options),
  };
  const found = guided ? await rematchGuided(a, b, matches, first.geometry, options) : first;
  const { rotation, translation, inliers } = found.geometry;
  const truth = relativePose(...cameras);
  return {
    error: rotation && translation ? poseError({ rotation, translation }, truth) : 180,
    matches: found.matches.count,
    inliers: inliers.length,
    ...(auto && { auto: (await verifyMatches(a, b, matches, { ...options, model: "auto" })).model }),
  };
}
