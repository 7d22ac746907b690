/** `strata-features/track`: flat pictures followed through the frames of a camera. Runs in Node and in pages. */
export { assumedIntrinsics, projectionMatrix } from "./camera.js";
export type { DetectorTarget } from "./check-targets.js";
export {
  createDetector,
  type Detection,
  type DetectionResult,
  type Detector,
  type DetectorSource,
} from "./detector.js";
export { TRACK_MODEL } from "./model.js";
export type { Frame, Grey } from "./pyramid.js";
export { POOR_QUALITY, type TargetQuality } from "./quality.js";
export { type CompileTargetOptions, compileTarget, type Target } from "./target.js";
export { isTarget, readTarget, TARGET_VERSION, writeTarget } from "./target-file.js";
export { createTracker, type Tracker } from "./tracker.js";
export {
  type ProcessOptions,
  type StageTimes,
  TARGET_STATES,
  type TargetState,
  type TrackedFrame,
  type TrackedTarget,
  type TrackerOptions,
} from "./types.js";
