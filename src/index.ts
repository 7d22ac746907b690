/** The core: everything that runs anywhere. The Node and web doors add files, images and a runtime. */
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
export { DenseExtractor, type DenseMap, type DenseModel } from "./extract/dense.js";
export type { Extractor, ExtractorInfo } from "./extract/extractor.js";
export { type OpenedModel, openReference, openStrata, type ReferenceChoices } from "./extract/models.js";
export { type ExtractOptions, extractOptions } from "./extract/options.js";
export { checkFeatures, emptyFeatures, type Features, type Homography, type Matches } from "./features.js";
export {
  readColmapFeatures,
  readColmapMatches,
  writeColmapFeatures,
  writeColmapMatches,
} from "./formats/colmap.js";
export { type FeatureFormat, readFeatures, writeFeatures } from "./formats/features.js";
export { readHlocFeatures, readHlocMatches, writeHlocFeatures, writeHlocMatches } from "./formats/hloc.js";
export { readKeypointsJson, writeKeypointsJson } from "./formats/keypoints-json.js";
export { readMat, writeMat } from "./formats/mat.js";
export { type NdArray, ndarray, toFloat32 } from "./formats/ndarray.js";
export { readNpy, writeNpy } from "./formats/npy.js";
export { readNpz, writeNpz } from "./formats/npz.js";
export { readSafetensors, type Safetensors, writeSafetensors } from "./formats/safetensors.js";
export { readTorchCheckpoint, type TorchCheckpoint } from "./formats/torch.js";
export { cellToPixel, fromColmap, pixelToCell, resizePoints, toColmap } from "./geometry/coordinates.js";
export { cornerError } from "./geometry/corner-error.js";
export { estimateHomography, type HomographyOptions, verifyMatches } from "./geometry/homography.js";
export { compose, inverse3x3, projectPoints } from "./geometry/matrix3.js";
export {
  type Compiled,
  type CompileOptions,
  type CompileStats,
  compile,
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
export { disposeMatching, type MatchOptions, matchFeatures } from "./match/index.js";
export { Random } from "./random.js";
