/**
 * The reference's result caches, `cache/METHOD.npy`: an array of three Python objects, two dictionaries threshold →
 * sum over pairs of the share of matches that are right (illumination, viewpoint), and the list [kind of each pair,
 * features of each image, matches of each pair]. They are pickles; the reader knows NumPy's names as data and no others.
 */
import { checkNumbers, checkObject, checkTexts, wrong } from "../check.js";
import { FormatError } from "../errors.js";
import { NumpyArray, readNpyObjects } from "./pickle/numpy.js";
import type { PickleValue } from "./pickle/values.js";
import {
  npyOfObjects,
  pickleDict,
  pickleFloat64,
  pickleInt64,
  pickleInt64Array,
  pickleList,
  pickleTextArray,
} from "./pickle/write.js";

/** What one cache holds. */
export interface HpatchesCache {
  /** Pixels, rising. */
  thresholds: number[];
  /** Sums over the pairs of that kind of the share of right matches, one per threshold. */
  illumination: number[];
  viewpoint: number[];
  /** Kind of each pair, in the order in which they were scored. */
  types: ("i" | "v")[];
  /** Keypoints of each image (six per sequence). */
  features: number[];
  /** Matches of each pair (five per sequence). */
  matches: number[];
}

/**
 * A cache out of the bytes of its file. FormatError for damage, for a pickle that asks for anything but NumPy's
 * arrays, and for sums that cannot be (above the number of pairs, falling with the threshold).
 */
export function readHpatchesCache(bytes: Uint8Array, where = "readHpatchesCache"): HpatchesCache {
  const { shape, items } = readNpyObjects(bytes, where);
  if (shape.length !== 1 || items.length !== 3) {
    throw new FormatError(`${where}: expected an array of three objects, got shape [${shape}]`);
  }
  const [illumination, viewpoint, counts] = items;
  const i = sumsOf(where, "illumination", illumination);
  const v = sumsOf(where, "viewpoint", viewpoint);
  if (`${i.thresholds}` !== `${v.thresholds}`) {
    throw new FormatError(`${where}: illumination has thresholds ${i.thresholds}, viewpoint ${v.thresholds}`);
  }
  if (!Array.isArray(counts) || counts.length !== 3) {
    throw new FormatError(`${where}: expected a list [types, features per image, matches per pair] as third object`);
  }
  const types = columnOf(where, "types", counts[0]).map((type) => {
    if (type !== "i" && type !== "v") throw new FormatError(`${where}: a pair's type must be "i" or "v"`);
    return type;
  });
  const cache = {
    thresholds: i.thresholds,
    illumination: i.sums,
    viewpoint: v.sums,
    types,
    features: wholesOf(where, "features per image", counts[1]),
    matches: wholesOf(where, "matches per pair", counts[2]),
  };
  return checkCache(where, cache);
}

/** The bytes of a cache file, as NumPy (1.10 and later, with allow_pickle) and the reference's notebooks read it. */
export function writeHpatchesCache(cache: HpatchesCache): Uint8Array {
  const where = "writeHpatchesCache";
  checkObject(where, "cache", cache);
  for (const name of ["thresholds", "illumination", "viewpoint", "features", "matches"] as const) {
    if (!Array.isArray(checkNumbers(where, name, cache[name])))
      throw wrong(where, name, "an array of numbers", cache[name]);
  }
  checkTexts(where, "types", cache.types);
  checkCache(where, cache);
  const sums = (values: readonly number[]) =>
    pickleDict(values.map((sum, k) => [pickleInt64(cache.thresholds[k]), pickleFloat64(sum)]));
  const counts = [pickleTextArray(cache.types), pickleInt64Array(cache.features), pickleInt64Array(cache.matches)];
  return npyOfObjects([sums(cache.illumination), sums(cache.viewpoint), pickleList(counts)]);
}

/** What holds for every cache, whether it was read or is to be written. */
function checkCache(where: string, cache: HpatchesCache): HpatchesCache {
  const { thresholds, types, features, matches } = cache;
  const pairs = types.length;
  if (pairs === 0) throw new FormatError(`${where}: there are no pairs`);
  if (matches.length !== pairs) throw new FormatError(`${where}: ${pairs} pairs, but ${matches.length} match counts`);
  // Six images and five pairs per sequence.
  if (5 * features.length !== 6 * pairs) {
    throw new FormatError(`${where}: ${pairs} pairs need ${(6 * pairs) / 5} images, there are ${features.length}`);
  }
  for (const [kind, name] of [
    ["i", "illumination"],
    ["v", "viewpoint"],
  ] as const) {
    const sums = cache[name];
    const most = types.filter((type) => type === kind).length;
    if (sums.length !== thresholds.length) throw new FormatError(`${where}: ${name} needs one sum per threshold`);
    for (const [k, sum] of sums.entries()) {
      // Sums of shares of one pair each; rounding may carry them a little over.
      if (!(sum >= 0 && sum <= most + 1e-6)) {
        throw new FormatError(`${where}: ${name} sums up to ${sum} at ${thresholds[k]} px over ${most} pairs`);
      }
      if (k > 0 && sum < sums[k - 1] - 1e-6) {
        throw new FormatError(`${where}: ${name} falls from ${thresholds[k - 1]} to ${thresholds[k]} px`);
      }
    }
  }
  return cache;
}

/** A dictionary threshold → sum, its keys whole numbers that rise. */
function sumsOf(where: string, name: string, value: PickleValue): { thresholds: number[]; sums: number[] } {
  if (!(value instanceof Map) || value.size === 0) {
    throw new FormatError(`${where}: expected a dictionary of sums by threshold for ${name}`);
  }
  const thresholds: number[] = [];
  const sums: number[] = [];
  for (const [threshold, sum] of value) {
    const rises = typeof threshold === "number" && Number.isInteger(threshold) && threshold > (thresholds.at(-1) ?? 0);
    if (!rises || typeof sum !== "number" || !Number.isFinite(sum)) {
      throw new FormatError(`${where}: ${name} must map rising whole thresholds to numbers`);
    }
    thresholds.push(threshold);
    sums.push(sum);
  }
  return { thresholds, sums };
}

/** Values of a flat array or list. */
function columnOf(where: string, name: string, value: PickleValue): unknown[] {
  if (value instanceof NumpyArray && value.shape.length === 1) return [...value.data];
  if (Array.isArray(value)) return value;
  throw new FormatError(`${where}: expected a flat array of ${name}`);
}

function wholesOf(where: string, name: string, value: PickleValue): number[] {
  return columnOf(where, name, value).map((entry) => {
    const count = typeof entry === "bigint" ? Number(entry) : entry;
    if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) return count;
    throw new FormatError(`${where}: ${name} must be whole numbers ≥ 0`);
  });
}
