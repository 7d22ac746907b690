/** Features as JSON of our own; provenance is its `meta`. */
import { parseJson } from "../bytes.js";
import type { FeatureCodec } from "../feature-formats.js";
import { readKeypointsJson, writeKeypointsJson } from "../keypoints-json.js";

export const codec: FeatureCodec = {
  read(bytes) {
    const { features, meta } = readKeypointsJson(bytes);
    return { features, provenance: meta };
  },
  write: (features, { provenance }) => writeKeypointsJson(features, provenance),
  recognises(bytes) {
    const value = parseJson("json", bytes);
    return typeof value === "object" && value !== null && "format" in value;
  },
};
