/** One image's Features to and from a file: npz and MAT (arrays as the reference names them) or JSON. */
import { checkObject, checkSize } from "../check.js";
import { DESCRIPTOR_KINDS, type DescriptorKind, type Features } from "../features.js";
import { checkChoice, withDefaults } from "../options.js";
import { decodeRecord, encodeRecord, FILE_FORMATS, type FileFormat } from "./record.js";

/** Formats that hold one image; HDF5 holds many, see `writeHlocFeatures`. */
export const FEATURE_FORMATS = FILE_FORMATS;
/** Name of such a format. */
export type FeatureFormat = FileFormat;

/** How a file of features is written. */
export interface WriteFeaturesOptions {
  /** npz and mat: a third column of ones in `keypoints`; default false. */
  append: boolean;
  /** npz: deflate; default false. */
  compress: boolean;
  /** json: kept beside the features; default {}. */
  meta: Record<string, unknown>;
}

/** What a file of features does not say itself. */
export interface ReadFeaturesOptions {
  /** [width, height] for files that do not say (the reference's npz); default null: such a file is refused. */
  imageSize: [number, number] | null;
  /**
   * What the descriptors are, where their type does not tell: "binary" for bits that come as other numbers than bytes,
   * "float" for bytes that are no bits. Default null: by their type (bytes are bits, but for SIFT's 128).
   */
  kind: DescriptorKind | null;
}

/** The bytes of a file of that format. ShapeError when lengths do not fit or a number is not finite. */
export function writeFeatures(
  format: FeatureFormat,
  features: Features,
  options: Partial<WriteFeaturesOptions> = {},
): Uint8Array {
  const defaults: WriteFeaturesOptions = { append: false, compress: false, meta: {} };
  const { append, compress, meta } = withDefaults("writeFeatures", defaults, options);
  checkObject("writeFeatures", "meta", meta);
  checkChoice("writeFeatures", "format", format, FEATURE_FORMATS);
  return encodeRecord(format, features, format === "json" ? meta : undefined, append, compress);
}

/**
 * The features in a file of that format; other arrays beside them are ignored. FormatError when shapes do not belong
 * together or a number is not finite. Descriptors of floats are brought to length 1.
 */
export function readFeatures(
  format: FeatureFormat,
  bytes: Uint8Array,
  options: Partial<ReadFeaturesOptions> = {},
): Features {
  const defaults: ReadFeaturesOptions = { imageSize: null, kind: null };
  const { imageSize, kind } = withDefaults("readFeatures", defaults, options);
  if (kind !== null) checkChoice("readFeatures", "kind", kind, DESCRIPTOR_KINDS);
  if (imageSize !== null) checkSize("readFeatures", "imageSize", imageSize);
  checkChoice("readFeatures", "format", format, FEATURE_FORMATS);
  return decodeRecord(format, bytes, { where: "readFeatures", imageSize, kind }).features;
}
