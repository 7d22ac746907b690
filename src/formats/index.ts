/** Readers and writers of arrays, features and matches: bytes in, bytes out, on every platform. */
export {
  type ColmapFeatures,
  colmapFeatures,
  fromColmapDescriptors,
  type ImagePair,
  isPackedColmap,
  packColmapDescriptors,
  readColmapFeatures,
  readColmapMatches,
  toColmapDescriptors,
  unpackColmapDescriptors,
  writeColmapFeatures,
  writeColmapMatches,
} from "./colmap.js";
export {
  CAMERA_MODEL_NAMES,
  type CameraChoice,
  type CameraModelName,
  type ColmapDatabaseCamera,
  makeCamera,
} from "./colmap-cameras.js";
export { type WriteColmapDatabaseOptions, writeColmapDatabase } from "./colmap-database.js";
export {
  COLMAP_VERSIONS,
  type ColmapDatabase,
  type ColmapDatabaseImage,
  type ColmapDatabasePair,
  type ColmapVersion,
  DATABASE_LIMIT,
} from "./colmap-database-parts.js";
export { type ReadColmapDatabaseOptions, readColmapDatabase } from "./colmap-database-read.js";
export {
  CAMERA_MODES,
  type DatabaseMatchesOptions,
  databaseFeatures,
  databaseMatches,
  type ToColmapDatabaseOptions,
  toColmapDatabase,
  type VerifiedPair,
} from "./colmap-results.js";
export { invertTwoView, TWO_VIEW_KINDS, type TwoView, type TwoViewKind } from "./colmap-two-view.js";
export { readFeaturesCsv, readMatchesCsv, writeFeaturesCsv, writeMatchesCsv } from "./csv.js";
export {
  FEATURE_FORMATS,
  type FeatureFormat,
  type ReadFeaturesOptions,
  readFeatures,
  type WriteFeaturesOptions,
  writeFeatures,
} from "./features.js";
export {
  type HlocEntry,
  type HlocPair,
  listHlocImages,
  type ReadHlocFeaturesOptions,
  type ReadHlocMatchesOptions,
  type ReadHlocOptions,
  readHlocFeatures,
  readHlocMatches,
  type WriteHlocOptions,
  writeHlocFeatures,
  writeHlocMatches,
} from "./hloc.js";
export { type HpatchesCache, readHpatchesCache, writeHpatchesCache } from "./hpatches-cache.js";
export { type KeypointsJson, readKeypointsJson, writeKeypointsJson } from "./keypoints-json.js";
export { type ReadMatOptions, readMat, writeMat } from "./mat.js";
export { type DType, type NdArray, ndarray, type TypedArray, toFloat32 } from "./ndarray.js";
export { readNpy, writeNpy } from "./npy.js";
export { type NpzOptions, readNpz, writeNpz } from "./npz.js";
export { type OnnxInitializers, type OnnxOptions, readOnnxInitializers } from "./onnx-initializers.js";
export {
  type OpenCvPair,
  readOpenCvFeatures,
  readOpenCvMatches,
  writeOpenCvFeatures,
  writeOpenCvMatches,
} from "./opencv-json.js";
export { readPairList } from "./pair-list.js";
export { readSafetensors, type Safetensors, writeSafetensors } from "./safetensors.js";
export type { ByteSource, Bytes } from "./source.js";
export { isSqlite, type SqlDatabase, type SqlEngine, type SqlStatement, type SqlValue } from "./sqlite.js";
export {
  readTensorflowCheckpoint,
  type TensorflowCheckpoint,
  type TensorflowOptions,
} from "./tensorflow.js";
export { type PlainValue, readTorchCheckpoint, type TorchCheckpoint, type TorchOptions } from "./torch.js";
export { readZip, writeZip, type ZipOptions } from "./zip.js";
