/**
 * Features and matches in hloc's HDF5 layout, which LightGlue, hloc and pycolmap's tools read.
 *
 * Features: one group per image, named by its path (slashes make nested groups), with `keypoints` [N, 2], `scores` [N],
 * `descriptors` [D, N] (transposed), `image_size` [2]; ours adds `levels` [N] where there are any, and the command line
 * the attribute `strata`, the JSON text of how they were made. Files without scores or descriptors are read (scores are
 * 1 then), as pipelines keep them once matches are made. hloc's pixel centres lie on integers as ours do. It may write
 * float16; float32 is written here and both are read.
 * Matches: one group `NAME0/NAME1` per pair, with slashes in the names turned into "-", `matches0` [N0] (index in
 * image 1 or −1) and `matching_scores0` [N0]. Older files join the two names by "_" in one group.
 */
import { checkIterable, checkList, checkMap, checkText, checkTexts, wrong } from "../check.js";
import { FormatError, OptionError, ShapeError } from "../errors.js";
import type { DescriptorKind, Features, Matches } from "../features.js";
import { withDefaults } from "../options.js";
import { encodeUtf8, parseJson } from "./bytes.js";
import { checkedPairs, type ImagePair } from "./colmap.js";
import { arraysToFeatures, FEATURE_ARRAYS, featuresToArrays } from "./feature-arrays.js";
import { createHdf5, openHdf5 } from "./hdf5.js";
import type { Hdf5File } from "./hdf5-file.js";
import { HLOC_PROVENANCE, readHlocGroup, writeHlocGroup } from "./hloc-group.js";
import { type NdArray, toColumnMajor, toFloat32 } from "./ndarray.js";
import type { Provenance } from "./record.js";
import { DEFAULT_UNPACK_LIMIT } from "./zip.js";

/** A pair's matches and the number of keypoints of its first image, which the layout needs. */
export interface HlocPair extends ImagePair {
  count0: number;
}

/** What an HDF5 file is added to. */
export interface WriteHlocOptions {
  /** A file to add to, e.g. what an interrupted run left; default null: a new one. */
  base: Uint8Array | null;
  /** About how many bytes the file will have, so that memory is taken once; default 0: not known. */
  expectedBytes: number;
}

/** Limits of reading HDF5. */
export interface ReadHlocOptions {
  /** Most bytes of arrays in all; default 2 GiB. */
  limit: number;
}

/** What an HDF5 file of features does not say itself. */
export interface ReadHlocFeaturesOptions extends ReadHlocOptions {
  /** [width, height] by image name, for files that do not say (`image_size`); default none: such a file is refused. */
  imageSizes: ReadonlyMap<string, [number, number]>;
  /** What the descriptors are, where their type does not tell, as in `ReadFeaturesOptions`; default null. */
  kind: DescriptorKind | null;
  /** Whether descriptors of floats are brought to length 1; default true. */
  normalize: boolean;
}

/** Names and limits for reading matches. */
export interface ReadHlocMatchesOptions extends ReadHlocOptions {
  /**
   * Names of the images, as the features have them. With them the names of pairs come back whole (the file has "-" for
   * "/") and older files are read; a pair of other images is an error. Default null: names as stored.
   */
  names: Iterable<string> | null;
}

/** A name, its features and, where it is given, how they were made: an attribute of the image's group. */
export type HlocEntry = readonly [name: string, features: Features, provenance?: Provenance];

/**
 * An HDF5 file of the features of many images. OptionError for a name that is given twice, is in `base` already, or has
 * empty or "." parts (also an absolute path).
 */
export async function writeHlocFeatures(
  entries: Iterable<HlocEntry> | AsyncIterable<HlocEntry>,
  options: Partial<WriteHlocOptions> = {},
): Promise<Uint8Array> {
  const where = "writeHlocFeatures";
  const { base, expectedBytes } = withDefaults<WriteHlocOptions>(where, { base: null, expectedBytes: 0 }, options);
  checkIterable(where, "entries", entries);
  const fill = async (file: Hdf5File): Promise<void> => {
    for await (const entry of entries) {
      const [name, features, provenance] = checkList(where, "an entry", entry) as unknown as HlocEntry;
      checkText(where, "an image's name", name);
      checkImageName(where, name);
      const arrays = featuresToArrays(features, false);
      if (arrays.descriptors) arrays.descriptors = transposed(arrays.descriptors);
      writeHlocGroup(file, name, arrays);
      if (provenance) file.writeText(name, HLOC_PROVENANCE, JSON.stringify(provenance));
    }
  };
  return createHdf5(where, base, fill, expectedBytes);
}

