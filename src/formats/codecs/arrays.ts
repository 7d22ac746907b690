/** What npz and MAT files share: features as named arrays, and their provenance as the bytes of a JSON text. */
import { encodeUtf8, parseJson } from "../bytes.js";
import { arraysToFeatures, FEATURE_ARRAYS, featuresToArrays } from "../feature-arrays.js";
import type { FeatureCodec, WriteOptions } from "../feature-formats.js";
import type { NdArray } from "../ndarray.js";

type Arrays = Record<string, NdArray>;

const PROVENANCE = "provenance";
const NAMES = [...FEATURE_ARRAYS, PROVENANCE];

/** A codec over a container of arrays; `read` need not give other arrays than those of the names. */
export function arraysCodec(
  read: (bytes: Uint8Array, names: readonly string[]) => Arrays,
  write: (arrays: Arrays, options: WriteOptions) => Uint8Array,
): FeatureCodec {
  return {
    read(bytes, { where, imageSize, kind }) {
      const arrays = read(bytes, NAMES);
      const text = Object.hasOwn(arrays, PROVENANCE) ? arrays[PROVENANCE] : undefined;
      const provenance = text?.data instanceof Uint8Array ? parseJson(PROVENANCE, text.data) : null;
      return { features: arraysToFeatures(where, arrays, { imageSize, kind }), provenance };
    },
    write(features, options) {
      const { provenance, append = false } = options;
      const arrays = featuresToArrays(features, append);
      if (provenance) {
        const text = encodeUtf8(JSON.stringify(provenance));
        arrays[PROVENANCE] = { dtype: "uint8", shape: [text.length], data: text };
      }
      return write(arrays, options);
    },
  };
}
