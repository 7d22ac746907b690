/**
 * Features and matches of many images from whatever holds them: one HDF5 file in hloc's layout, a COLMAP database, or a
 * folder (or one file) of feature files as `strata extract` and others write them.
 */

import { readdir, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { checkFlag, checkMap, checkObject } from "../check.js";
import { FormatError, IoError, OptionError, UnsupportedError } from "../errors.js";
import { checkFeatures, DESCRIPTOR_KINDS, describeDescriptors, type Features } from "../features.js";
import type { ImagePair } from "../formats/colmap.js";
import { MissingImageSize } from "../formats/feature-arrays.js";
import { FORMAT_NAMES, type FormatName, formatRow, PER_IMAGE_ENDINGS } from "../formats/feature-formats.js";
import { isHdf5 } from "../formats/hdf5.js";
import { isSqlite } from "../formats/sqlite.js";
import { checkChoice } from "../options.js";
import { checkPath, ioError, readFileChecked, writeFileAtomic } from "./atomic.js";
import { encodeFeatureFile, type FeatureFileOptions, readFeatureFile, sizeOf } from "./feature-file.js";
import { checkWritable } from "./folders.js";
import { named } from "./name-errors.js";
import { pathBelow } from "./names.js";
import { refuseExisting } from "./overwriting.js";
import { type OpenStage, silentStage } from "./stage.js";
import { writeBelow } from "./write-below.js";

/** Features and matches of many images. */
export interface LoadedFeatures {
  /** By image name, in the order of the file. */
  features: Map<string, Features>;
  /** null: the source has none. */
  pairs: ImagePair[] | null;
}

/** What a source of features does not say itself. */
export interface LoadFeaturesOptions extends FeatureFileOptions {
  /** Of a database: the inliers of verified pairs instead of all matches. */
  verified?: boolean;
  /**
   * What descriptors are wanted for: nothing ("unused": a database's are not even read), matching ("needed": every image
   * must have the same), or to be passed on as far as there are any (default).
   */
  descriptors?: "unused" | "needed";
}

/** How features are written. */
export interface SaveFeaturesOptions {
  /**
   * "h5" is one file for all images, the others a folder with a file for each. Default: by the path's ending, where
   * formats of one image (.npz, .json, …) take a single one; a path without an ending is a folder of npz.
   */
  format?: FormatName;
  /** Write over what is there; default false: an OptionError. */
  force?: boolean;
  /** Shows where the work is. */
  progress?: OpenStage;
}

/** Lists of matches that may lie beside feature files. */
const LISTS = ["matches", "inliers", "pairs"];

/**
 * The features (and matches) that `path` holds, at least one image's: an HDF5 file in hloc's layout, a COLMAP database, a
 * file of one image's features (the ending says the format) or a folder of such files. IoError for what cannot be read,
 * FormatError, ShapeError and UnsupportedError, with the file's name, for what it holds; OptionError where the file does
 * not say how large an image is and `images` is not given.
 */
export async function loadFeatures(path: string, options: LoadFeaturesOptions = {}): Promise<LoadedFeatures> {
  checkPath("loadFeatures", path);
  const { descriptors, verified, images, descriptorKind } = checkObject("loadFeatures", "options", options);
  if (descriptors !== undefined) checkChoice("loadFeatures", "descriptors", descriptors, ["unused", "needed"]);
  if (verified !== undefined) checkFlag("loadFeatures", '"verified"', verified);
  if (images !== undefined) checkPath("loadFeatures: images", images);
  if (descriptorKind !== undefined) checkChoice("loadFeatures", "descriptorKind", descriptorKind, DESCRIPTOR_KINDS);
  const loaded = await named(path, () => readAny(path, options));
  if (loaded.features.size === 0) throw new FormatError(`${path} holds no features`);
  if (options.descriptors === "needed") checkDescriptors(path, loaded.features);
  return loaded;
}

/** That all images have descriptors, of one kind and length. */
function checkDescriptors(path: string, features: ReadonlyMap<string, Features>): void {
  let first: { name: string; what: string } | undefined;
  for (const [name, one] of features) {
    if (one.count === 0) continue;
    const what = describeDescriptors(one);
    if (one.dim === 0) {
      throw new FormatError(
        `${path}: "${name}" has no descriptors, which matching needs; extract features with them (matches that are ` +
          "there already are for convert and export-colmap)",
      );
    }
    first ??= { name, what };
    if (what !== first.what) {
      throw new FormatError(
        `${path}: descriptors of "${first.name}" are ${first.what}, those of "${name}" ${what}; extract all with the same model`,
      );
    }
  }
}

async function readAny(path: string, options: LoadFeaturesOptions): Promise<LoadedFeatures> {
  const info = await stat(path).catch((cause) => {
    throw ioError("read", path, cause);
  });
  if (info.isDirectory()) return { features: await readFolder(path, options), pairs: null };
  const bytes = await readFileChecked(path);
  if (isSqlite(bytes)) return readDatabase(path, options);
  if (isHdf5(bytes)) return { features: await readHloc(path, bytes, options), pairs: null };
  if (!PER_IMAGE_ENDINGS.includes(extname(path).toLowerCase())) {
    throw new UnsupportedError(
      `${path} is no file of features: give an HDF5 file (hloc's layout), a COLMAP database, or files ending in ${PER_IMAGE_ENDINGS.join(", ")}`,
    );
  }
  const [name, features] = await readFeatureFile(path, basename(path), options);
  return { features: new Map([[name, features]]), pairs: null };
}

async function readDatabase(
  path: string,
  { verified = false, descriptors }: LoadFeaturesOptions,
): Promise<LoadedFeatures> {
  const { loadColmapDatabase } = await import("./colmap-database.js");
  const { databaseFeatures, databaseMatches } = await import("../formats/colmap-results.js");
  const database = await loadColmapDatabase(path, { descriptors: descriptors !== "unused", geometries: verified });
  return { features: databaseFeatures(database), pairs: databaseMatches(database, { verified }) };
}

async function readHloc(path: string, bytes: Uint8Array, options: LoadFeaturesOptions): Promise<Map<string, Features>> {
  const { listHlocImages, readHlocFeatures } = await import("../formats/hloc.js");
  const kind = options.descriptorKind ?? null;
  // Only asked for where it is needed: reading headers of thousands of images takes its time.
  try {
    return await readHlocFeatures(bytes, { kind });
  } catch (error) {
    if (!(error instanceof MissingImageSize)) throw error;
    const imageSizes = new Map<string, [number, number]>();
    for (const name of await listHlocImages(bytes)) imageSizes.set(name, await sizeOf(path, name, options));
    return readHlocFeatures(bytes, { imageSizes, kind });
  }
}

async function readFolder(folder: string, options: LoadFeaturesOptions): Promise<Map<string, Features>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause) => {
    throw ioError("read", folder, cause);
  });
  const files = entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, "/").length))
    .filter((file) => {
      const extension = extname(file).toLowerCase();
      return PER_IMAGE_ENDINGS.includes(extension) && !LISTS.includes(basename(file, extension));
    })
    .sort();
  if (files.length === 0) throw new IoError(`${folder} holds no feature files (${PER_IMAGE_ENDINGS.join(", ")})`);
  const found = new Map<string, Features>();
  for (const file of files) {
    const [name, features] = await readFeatureFile(join(folder, file), file, options);
    if (found.has(name)) throw new FormatError(`${join(folder, file)}: a second file of the image "${name}"`);
    found.set(name, features);
  }
  return found;
}

