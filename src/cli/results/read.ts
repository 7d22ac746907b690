/**
 * Features and matches of many images from whatever holds them: one HDF5 file in hloc's layout, a COLMAP database, or a
 * folder (or one file) of feature files as `strata extract` and others write them.
 */
import { readdir, stat } from "node:fs/promises";
import { basename, extname, join, sep } from "node:path";
import { FormatError, IoError, LimitError, OptionError, ShapeError, UnsupportedError } from "../../errors.js";
import { type DescriptorKind, describeDescriptors, type Features } from "../../features.js";
import { parseJson } from "../../formats/bytes.js";
import type { ImagePair } from "../../formats/colmap.js";
import { MissingImageSize } from "../../formats/feature-arrays.js";
import { isHdf5 } from "../../formats/hdf5.js";
import { isSqlite } from "../../formats/sqlite.js";
import { ioError, readFileChecked } from "../../node/atomic.js";
import { pathBelow } from "../../node/names.js";
import { decodePairs } from "../../node/pair-files.js";

export interface Results {
  /** By image name, in the order of the file. */
  features: Map<string, Features>;
  /** null: the source has none. */
  pairs: ImagePair[] | null;
}

export interface ReadOptions {
  /** Folder of the images, for files that do not say how large their images are. */
  images?: string;
  /** Of a database: the inliers of verified pairs instead of all matches. */
  verified?: boolean;
  /** What descriptors are, where the type of their numbers does not tell. */
  descriptorKind?: DescriptorKind;
  /**
   * What descriptors are wanted for: nothing ("unused": a database's are not even read), matching ("needed": every image
   * must have the same), or to be passed on as far as there are any (default).
   */
  descriptors?: "unused" | "needed";
}

/** Endings of feature files, one image each; the last two are npz files as R2D2 and D2-Net name theirs. */
const FEATURE_FILES = [".npz", ".mat", ".json", ".csv", ".txt", ".r2d2", ".d2-net"];
/** Lists of matches that may lie beside feature files. */
const LISTS = ["matches", "inliers", "pairs"];

/** The features (and matches) that `path` holds; at least one image. */
export async function readResults(path: string, options: ReadOptions): Promise<Results> {
  const results = await named(path, () => readAny(path, options));
  if (results.features.size === 0) throw new FormatError(`${path} holds no features`);
  if (options.descriptors === "needed") checkDescriptors(path, results.features);
  return results;
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

async function readAny(path: string, options: ReadOptions): Promise<Results> {
  const info = await stat(path).catch((cause) => {
    throw ioError("read", path, cause);
  });
  if (info.isDirectory()) return { features: await readFolder(path, options), pairs: null };
  const bytes = await readFileChecked(path);
  if (isSqlite(bytes)) return readDatabase(path, options);
  if (isHdf5(bytes)) return { features: await readHloc(path, bytes, options), pairs: null };
  if (!FEATURE_FILES.includes(extname(path).toLowerCase())) {
    throw new UnsupportedError(
      `${path} is no file of features: give an HDF5 file (hloc's layout), a COLMAP database, or files ending in ${FEATURE_FILES.join(", ")}`,
    );
  }
  const [name, features] = await readOne(path, basename(path), options);
  return { features: new Map([[name, features]]), pairs: null };
}

/** The matches of these features in a file: HDF5 (hloc's layout), .txt (COLMAP's list), .json (OpenCV's) or .csv. */
export function readMatches(path: string, features: ReadonlyMap<string, Features>): Promise<ImagePair[]> {
  return named(path, async () => {
    const pairs = await decodePairs(path, await readFileChecked(path), features.keys());
    for (const { name0, name1, count0 } of pairs) {
      const count = features.get(name0)?.count;
      if (count0 === undefined || count === count0) continue;
      throw new ShapeError(
        `the matches of "${name0}" and "${name1}" are of ${count0} keypoints, its features have ${count}; were they made of these features?`,
      );
    }
    return pairs;
  });
}

async function readDatabase(path: string, { verified = false, descriptors }: ReadOptions): Promise<Results> {
  const { loadColmapDatabase } = await import("../../node/colmap-database.js");
  const { databaseFeatures, databaseMatches } = await import("../../formats/colmap-results.js");
  const database = await loadColmapDatabase(path, { descriptors: descriptors !== "unused" });
  return { features: databaseFeatures(database), pairs: databaseMatches(database, { verified }) };
}

async function readHloc(path: string, bytes: Uint8Array, options: ReadOptions): Promise<Map<string, Features>> {
  const { listHlocImages, readHlocFeatures } = await import("../../formats/hloc.js");
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

async function readFolder(folder: string, options: ReadOptions): Promise<Map<string, Features>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause) => {
    throw ioError("read", folder, cause);
  });
  const files = entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, "/").length))
    .filter((file) => {
      const extension = extname(file).toLowerCase();
      return FEATURE_FILES.includes(extension) && !LISTS.includes(basename(file, extension));
    })
    .sort();
  if (files.length === 0) throw new IoError(`${folder} holds no feature files (${FEATURE_FILES.join(", ")})`);
  const found = new Map<string, Features>();
  for (const file of files) {
    const [name, features] = await readOne(join(folder, file), file, options);
    if (found.has(name)) throw new FormatError(`${join(folder, file)}: a second file of the image "${name}"`);
    found.set(name, features);
  }
  return found;
}

