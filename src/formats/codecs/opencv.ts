/** Features as OpenCV's JSON. */
import type { FeatureCodec } from "../feature-formats.js";
import { readOpenCvFeatures, writeOpenCvFeatures } from "../opencv-json.js";

export const codec: FeatureCodec = {
  read: (bytes, { imageSize, kind }) => ({ features: readOpenCvFeatures(bytes, imageSize, kind), provenance: null }),
  write: (features) => writeOpenCvFeatures(features),
};