/** The counterpart of `loadFeatures`: writes features by image name to a file, or to a folder with a file per image. */
export async function saveFeatures(
  path: string,
  features: ReadonlyMap<string, Features>,
  options: SaveFeaturesOptions = {},
): Promise<void> {
  const where = "saveFeatures";
  checkPath(where, path);
  for (const [name, one] of checkMap(where, "features", features)) {
    checkFeatures(`${where}: ${JSON.stringify(name)}`, one as Features);
  }
  const {
    format,
    force = false,
    progress = silentStage,
  } = checkObject(where, "options", options) as SaveFeaturesOptions;
  if (format !== undefined) checkChoice(where, "format", format, FORMAT_NAMES);
  checkFlag(where, '"force"', force);
  const ending = extname(path).toLowerCase();
  const kind = format ?? formatOf(path, ending);
  const isFile = kind === "h5" || (format === undefined && ending !== "");
  await refuseExisting(path, force);
  await checkWritable([isFile ? path : join(path, "x")]);
  if (kind === "h5") {
    const { writeHlocFeatures } = await import("../formats/hloc.js");
    return writeFileAtomic(path, await writeHlocFeatures(features));
  }
  if (isFile) {
    if (features.size !== 1) {
      throw new OptionError(
        `${path} takes the features of one image, there are ${features.size}; name an .h5 file or a folder`,
      );
    }
    const [[name, one]] = features;
    return writeFileAtomic(path, await encodeFeatureFile(kind, one, name));
  }
  // Every name is looked at before the first file is written.
  const files = Array.from(features, ([name, one]) => ({
    name,
    one,
    path: pathBelow(path, name, formatRow(kind).endings[0]),
  }));
  const stage = await progress("", ["image", "images"], files.length);
  try {
    for (const [i, file] of files.entries()) {
      await writeBelow(file.path, await encodeFeatureFile(kind, file.one, file.name));
      stage.update(i + 1, i + 1);
    }
  } finally {
    stage.stop();
  }
}

/** By the ending: the first row of the table that has it. */
function formatOf(path: string, ending: string): FormatName {
  if (ending === "") return "npz";
  const name = FORMAT_NAMES.find((format) => formatRow(format).endings.includes(ending));
  if (name) return name;
  throw new OptionError(
    `${path}: features go to .h5 or .hdf5, to a folder, or of one image to ${PER_IMAGE_ENDINGS.join(", ")}`,
  );
}
