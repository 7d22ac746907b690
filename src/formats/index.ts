/** Readers and writers of arrays, features and matches: bytes in, bytes out, on every platform. */
export {
  type ColmapFeatures,
  fromColmapDescriptors,
  type ImagePair,
  readColmapFeatures,
  readColmapMatches,
  toColmapDescriptors,
  writeColmapFeatures,
  writeColmapMatches,
} from "./colmap.js";
export {
  FEATURE_FORMATS,
  type FeatureFormat,
  type ReadFeaturesOptions,
  readFeatures,
  type WriteFeaturesOptions,
  writeFeatures,
} from "./features.js";
export {
  type HlocPair,
  listHlocImages,
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
export { readSafetensors, type Safetensors, writeSafetensors } from "./safetensors.js";
export { type PlainValue, readTorchCheckpoint, type TorchCheckpoint, type TorchOptions } from "./torch.js";
export { readZip, writeZip, type ZipOptions } from "./zip.js";