/** The features of every image in such a file, by image name, in the file's order. */
export async function readHlocFeatures(
  bytes: Uint8Array,
  options: Partial<ReadHlocFeaturesOptions> = {},
): Promise<Map<string, Features>> {
  const where = "readHlocFeatures";
  const defaults: ReadHlocFeaturesOptions = {
    limit: DEFAULT_UNPACK_LIMIT,
    imageSizes: new Map(),
    kind: null,
    normalize: true,
  };
  const { limit, imageSizes, kind, normalize } = withDefaults(where, defaults, options);
  checkMap(where, "imageSizes", imageSizes);
  return openHdf5(where, bytes, limit, (file) => {
    const images = new Map<string, Features>();
    file.visit((name, datasets) => {
      if (!datasets.includes("keypoints")) return;
      const arrays = readHlocGroup(file, name, datasets);
      if (arrays.descriptors?.shape.length === 2) arrays.descriptors = transposed(arrays.descriptors);
      images.set(
        name,
        arraysToFeatures(`${where}: "${name}"`, arrays, { imageSize: imageSizes.get(name), kind, normalize }),
      );
    });
    return images;
  });
}

/** What a file holds, without its numbers. */
export interface HlocInventory {
  /** How each image's features were made; null where the file does not say. */
  images: Map<string, unknown>;
  /** Paths of everything else in it, which `readHlocFeatures` leaves out. */
  others: string[];
}

/** What is in such a file: the images with their provenance, and whatever is no features of ours. */
export async function inspectHloc(bytes: Uint8Array): Promise<HlocInventory> {
  const where = "inspectHloc";
  const known: readonly string[] = FEATURE_ARRAYS;
  return openHdf5(where, bytes, 0, (file) => {
    const images = new Map<string, unknown>();
    const others = file.rootDatasets();
    file.visit((name, datasets) => {
      const isImage = datasets.includes("keypoints");
      others.push(
        ...datasets.filter((dataset) => !isImage || !known.includes(dataset)).map((dataset) => `${name}/${dataset}`),
      );
      if (!isImage) return;
      const text = file.readText(name, HLOC_PROVENANCE);
      images.set(name, text === null ? null : parseJson(`${where}: "${name}"`, encodeUtf8(text)));
    });
    return { images, others };
  });
}

/** Names of the images in such a file, without reading their features. */
export async function listHlocImages(bytes: Uint8Array): Promise<string[]> {
  return openHdf5("listHlocImages", bytes, 0, (file) => {
    const names: string[] = [];
    file.visit((name, datasets) => {
      if (datasets.includes("keypoints")) names.push(name);
    });
    return names;
  });
}

/** What an image is called in a file of matches, where a slash parts the two names of a pair. */
const storedName = (name: string): string => name.replaceAll("/", "-");

/**
 * An OptionError where matches of the images `used` could not be told apart in such a file: names may differ in "/" and
 * "-" only ("a-b" and "a/b"). `names` are all images that the file's readers know, those of its features.
 */
export function checkHlocMatchNames(where: string, names: Iterable<string>, used: Iterable<string>): void {
  const owners = new Map<string, string[]>();
  for (const name of names) {
    const stored = storedName(name);
    owners.set(stored, [...(owners.get(stored) ?? []), name]);
  }
  for (const name of used) {
    checkImageName(where, name);
    const other = owners.get(storedName(name))?.find((owner) => owner !== name);
    if (other === undefined) continue;
    throw new OptionError(
      `${where}: the images "${name}" and "${other}" would both be called "${storedName(name)}" in hloc's layout of ` +
        'matches, which has "-" for "/"; rename one, or write .txt, .json or .csv',
    );
  }
}

/** An HDF5 file of matches. ShapeError when an index does not fit or a keypoint of image 0 has two matches. */
export async function writeHlocMatches(pairs: Iterable<HlocPair>): Promise<Uint8Array> {
  const where = "writeHlocMatches";
  return createHdf5(where, null, (file) => {
    for (const { name0, name1, count0, matches } of checkedPairs(where, pairs)) {
      if (!Number.isSafeInteger(count0) || count0 < 0) throw wrong(where, "count0", "a whole number ≥ 0", count0);
      checkImageName(where, name0);
      checkImageName(where, name1);
      const name = `${storedName(name0)}/${storedName(name1)}`;
      const partner = new Int32Array(count0).fill(-1);
      const scores = new Float32Array(count0);
      for (let k = 0; k < matches.count; k++) {
        const [i, j] = [matches.pairs[2 * k], matches.pairs[2 * k + 1]];
        if (!(i < count0) || partner[i] >= 0) {
          throw new ShapeError(`${where}: "${name}": match ${k} is of keypoint ${i}: ${count0} there, one match each`);
        }
        partner[i] = j;
        scores[i] = matches.scores[k];
      }
      writeHlocGroup(file, name, {
        matches0: { dtype: "int32", shape: [count0], data: partner },
        matching_scores0: { dtype: "float32", shape: [count0], data: scores },
      });
    }
  });
}

