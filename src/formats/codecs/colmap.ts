/** Features as COLMAP's text, which `feature_importer` takes. */
import { colmapFeatures, readColmapFeatures, writeColmapFeatures } from "../colmap.js";
import { MissingImageSize } from "../feature-arrays.js";
import type { FeatureCodec } from "../feature-formats.js";

export const codec: FeatureCodec = {
  read(bytes, { where, imageSize }) {
    const read = readColmapFeatures(bytes);
    // COLMAP's text has no place for it.
    if (!imageSize) throw new MissingImageSize(`${where}: the file does not say the image's size`);
    return { features: colmapFeatures(read, imageSize), provenance: null };
  },
  write: (features) => writeColmapFeatures(features),
};
