/** Writing features and matches of many images: where they go, in which format, and that nothing is lost on the way. */
import { readdir, stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { OptionError } from "../../errors.js";
import type { Features } from "../../features.js";
import type { ImagePair } from "../../formats/colmap.js";
import { writeFileAtomic } from "../../node/atomic.js";
import { makeFolder } from "../../node/folders.js";

/** Endings of files of matches. */
export const MATCH_FILES = [".h5", ".hdf5", ".txt", ".json", ".csv"];

/** An OptionError for a path that is taken (an empty folder is not), unless `force`. */
export async function refuseExisting(path: string, force = false): Promise<void> {
  if (force) return;
  const there = await stat(path).catch(() => undefined);
  const isEmpty = there?.isDirectory() && (await readdir(path)).length === 0;
  if (there && !isEmpty) throw new OptionError(`${path} is there already; --force writes over it`);
}

/** Writes a file below a folder that is made for it; whole or not at all. */
export async function writeBelow(path: string, content: Uint8Array): Promise<void> {
  await makeFolder(path.slice(0, -basename(path).length) || ".");
  await writeFileAtomic(path, content);
}

/** An OptionError for a file of matches whose ending is not offered. */
export function checkMatchFile(flag: string, path: string): void {
  if (!MATCH_FILES.includes(extname(path).toLowerCase())) {
    throw new OptionError(`${flag} ${path}: its ending must be one of ${MATCH_FILES.join(", ")}`);
  }
}

/** The bytes of a file of matches, by its ending: hloc's HDF5, COLMAP's list, OpenCV's JSON, or CSV with positions. */
export async function encodeMatches(
  path: string,
  pairs: readonly ImagePair[],
  features: ReadonlyMap<string, Features>,
): Promise<Uint8Array> {
  switch (extname(path).toLowerCase()) {
    case ".txt":
      return (await import("../../formats/colmap.js")).writeColmapMatches(pairs);
    case ".json":
      return (await import("../../formats/opencv-json.js")).writeOpenCvMatches(
        pairs.map((pair) => ({ ...pair, ...bitsOf(features.get(pair.name0)) })),
      );
    case ".csv":
      return (await import("../../formats/csv.js")).writeMatchesCsv(pairs, features);
    default: {
      const { writeHlocMatches } = await import("../../formats/hloc.js");
      return writeHlocMatches(pairs.map((pair) => ({ ...pair, count0: features.get(pair.name0)?.count ?? 0 })));
    }
  }
}

/** How many bits a descriptor has, for distances that are Hamming's. */
function bitsOf(features: Features | undefined): { bits?: number } {
  return features?.kind === "binary" ? { bits: 8 * features.dim } : {};
}
