/** Features as CSV. */
import { readFeaturesCsv, writeFeaturesCsv } from "../csv.js";
import type { FeatureCodec } from "../feature-formats.js";

export const codec: FeatureCodec = {
  read: (bytes, { imageSize, kind }) => ({ features: readFeaturesCsv(bytes, imageSize, kind), provenance: null }),
  write: (features) => writeFeaturesCsv(features),
};
