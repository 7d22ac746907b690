/**
 * Feature files that say how they were made: beside the arrays of features, npz and MAT files carry `provenance`, the
 * bytes of a JSON text; JSON files carry the same as `meta`. `--resume` compares it, so that features made with other
 * options or another model are never taken for finished, and a file on its own still tells where it comes from.
 */
import type { Features } from "../features.js";
import { codec as json } from "./codecs/json.js";
import { codec as mat } from "./codecs/mat.js";
import { codec as npz } from "./codecs/npz.js";
import type { FeatureCodec, FormatName, Provenance, ReadOptions } from "./feature-formats.js";

export type { Provenance } from "./feature-formats.js";

/** Codecs that are there without waiting, of the formats that keep provenance. */
const CODECS = { npz, mat, json } as const satisfies Partial<Record<FormatName, FeatureCodec>>;

/** Formats of one file per image that say how it was made. */
export type FileFormat = keyof typeof CODECS;
export const FILE_FORMATS = Object.keys(CODECS) as FileFormat[];

/** The bytes of a feature file with its provenance; `append`: a third column of ones (npz and mat). */
export function encodeRecord(
  format: FileFormat,
  features: Features,
  provenance: Provenance | undefined,
  append = false,
  compress = false,
): Uint8Array {
  return CODECS[format].write(features, { provenance, append, compress });
}

/** Features and provenance (null where a file of another program has none). FormatError for anything damaged. */
export function decodeRecord(
  format: FileFormat,
  bytes: Uint8Array,
  { where = "decodeRecord", imageSize = null, kind = null }: Partial<ReadOptions> = {},
): { features: Features; provenance: unknown } {
  return CODECS[format].read(bytes, { where, imageSize, kind });
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
