/**
 * What COLMAP's `two_view_geometries` says about a pair of images: which kind of geometry explains the matches, its
 * matrices, and the matches that agree. Matrices are row-major and for our pixels (E: for directions of rays).
 * Numbers of kinds: COLMAP, src/colmap/scene/two_view_geometry.h.
 */

import { checkArray, checkNumbers, checkObject, wrong } from "../check.js";
import { inverse3x3, transposed } from "../geometry/matrix3.js";
import { checkChoice } from "../options.js";

/** Kinds of two-view geometry by COLMAP's number. */
export const TWO_VIEW_KINDS = [
  "undefined",
  "degenerate",
  "calibrated",
  "uncalibrated",
  "planar",
  "panoramic",
  "planar-or-panoramic",
  "watermark",
  "multiple",
  "calibrated-rig",
] as const;
/** Which geometry it is. */
export type TwoViewKind = (typeof TWO_VIEW_KINDS)[number];

/** The geometry of a verified pair. */
export interface TwoView {
  kind: TwoViewKind;
  /** Matches that agree: i0, j0, i1, j1, …, indices of keypoints. */
  inliers: Uint32Array;
  /** Fundamental matrix, x₁ᵀ F x₀ = 0; null: not known. */
  fundamental: Float64Array | null;
  /** Essential matrix; null: not known. */
  essential: Float64Array | null;
  /** Homography from image 0 to image 1; null: not known. */
  homography: Float64Array | null;
  /** Unit quaternion w, x, y, z and translation, camera 0 to camera 1; null: not known. */
  pose: { rotation: Float64Array; translation: Float64Array } | null;
}

/** The same geometry, told from image 1 to image 0. */
export function invertTwoView(twoView: TwoView): TwoView {
  const { kind, inliers, fundamental, essential, homography, pose } = checkTwoView("invertTwoView", twoView);
  return {
    kind,
    inliers: swapPairs(inliers),
    fundamental: fundamental && transposed(fundamental),
    essential: essential && transposed(essential),
    homography: homography && inverse3x3(homography),
    pose: pose && invertPose(pose),
  };
}

/** i0, j0, i1, j1, … → j0, i0, j1, i1, … */
/** A ShapeError or OptionError for the first part that does not fit. */
export function checkTwoView(where: string, twoView: TwoView): TwoView {
  checkObject(where, "the geometry", twoView);
  const { kind, inliers, fundamental, essential, homography, pose } = twoView;
  checkChoice(where, "kind", kind, TWO_VIEW_KINDS);
  checkArray(where, "inliers", inliers, Uint32Array);
  if (inliers.length % 2) throw wrong(where, "inliers", "pairs of indices", inliers);
  for (const [name, matrix] of Object.entries({ fundamental, essential, homography })) {
    if (matrix !== null && checkNumbers(where, name, matrix).length !== 9)
      throw wrong(where, name, "9 numbers", matrix);
  }
  if (pose === null) return twoView;
  checkObject(where, "pose", pose);
  if (checkNumbers(where, "pose.rotation", pose.rotation).length !== 4)
    throw wrong(where, "pose.rotation", "4 numbers", pose.rotation);
  if (checkNumbers(where, "pose.translation", pose.translation).length !== 3)
    throw wrong(where, "pose.translation", "3 numbers", pose.translation);
  return twoView;
}

export function swapPairs(pairs: Uint32Array): Uint32Array {
  return Uint32Array.from(pairs, (_, k) => pairs[k ^ 1]);
}

/** x₁ = R x₀ + t turned round: x₀ = Rᵀ x₁ − Rᵀ t. */
function invertPose({ rotation: [w, x, y, z], translation }: NonNullable<TwoView["pose"]>): TwoView["pose"] {
  const back = Float64Array.of(w, -x, -y, -z);
  return { rotation: back, translation: rotate(back, translation).map((value) => -value) };
}

/** The vector turned by the unit quaternion: v + 2w(q×v) + 2q×(q×v). */
function rotate([w, ...axis]: Float64Array, vector: Float64Array): Float64Array {
  const once = cross(axis, vector);
  const twice = cross(axis, once);
  return Float64Array.from(vector, (value, k) => value + 2 * (w * once[k] + twice[k]));
}

function cross(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  return Float64Array.of(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]);
}
