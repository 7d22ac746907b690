/** The train door in Node: training with data sets in files, worker threads, checkpoints, logs, and models in folders. */
import { setDefaultRuntime } from "../../graph/session.js";
import { nodeRuntime } from "../runtime.js";

setDefaultRuntime(nodeRuntime);

export * from "../../train/index.js";
export { bestCheckpoint, latestCheckpoint, openCheckpoints, readCheckpoint, resumeFrom } from "./checkpoint.js";
export { type DetectorSources, detectorSources, readBeginning, readDetectorRecipe, readTeacher } from "./detector.js";
export { FrozenCache, type FrozenCacheOptions } from "./frozen-cache.js";
export { MEGADEPTH_DEFAULTS, type MegaDepthOptions, MegaDepthSource } from "./megadepth.js";
export type { ModelTask } from "./model-task.js";
export { openPairWorkers, type PairWorkerOptions } from "./pair-workers.js";
export { PHOTO_DEFAULTS, type PhotoOptions, PhotoSource } from "./photos.js";
export { type PreparedMegadepth, type PrepareMegadepthOptions, prepareMegadepth } from "./prepare-megadepth.js";
export { type ReferenceTask, type ReferenceTaskOptions, referenceTask } from "./reference-task.js";
export { type RunRequest, type RunResult, runTraining } from "./run.js";
export { readRuns } from "./run-folders.js";
export { openSource, type SourcePair, type SourceSpec, splitSources } from "./sources.js";
export { type FolderTrained, type FolderTraining, trainInFolder } from "./train-in-folder.js";
export { type TrainWatch, type WatchOptions, watchTraining } from "./watch.js";
export { joinWeights, readTrainingWeights, readWeights, type TrainingWeights, type Weights } from "./weights.js";
