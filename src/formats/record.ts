/**
 * Feature files that say how they were made: beside the arrays of features, npz and MAT files carry `provenance`, the
 * bytes of a JSON text; JSON files carry the same as `meta`. `--resume` compares it, so that features made with other
 * options or another model are never taken for finished, and a file on its own still tells where it comes from.
 */

import type { DescriptorKind, Features } from "../features.js";
import { encodeUtf8, parseJson } from "./bytes.js";
import { arraysToFeatures, FEATURE_ARRAYS, featuresToArrays } from "./feature-arrays.js";
import { readKeypointsJson, writeKeypointsJson } from "./keypoints-json.js";
import { readMat, writeMat } from "./mat.js";
import type { NdArray } from "./ndarray.js";
import { readNpz, writeNpz } from "./npz.js";

/** Formats of one file per image. */
export const FILE_FORMATS = ["npz", "mat", "json"] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

/** Plain JSON: model, checksum, options, image name, … */
export type Provenance = Record<string, unknown>;

const ARRAY = "provenance";

/** The bytes of a feature file with its provenance; `append`: a third column of ones (npz and mat). */
export function encodeRecord(format: FileFormat, features: Features, provenance: Provenance, append = false) {
  if (format === "json") return writeKeypointsJson(features, provenance);
  const text = encodeUtf8(JSON.stringify(provenance));
  const arrays = featuresToArrays(features, append);
  arrays[ARRAY] = { dtype: "uint8", shape: [text.length], data: text };
  return format === "npz" ? writeNpz(arrays) : writeMat(arrays);
}

/** How to read a file of another program; see `ReadFeaturesOptions`. */
export interface DecodeOptions {
  /** What errors name; default "decodeRecord". */
  where?: string;
  imageSize?: [number, number] | null;
  kind?: DescriptorKind | null;
}

/** Features and provenance (null where a file of another program has none). FormatError for anything damaged. */
export function decodeRecord(
  format: FileFormat,
  bytes: Uint8Array,
  { where = "decodeRecord", imageSize = null, kind = null }: DecodeOptions = {},
): { features: Features; provenance: unknown } {
  if (format === "json") {
    const { features, meta } = readKeypointsJson(bytes);
    return { features, provenance: meta };
  }
  const arrays = format === "npz" ? readNpz(bytes) : readMat(bytes, { names: [...FEATURE_ARRAYS, ARRAY] });
  const text: NdArray | undefined = Object.hasOwn(arrays, ARRAY) ? arrays[ARRAY] : undefined;
  const provenance = text?.data instanceof Uint8Array ? parseJson(ARRAY, text.data) : null;
  return { features: arraysToFeatures(where, arrays, imageSize, kind), provenance };
}

/** Whether two provenances say the same, in whatever order of keys. */
export function sameProvenance(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** JSON whose keys are sorted at every depth: the same text for the same value, to compare and to hash. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)))
      : inner,
  );
}
