/** The core: everything that runs anywhere. The Node and web doors add files, images and a runtime. */
export * from "./align/index.js";
export {
  type ErrorCode,
  FormatError,
  IoError,
  LimitError,
  OptionError,
  ShapeError,
  StateError,
  StrataError,
  UnsupportedError,
} from "./errors.js";
export { type ExportedModel, type ExportOptions, exportFeatures } from "./export/features.js";
export { exportMatcher } from "./export/matcher.js";
export { compareFeatures, type Parity } from "./export/parity.js";
export { type ColmapAsks, runColmap, runExported } from "./export/run.js";
export { DenseExtractor } from "./extract/dense.js";
export type { DenseModel } from "./extract/dense-model.js";
export type { Extractor, ExtractorInfo } from "./extract/extractor.js";
export { type OpenedModel, openReference, type ReferenceChoices } from "./extract/models.js";
export { type ExtractOptions, extractOptions } from "./extract/options.js";
export { openModel, openStrata } from "./families.js";
export {
  type BinaryFeatures,
  checkFeatures,
  DESCRIPTOR_KINDS,
  type DescriptorKind,
  emptyFeatures,
  type Features,
  type FloatFeatures,
  type Homography,
  type Matches,
} from "./features.js";
// Each folder says itself what of it is public.
export * from "./formats/index.js";
export * from "./geometry/index.js";
export {
  type ArraysOf,
  type Compiled,
  type CompileOptions,
  type CompileStats,
  compile,
  type Feed,
  type InputSpec,
  input,
  lower,
} from "./graph/compile.js";
export {
  type Backend,
  defaultRuntime,
  type Runtime,
  type Session,
  type SessionInfo,
  type SessionOptions,
  setDefaultRuntime,
  type Tensor,
} from "./graph/session.js";
export { checkImage, DEFAULT_PIXEL_LIMIT, type Image } from "./image/image.js";
export { padImage } from "./image/pad.js";
export { readPnm } from "./image/pnm.js";
export { fitSize, resizeImage } from "./image/resize.js";
export { type WarpOptions, warpImage, warpMask } from "./image/warp.js";
export * from "./match/index.js";
export { type MatchReport, matchJson, matchNpz } from "./match-report.js";
export { MATCH_STEPS, type MatchedImages, type MatchImagesOptions, type MatchStep, matchImages } from "./pair.js";
export * from "./picture/index.js";
export { Random } from "./random.js";
export { type Seconds, timed } from "./timing.js";
