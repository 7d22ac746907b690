/** Files of the matches of many pairs: read, checked before any work, and written pair by pair. The ending says the format. */

import { createHash } from "node:crypto";
import { extname } from "node:path";
import { checkIterable, checkMap } from "../check.js";
import { LimitError, OptionError, ShapeError, UnsupportedError } from "../errors.js";
import type { Features } from "../features.js";
import { encodeUtf8 } from "../formats/bytes.js";
import type { ImagePair } from "../formats/colmap.js";
import { isHdf5 } from "../formats/hdf5.js";
import { checkPeer } from "../peers.js";
import { checkPath, readFileChecked, writeFileAtomic } from "./atomic.js";
import { named } from "./name-errors.js";

/** Endings of files of matches: hloc's HDF5 (both), COLMAP's list, OpenCV's JSON, CSV with positions. */
export const PAIR_FILES = [".h5", ".hdf5", ".txt", ".json", ".csv"];

const endingOf = (path: string): string => extname(path).toLowerCase();

/** Endings of HDF5, which another package writes. */
const HDF5_FILES = PAIR_FILES.slice(0, 2);

/**
 * Before any work: an OptionError for a file of matches whose ending is not offered, an UnsupportedError where the package
 * that writes it is missing; `what` names it in the message.
 */
export function checkPairFile(what: string, path: string): void {
  if (!PAIR_FILES.includes(endingOf(path))) {
    throw new OptionError(`${what} ${path}: its ending must be one of ${PAIR_FILES.join(", ")}`);
  }
  if (HDF5_FILES.includes(endingOf(path))) checkPeer("h5wasm");
}

/** An HDF5 file is made in memory, and files above 2 GiB are neither written nor read at once. */
const HDF5_LIMIT = 1.9 * 2 ** 30;
/** Bytes of a pair in hloc's layout beside its arrays (780 were measured), and of each keypoint of its first image. */
const HDF5_PAIR = 800;
const HDF5_KEYPOINT = 8;

/**
 * Looks at what would go wrong in the end: an OptionError for names that the format cannot hold or tell apart, a LimitError
 * for more pairs than one HDF5 file takes.
 */
export async function checkPairs(
  path: string,
  pairs: Iterable<readonly [name0: string, name1: string]>,
  features: ReadonlyMap<string, Features>,
): Promise<void> {
  const used = new Set<string>();
  let bytes = 0;
  for (const [name0, name1] of pairs) {
    used.add(name0).add(name1);
    bytes += HDF5_PAIR + HDF5_KEYPOINT * (features.get(name0)?.count ?? 0);
  }
  switch (endingOf(path)) {
    case ".txt": {
      const { checkColmapName } = await import("../formats/colmap.js");
      for (const name of used) checkColmapName(path, name);
      return;
    }
    case ".json":
    case ".csv":
      return;
  }
  const { checkHlocMatchNames } = await import("../formats/hloc.js");
  checkHlocMatchNames(path, features.keys(), used);
  if (bytes <= HDF5_LIMIT) return;
  throw new LimitError(
    `${path} would have ${(bytes / 2 ** 30).toFixed(1)} GiB, more than the ${(HDF5_LIMIT / 2 ** 30).toFixed(1)} GiB that one ` +
      "HDF5 file can have here; split the pairs over several files, or write .txt or .csv",
  );
}

/** Writes the matches of `features`, whole or not at all; the SHA-256 of the file. Pairs are asked for one by one. */
export async function savePairs(
  path: string,
  pairs: Iterable<ImagePair>,
  features: ReadonlyMap<string, Features>,
): Promise<string> {
  checkPath("savePairs", path);
  checkIterable("savePairs", "pairs", pairs);
  checkMap("savePairs", "features", features);
  const hash = createHash("sha256");
  const content = await encode(path, pairs, features);
  function* hashed(): Generator<Uint8Array> {
    for (const chunk of content) {
      hash.update(chunk);
      yield chunk;
    }
  }
  await writeFileAtomic(path, hashed());
  return hash.digest("hex");
}

/** The SHA-256 of what `savePairs` would write. */
export async function digestPairs(
  path: string,
  pairs: Iterable<ImagePair>,
  features: ReadonlyMap<string, Features>,
): Promise<string> {
  const hash = createHash("sha256");
  for (const chunk of await encode(path, pairs, features)) hash.update(chunk);
  return hash.digest("hex");
}

async function encode(
  path: string,
  pairs: Iterable<ImagePair>,
  features: ReadonlyMap<string, Features>,
): Promise<Iterable<Uint8Array>> {
  switch (endingOf(path)) {
    case ".txt":
      return batches((await import("../formats/colmap.js")).colmapMatchText(pairs));
    case ".json":
      return batches((await import("../formats/opencv-json.js")).openCvMatchesText(withBits(pairs, features)));
    case ".csv":
      return batches((await import("../formats/csv.js")).matchesCsvText(pairs, features));
    default: {
      const { writeHlocMatches } = await import("../formats/hloc.js");
      return [await writeHlocMatches(withCounts(pairs, features))];
    }
  }
}

function* withCounts(pairs: Iterable<ImagePair>, features: ReadonlyMap<string, Features>) {
  for (const pair of pairs) yield { ...pair, count0: features.get(pair.name0)?.count ?? 0 };
}

/** With how many bits a descriptor has, for distances that are Hamming's. */
function* withBits(pairs: Iterable<ImagePair>, features: ReadonlyMap<string, Features>) {
  for (const pair of pairs) {
    const { kind, dim = 0 } = features.get(pair.name0) ?? {};
    yield kind === "binary" ? { ...pair, bits: 8 * dim } : pair;
  }
}

/** Characters that are written at once. */
const BATCH = 2 ** 16;

function* batches(texts: Iterable<string>): Generator<Uint8Array> {
  let waiting: string[] = [];
  let length = 0;
  for (const text of texts) {
    waiting.push(text);
    length += text.length;
    if (length < BATCH) continue;
    yield encodeUtf8(waiting.join(""));
    [waiting, length] = [[], 0];
  }
  yield encodeUtf8(waiting.join(""));
}

/**
 * The matches of the images `names` in the bytes of a file: HDF5 whatever it is called, else by the ending of `path`. With
 * hloc's HDF5 comes the number of keypoints of each pair's first image.
 */
export async function decodePairs(
  path: string,
  bytes: Uint8Array,
  names: Iterable<string>,
): Promise<(ImagePair & { count0?: number })[]> {
  if (isHdf5(bytes)) {
    const { readHlocMatches } = await import("../formats/hloc.js");
    return readHlocMatches(bytes, { names });
  }
  switch (endingOf(path)) {
    case ".txt":
      return (await import("../formats/colmap.js")).readColmapMatches(bytes);
    case ".json":
      return (await import("../formats/opencv-json.js")).readOpenCvMatches(bytes);
    case ".csv":
      return (await import("../formats/csv.js")).readMatchesCsv(bytes);
    default:
      throw new UnsupportedError(`${path} is no file of matches: give HDF5 (hloc's layout), .txt, .json or .csv`);
  }
}

/** The matches of these features in a file: HDF5 (hloc's layout), .txt (COLMAP's list), .json (OpenCV's) or .csv. */
export async function loadPairs(path: string, features: ReadonlyMap<string, Features>): Promise<ImagePair[]> {
  checkPath("loadPairs", path);
  checkMap("loadPairs", "features", features);
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
