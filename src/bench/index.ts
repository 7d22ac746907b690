/** Evaluation: features, pairs and truths in, scores out. */
export { BASELINE_NAMES, type Baseline, type BaselineName, type BaselineOptions, openBaseline } from "./baselines.js";
export {
  calibrationError,
  fitVerdict,
  type JudgedPair,
  pairProbability,
  type ReliabilityBin,
  reliabilityCurve,
  type VerdictFigures,
  verdictFigures,
} from "./calibration.js";
export { type CompareOptions, type Comparison, compareRuns, type MetricComparison } from "./compare.js";
export { topFeatures } from "./features.js";
export {
  HIGH_RESOLUTION,
  HPATCHES_FOLDER,
  HPATCHES_IMAGES,
  HPATCHES_SEQUENCES,
  HPATCHES_URL,
  isFullHpatches,
  SEQUENCE_FILES,
  sequenceKind,
} from "./hpatches.js";
export {
  areaUnderShare,
  countWithin,
  matchingAccuracy,
  matchingScore,
  projectionErrors,
  repeatability,
  shareWithin,
} from "./metrics.js";
export { POSE_THRESHOLDS, type PoseOptions, type SceneCamera, type ScoredPose } from "./pose.js";
export { repeatedKeypoints } from "./repeat.js";
export { type PairResult, type ScoringOptions, scorePair, scoringOf } from "./score-pair.js";
export { summarize, summarizeByKind } from "./summary.js";
export * from "./types.js";
