/** The Node door: the core with files, images by sharp, and onnxruntime-node as the runtime. */
import { setDefaultRuntime } from "../graph/session.js";
import { nodeRuntime } from "./runtime.js";

setDefaultRuntime(nodeRuntime);

export * from "../index.js";
export { readFileChecked, writeFileAtomic } from "./atomic.js";
export { readTensorFile, type TensorFile } from "./checkpoint-file.js";
export {
  type ExportColmapOptions,
  type ExportColmapResult,
  exportColmap,
} from "./colmap/export-colmap.js";
export { loadColmapDatabase, loadSqlite, saveColmapDatabase } from "./colmap-database.js";
export {
  type CheckReport,
  checkExport,
  checkExportedFile,
  type ExportReport,
  exportMatcherFile,
  exportModel,
} from "./export.js";
export {
  type ExtractManyOptions,
  type ExtractManyResult,
  type ExtractProgress,
  extractMany,
  type ImageWarning,
} from "./extract-many.js";
export { DEFAULT_MODEL, describeModel, type ModelDescription, type OpenOptions, openExtractor } from "./extractor.js";
export {
  type LoadedFeatures,
  type LoadFeaturesOptions,
  loadFeatures,
  type SaveFeaturesOptions,
  saveFeatures,
} from "./features-files.js";
export type { ImageSource } from "./image-source.js";
export { encodeJpeg, encodePng, type LoadImageOptions, loadImage, renderSvg, saveImage } from "./images.js";
export { type FoundImages, findImages, type ListImagesOptions, listImages } from "./list-images.js";
export { listPairs } from "./list-pairs.js";
export { MATCH_FILES, saveMatches } from "./match-files.js";
export { type MatchManyOptions, type MatchManyResult, type MatchProgress, matchMany } from "./match-many.js";
export { type FetchedModel, type FetchOptions, fetchModel } from "./models/fetch.js";
export { type ModelInformation, modelInformation } from "./models/information.js";
export { type KnownModel, knownModels } from "./models/known.js";
export { openRegistry, type RegisteredModel, type Registry } from "./models/registry.js";
export { type RemovedModel, removeModels } from "./models/remove.js";
export { type ImportOptions, type ImportReport, importModel } from "./models-import.js";
export { loadPairs, PAIR_FILES, savePairs } from "./pair-files.js";
export type { Existing } from "./parts.js";
export type { OpenStage, Stage } from "./stage.js";
export { type FileStoreOptions, fileStore } from "./stores/files.js";
export { type HlocStoreOptions, hlocStore } from "./stores/hloc.js";
export type { FeatureStore, ImageFailure, NamedImage, StoredRun } from "./stores/store.js";
export { type FrameSource, type NamedFrame, openFrames } from "./track/frames.js";
export { type LoadTargetOptions, loadTarget } from "./track/load-target.js";
export { type FrameRecord, type TrackFramesOptions, trackFrames } from "./track/track-frames.js";
export { nodeRuntime };
