/** Geometry: conventions of coordinates, homographies and how good they are. */
export {
  cellToPixel,
  fromColmap,
  fundamentalFromColmap,
  fundamentalToColmap,
  homographyFromColmap,
  homographyToColmap,
  pixelToCell,
  resizePoints,
  toColmap,
} from "./coordinates.js";
export { cornerError } from "./corner-error.js";
export {
  type EssentialOptions,
  estimateEssential,
  estimateFundamental,
  type FundamentalOptions,
  TWO_VIEW_MODELS,
  type TwoViewGeometry,
} from "./epipolar.js";
export { estimateHomography, HOMOGRAPHY_METHODS, type HomographyOptions } from "./homography.js";
export type { Intrinsics, IntrinsicsLike } from "./intrinsics.js";
export { compose, imageCorners, inverse3x3, type Matrix3, projectPoints } from "./matrix3.js";
export {
  type CameraPair,
  type Pose,
  type RecoveredPose,
  type RecoverPoseOptions,
  recoverPose,
  triangulatePoints,
} from "./pose.js";
export { type GuidedMatches, rematchGuided } from "./second-pass.js";
export { VERIFY_MODELS, type VerifyOptions, verifyMatches } from "./two-view.js";
export {
  judgeGeometry,
  judgeHomography,
  parseVerdictModel,
  type Verdict,
  type VerdictModel,
  type VerdictWeights,
} from "./verdict.js";