/** The pairs of such a file, named as `names` says. FormatError for a pair that they do not name. */
export async function readHlocMatches(
  bytes: Uint8Array,
  options: Partial<ReadHlocMatchesOptions> = {},
): Promise<HlocPair[]> {
  const where = "readHlocMatches";
  const defaults: ReadHlocMatchesOptions = { limit: DEFAULT_UNPACK_LIMIT, names: null };
  const { limit, names } = withDefaults(where, defaults, options);
  if (names !== null) checkIterable(where, "names", names);
  const known = names && checkTexts(where, "names", [...names]);
  const namesOf = known ? knownNames(where, known) : storedNames(where);
  return openHdf5(where, bytes, limit, (file) => {
    const pairs: HlocPair[] = [];
    file.visit((name, datasets) => {
      if (!datasets.includes("matches0")) return;
      const [name0, name1] = namesOf(name);
      const partner = file.read(`${name}/matches0`);
      const scores = datasets.includes("matching_scores0") ? file.read(`${name}/matching_scores0`) : null;
      pairs.push({
        name0,
        name1,
        count0: partner.data.length,
        matches: matchesOf(`${where}: "${name}"`, partner, scores),
      });
    });
    return pairs;
  });
}

type NamesOf = (pair: string) => readonly [string, string];

function storedNames(where: string): NamesOf {
  return (pair) => {
    const [name0, name1, ...more] = pair.split("/");
    if (name1 === undefined || more.length > 0) throw new FormatError(`${where}: "${pair}" does not name a pair`);
    return [name0, name1];
  };
}

/** The two of `names` that a pair's group is called after. */
function knownNames(where: string, names: Iterable<string>): NamesOf {
  const whole = new Map<string, string>();
  const twice = new Set<string>();
  for (const name of names) {
    const stored = storedName(name);
    if (whole.has(stored)) twice.add(stored);
    whole.set(stored, name);
  }
  return (pair) => {
    // Every place where the two names may join: the slash, or in older files one of the underscores.
    const joints = pair.includes("/") ? /\//g : /_/g;
    const found: [string, string][] = [];
    for (const { index } of pair.matchAll(joints)) {
      const [a, b] = [pair.slice(0, index), pair.slice(index + 1)];
      const [name0, name1] = [whole.get(a), whole.get(b)];
      if (name0 === undefined || name1 === undefined) continue;
      if (twice.has(a) || twice.has(b)) {
        throw new FormatError(`${where}: "${pair}" may mean several images, whose names differ in "/" and "-" only`);
      }
      found.push([name0, name1]);
    }
    if (found.length === 1) return found[0];
    const reason = found.length > 1 ? "can be read in several ways" : "names an image that has no features";
    const some = [...whole.values()].slice(0, 3).join(", ");
    throw new FormatError(
      `${where}: the pair "${pair}" ${reason}; there are ${whole.size} images: ${some || "none"}, …`,
    );
  };
}

/** [N, D] ↔ [D, N]. */
function transposed({ dtype, shape: [rows, columns], data }: NdArray): NdArray {
  // Column-major [N, D] and row-major [D, N] are the same bytes.
  return { dtype, shape: [columns, rows], data: toColumnMajor(data, [rows, columns], dtype) };
}

function matchesOf(where: string, partner: NdArray, scores: NdArray | null): Matches {
  if (partner.shape.length !== 1 || (scores && scores.data.length !== partner.data.length)) {
    throw new FormatError(`${where}: matches0 and matching_scores0 must be flat and equally long`);
  }
  const values = scores && toFloat32(scores);
  const pairs: number[] = [];
  const kept: number[] = [];
  for (const [i, value] of partner.data.entries()) {
    const j = Number(value);
    if (j < 0) continue;
    if (!Number.isInteger(j) || j > 0xffffffff) throw new FormatError(`${where}: matches0[${i}] is ${j}`);
    pairs.push(i, j);
    kept.push(values ? values[i] : 1);
  }
  return { count: kept.length, pairs: Uint32Array.from(pairs), scores: Float32Array.from(kept) };
}

function checkImageName(where: string, name: string): void {
  if (name.includes("\0") || name.split("/").some((part) => part === "" || part === ".")) {
    throw new OptionError(`${where}: the image name "${name}" must be a relative path without empty or "." parts`);
  }
}
