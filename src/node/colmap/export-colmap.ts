/** Features and matches to a COLMAP database, or to the text files that COLMAP imports. */

import { extname, join } from "node:path";
import { untilAborted } from "../../abort.js";
import { checkFlag, checkMap, checkNumbers, checkObject } from "../../check.js";
import { OptionError } from "../../errors.js";
import { describeDescriptors, type Features } from "../../features.js";
import type { ImagePair } from "../../formats/colmap.js";
import type { CameraModelName } from "../../formats/colmap-cameras.js";
import type { ColmapDatabase, ColmapVersion } from "../../formats/colmap-database-parts.js";
import type { CAMERA_MODES, Verification, VerifiedPair } from "../../formats/colmap-results.js";
import { checkNumber } from "../../options.js";
import { checkPeer } from "../../peers.js";
import { checkPath } from "../atomic.js";
import type { FeatureFileOptions } from "../feature-file.js";
import { type LoadedFeatures, loadFeatures } from "../features-files.js";
import { checkWritable } from "../folders.js";
import { refuseExisting } from "../overwriting.js";
import { loadPairs } from "../pair-files.js";
import { type OpenStage, silentStage } from "../stage.js";
import { type VerifyProgress, verifyMany } from "../verify-many.js";
import { writeBelow } from "../write-below.js";
import { checkImages } from "./check-images.js";
import { siftPairs } from "./sift-pairs.js";
import { pairList, writeText } from "./text-files.js";

/** With `images`, it is also checked that COLMAP will find them there, as large as the features say. */
export interface ExportColmapOptions extends FeatureFileOptions {
  /** File of matches: hloc's HDF5, .txt, .json or .csv; default: those that come with the features, if any. */
  matches?: string;
  /** Drop matches with a lower score; default: none. */
  minScore?: number;
  /** What counts as verified: nothing ("none", default), a homography of at least 15 inliers, or all matches as they are. */
  verify?: Verification;
  /** Largest error of a homography's inlier in pixels; default 3. */
  threshold?: number;
  /** Of the estimation; default 0. */
  seed?: number;
  /** Which images share a camera; default "per-image". */
  cameraMode?: (typeof CAMERA_MODES)[number];
  /** Default "SIMPLE_RADIAL". */
  cameraModel?: CameraModelName;
  /** Parameters of the model; default: a focal length of 1.2 × the longer edge, marked as a guess. */
  cameraParams?: readonly number[];
  /** Of a database: whether descriptors go in; default true. */
  descriptors?: boolean;
  /** Layout of the database; default "3.8". */
  colmap?: ColmapVersion;
  /** Write over what is there; default false: an OptionError. */
  force?: boolean;
  /** Shows where the verification is. */
  progress?: OpenStage;
  /** Told before the first pair that is verified, and after each: what is verified is kept beside `out` if the call is stopped. */
  onVerified?(progress: VerifyProgress): void;
  /** Aborting before anything is written ends the call with the signal's reason. */
  signal?: AbortSignal;
}

/** What exportColmap wrote. */
export interface ExportColmapResult {
  images: number;
  keypoints: number;
  pairs: number;
  matches: number;
  verify: Verification;
  verifiedPairs: number;
  inliers: number;
  /** Files and folders that were written. */
  outputs: string[];
  /** Sentences on what the reader should know. */
  notes: string[];
}

const DATABASE = [".db", ".sqlite", ".sqlite3"];

/** COLMAP's own least number of inliers (its `min_num_inliers`). */
const MIN_INLIERS = 15;

/**
 * Writes features (those of `loadFeatures`, or what it reads from a path) and their matches for COLMAP: `out` names a
 * database (.db, .sqlite, .sqlite3) or, without an ending, a folder of text files. OptionError for a wrong request,
 * FormatError and ShapeError for matches and images that are not of these features.
 */
export async function exportColmap(
  input: string | LoadedFeatures,
  out: string,
  options: ExportColmapOptions = {},
): Promise<ExportColmapResult> {
  checkArguments(input, out, options);
  const { images, descriptorKind, minScore, force, verify = "none", descriptors = true, signal } = options;
  const toDatabase = isDatabasePath(out);
  if (!toDatabase && !descriptors) {
    throw new OptionError("--no-descriptors is for a database; COLMAP's feature files have descriptors in any case");
  }
  if (!toDatabase && (options.colmap ?? "3.8") !== "3.8") {
    throw new OptionError("--colmap is for a database; COLMAP's feature files are the same for every version");
  }
  await refuseExisting(out, force);
  const notes: string[] = [];
  const reading = { images, descriptorKind, ...(!descriptors && { descriptors: "unused" as const }) };
  const { features, pairs: own } =
    typeof input === "string" ? await untilAborted(loadFeatures(input, reading), signal) : input;
  const given = options.matches === undefined ? own : await loadPairs(options.matches, features);
  if (images !== undefined) await checkImages(features, images, notes);
  const pairs = siftPairs(given ?? [], features, minScore, notes);
  if (toDatabase) checkPeer("sql.js");
  // Folders are made only now that the input is known to be good.
  await checkWritable([toDatabase ? out : join(out, "matches.txt")]);
  return verifyPairs(pairs, features, out, options, async (verified) => {
    signal?.throwIfAborted();
    const outputs = toDatabase
      ? await writeDatabase(features, verified, out, options, notes)
      : await writeText(features, verified, out);
    if (given === null) {
      notes.push("there are no matches: give --matches (`strata match-features` makes them), or let COLMAP match");
    }
    return { ...countsOf(features, verified), verify, outputs, notes };
  });
}

