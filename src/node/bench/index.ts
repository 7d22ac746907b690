/** The bench door in Node: evaluation with sequences in folders, several processes, kept results and reports. */
import { setDefaultRuntime } from "../../graph/session.js";
import { nodeRuntime } from "../runtime.js";

setDefaultRuntime(nodeRuntime);

export * from "../../bench/index.js";
export type { OpenStage, Stage } from "../stage.js";
export type { ArchiveOptions, ArchiveProgress, DownloadWatch } from "./archive.js";
export { loadCachedCurve, saveCaches } from "./caches.js";
export {
  CALIBRATION_DEFAULTS,
  type Calibration,
  type CalibrationOptions,
  calibrateVerdict,
} from "./calibrate-verdict.js";
export { type CompareResultsOptions, compareResults } from "./compare-results.js";
export { type DownloadedHpatches, downloadHpatches, type HpatchesDownload } from "./download-hpatches.js";
export { findRuns } from "./find-results.js";
export { measurePose, type PoseFigures, type PosePair, type PoseRequest } from "./measure-pose.js";
export { type MethodPlan, type MethodSpec, type Protocol, parseMethod } from "./methods.js";
export { publishedCurves, savePublishedReport } from "./published.js";
export { resultsName } from "./run.js";
export {
  type BenchmarkRequest,
  type BenchmarkResult,
  benchmarkReport,
  type ReportText,
  runBenchmark,
  saveBenchmarkReport,
} from "./run-benchmark.js";
export { openScenes, type Scene } from "./scenes.js";
export {
  type PrintQuery,
  type SearchFigures,
  type SearchPrints,
  type SearchPrintsOptions,
  searchPrints,
} from "./search-prints.js";
export {
  type BadSequence,
  openSequences,
  type Sequence,
  type SequenceImage,
  type Sequences,
  type SequencesOptions,
} from "./sequences.js";
export { type TrackedVideos, type TrackVideosOptions, trackVideos } from "./track-videos.js";