/** One image's file; its image's name is what the file says, else the file's without its ending. */
async function readOne(path: string, file: string, options: ReadOptions): Promise<[string, Features]> {
  const bytes = await readFileChecked(path);
  const extension = extname(file).toLowerCase();
  const plain = file.slice(0, -extension.length).replace(/\.strata$/, "");
  const name = plain.split(sep).join("/");
  return named(path, async () => {
    // Only asked for where the file does not say it.
    try {
      return await decode(path, bytes, extension, name, null, options);
    } catch (error) {
      if (!(error instanceof MissingImageSize)) throw error;
      return decode(path, bytes, extension, name, await sizeOf(path, name, options), options);
    }
  });
}

/** The name of the function that refused the bytes, which tells people nothing beside the file's name. */
const FUNCTION = /^(read|decode)[A-Z]\w*: /;

/** Runs `work`; what is wrong with the bytes is said with the file's name. */
async function named<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const kinds = [FormatError, ShapeError, LimitError, UnsupportedError];
    const Kind = kinds.find((kind) => error instanceof kind);
    if (!Kind || (error as Error).message.includes(path)) throw error;
    throw new Kind(`${path}: ${(error as Error).message.replace(FUNCTION, "")}`, { cause: error });
  }
}

async function decode(
  path: string,
  bytes: Uint8Array,
  extension: string,
  name: string,
  imageSize: [number, number] | null,
  { descriptorKind: kind = null }: { descriptorKind?: DescriptorKind | null },
): Promise<[string, Features]> {
  if (extension === ".csv") {
    return [name, (await import("../../formats/csv.js")).readFeaturesCsv(bytes, imageSize, kind)];
  }
  if (extension === ".txt") {
    const { colmapFeatures, readColmapFeatures } = await import("../../formats/colmap.js");
    const read = readColmapFeatures(bytes);
    // COLMAP's text has no place for it.
    if (!imageSize) throw new MissingImageSize(path);
    return [name, colmapFeatures(read, imageSize)];
  }
  if (extension === ".json" && !isKeypointsJson(parseJson(path, bytes))) {
    return [name, (await import("../../formats/opencv-json.js")).readOpenCvFeatures(bytes, imageSize, kind)];
  }
  const { decodeRecord } = await import("../../formats/record.js");
  const format = extension === ".mat" || extension === ".json" ? (extension.slice(1) as "mat" | "json") : "npz";
  const { features, provenance } = decodeRecord(format, bytes, { where: path, imageSize, kind });
  const { image } = (provenance ?? {}) as { image?: unknown };
  return [typeof image === "string" && image !== "" ? image : name, features];
}

function isKeypointsJson(value: unknown): boolean {
  return typeof value === "object" && value !== null && "format" in value;
}

/** The size of the image that a file of features is of, as it is shown. */
async function sizeOf(path: string, name: string, { images }: ReadOptions): Promise<[number, number]> {
  if (images === undefined) {
    throw new OptionError(`${path} does not say how large the image "${name}" is: give --images FOLDER`);
  }
  const { readImageSize } = await import("../../node/images.js");
  const image = pathBelow(images, name);
  const { width, height, orientation } = await readImageSize(image).catch((cause: Error) => {
    throw new IoError(
      `${path} does not say how large the image "${name}" is, and --images ${images} does not tell: ${cause.message}`,
      { cause },
    );
  });
  // EXIF's 5 to 8 turn the image by a quarter.
  return orientation >= 5 ? [height, width] : [width, height];
}