/** By its ending: a database, or (without any) a folder. */
export function isDatabasePath(out: string): boolean {
  const extension = extname(out).toLowerCase();
  if (extension !== "" && !DATABASE.includes(extension)) {
    throw new OptionError(`--out ${out}: name a database (${DATABASE.join(", ")}) or a folder without an ending`);
  }
  return extension !== "";
}

/** What `write` makes of the pairs, each with what verified it. */
async function verifyPairs<T>(
  pairs: readonly ImagePair[],
  features: ReadonlyMap<string, Features>,
  out: string,
  { verify = "none", threshold = 3, seed = 0, progress = silentStage, onVerified, signal }: ExportColmapOptions,
  write: (verified: VerifiedPair[]) => Promise<T>,
): Promise<T> {
  if (verify === "none") return write([...pairs]);
  if (verify === "all") return write(pairs.map((pair) => ({ ...pair, verified: null })));
  const stage = await progress("verified: ", ["pair", "pairs"], pairs.length);
  try {
    return await verifyMany(features, pairs, out, write, {
      homography: { threshold, seed, minInliers: MIN_INLIERS },
      signal,
      onProgress(now) {
        stage.update(now.verified + now.skipped, now.verified);
        onVerified?.(now);
      },
    });
  } finally {
    stage.stop();
  }
}

async function writeDatabase(
  features: ReadonlyMap<string, Features>,
  pairs: readonly VerifiedPair[],
  out: string,
  { cameraMode, cameraModel, cameraParams, descriptors = true, colmap = "3.8" }: ExportColmapOptions,
  notes: string[],
): Promise<string[]> {
  const { saveColmapDatabase } = await import("../colmap-database.js");
  const { toColmapDatabase } = await import("../../formats/colmap-results.js");
  const database = toColmapDatabase(features, pairs, {
    cameraMode: cameraMode ?? "per-image",
    model: cameraModel ?? "SIMPLE_RADIAL",
    params: cameraParams ?? null,
    descriptors,
    colmap,
  });
  if (descriptors) notes.push(...leftOut(features, database));
  await saveColmapDatabase(out, database, { colmap });
  const list = pairs.length === 0 ? null : pairList(pairs);
  if (pairs.length > 0 && list === null) notes.push("no list of pairs is written: an image's name has white space");
  if (list === null) return [out];
  const path = `${out.slice(0, -extname(out).length)}.pairs.txt`;
  await writeBelow(path, list);
  return [out, path];
}

/** What is worth saying of descriptors that did not go in. */
function leftOut(features: ReadonlyMap<string, Features>, { images }: ColmapDatabase): string[] {
  const notes = new Set<string>();
  for (const { name, descriptors } of images) {
    const one = features.get(name);
    if (descriptors || !one?.count) continue;
    const what = describeDescriptors(one);
    if (one.dim === 0) notes.add("there are no descriptors: COLMAP cannot match by itself");
    else if (one.kind === "binary") notes.add(`descriptors are left out: COLMAP has no place for bits (${what})`);
    else
      notes.add(
        `descriptors are left out: COLMAP 3.8's 128 bytes hold 64 floats (or 128 that are not negative), not ${what}; --colmap 4 holds them`,
      );
  }
  return [...notes];
}

function countsOf(features: ReadonlyMap<string, Features>, pairs: readonly VerifiedPair[]) {
  const sum = (counts: number[]): number => counts.reduce((a, b) => a + b, 0);
  const held = pairs.filter((pair) => pair.verified === null || pair.verified?.matrix);
  return {
    images: features.size,
    keypoints: sum([...features.values()].map(({ count }) => count)),
    pairs: pairs.length,
    matches: sum(pairs.map(({ matches }) => matches.count)),
    verifiedPairs: held.length,
    inliers: sum(held.map(({ matches, verified: by }) => by?.inliers.length ?? matches.count)),
  };
}

function checkArguments(input: string | LoadedFeatures, out: string, options: ExportColmapOptions): void {
  const where = "exportColmap";
  if (typeof input === "string") checkPath(`${where}: input`, input);
  else checkMap(where, "input.features", checkObject(where, "input", input).features);
  checkPath(`${where}: out`, out);
  checkObject(where, "options", options);
  const { matches, minScore, threshold, seed, cameraParams, descriptors, force } = options;
  if (matches !== undefined) checkPath(`${where}: matches`, matches);
  if (minScore !== undefined) checkNumber(where, "minScore", minScore);
  if (threshold !== undefined) checkNumber(where, "threshold", threshold, { min: 0 });
  if (seed !== undefined) checkNumber(where, "seed", seed, { min: 0, integer: true });
  if (cameraParams !== undefined) checkNumbers(where, "cameraParams", cameraParams);
  for (const [name, flag] of Object.entries({ descriptors, force }))
    if (flag !== undefined) checkFlag(where, name, flag);
}
