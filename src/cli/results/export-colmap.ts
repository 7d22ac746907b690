/** `strata export-colmap`: features and matches to a COLMAP database, or to the text files that COLMAP imports. */
import { extname, join } from "node:path";
import { FormatError, OptionError, ShapeError } from "../../errors.js";
import { type DescriptorKind, describeDescriptors, type Features } from "../../features.js";
import type { ImagePair } from "../../formats/colmap.js";
import type { CameraModelName } from "../../formats/colmap-cameras.js";
import type { ColmapDatabase, ColmapVersion } from "../../formats/colmap-database.js";
import type { CAMERA_MODES, VerifiedPair } from "../../formats/colmap-results.js";
import { checkWritable } from "../../node/folders.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { describeSeconds, openProgress } from "../progress.js";
import { checkImages } from "./check-images.js";
import type { VERIFICATIONS } from "./choices.js";
import { pairList, writeText } from "./colmap-text.js";
import { readMatches, readResults } from "./read.js";
import { refuseExisting, writeBelow } from "./write.js";

export interface ExportColmapFlags {
  matches?: string;
  images?: string;
  out: string;
  verify: (typeof VERIFICATIONS)[number];
  minScore?: number;
  thresholdPx?: number;
  seed?: number;
  cameraMode: (typeof CAMERA_MODES)[number];
  cameraModel: CameraModelName;
  cameraParams?: readonly number[];
  descriptors: boolean;
  descriptorKind?: DescriptorKind;
  colmap: ColmapVersion;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

const DATABASE = [".db", ".sqlite", ".sqlite3"];
const PAIRS = ["pair", "pairs"] as const;

export async function exportColmapCommand(input: string, flags: ExportColmapFlags, context: Context): Promise<number> {
  const toDatabase = isDatabasePath(flags.out);
  if (!toDatabase && !flags.descriptors) {
    throw new OptionError("--no-descriptors is for a database; COLMAP's feature files have descriptors in any case");
  }
  if (!toDatabase && flags.colmap !== "3.8") {
    throw new OptionError("--colmap is for a database; COLMAP's feature files are the same for every version");
  }
  await refuseExisting(flags.out, flags.force);
  const started = performance.now();
  const notes: string[] = [];
  const { features, pairs: own } = await readResults(input, {
    images: flags.images,
    descriptorKind: flags.descriptorKind,
    ...(!flags.descriptors && { descriptors: "unused" }),
  });
  const given = flags.matches === undefined ? own : await readMatches(flags.matches, features);
  if (flags.images !== undefined) await checkImages(features, flags.images, notes);
  const pairs = sift(given ?? [], features, flags.minScore, notes);
  // Folders are made only now that the input is known to be good.
  await checkWritable([toDatabase ? flags.out : join(flags.out, "matches.txt")]);
  const verified = await verify(pairs, features, flags, context);
  if (verified === null) return EXIT.interrupted;
  const outputs = toDatabase
    ? await writeDatabase(features, verified, flags, notes)
    : await writeText(features, verified, flags.out);
  if (given === null) {
    notes.push("there are no matches: give --matches (`strata match-features` makes them), or let COLMAP match");
  }
  report(features, verified, outputs, notes, started, flags, context);
  return EXIT.ok;
}

/** By its ending: a database, or (without any) a folder. */
function isDatabasePath(out: string): boolean {
  const extension = extname(out).toLowerCase();
  if (extension !== "" && !DATABASE.includes(extension)) {
    throw new OptionError(`--out ${out}: name a database (${DATABASE.join(", ")}) or a folder without an ending`);
  }
  return extension !== "";
}

/** The pairs that go in: each once, of images that are there, with matches of at least that score. */
function sift(
  pairs: readonly ImagePair[],
  features: ReadonlyMap<string, Features>,
  minScore: number | undefined,
  notes: string[],
): ImagePair[] {
  const seen = new Set<string>();
  const kept: ImagePair[] = [];
  for (const pair of pairs) {
    const { name0, name1 } = pair;
    for (const name of [name0, name1]) {
      if (!features.has(name)) throw new FormatError(`the matches name the image "${name}", which has no features`);
    }
    const key = JSON.stringify(name0 < name1 ? [name0, name1] : [name1, name0]);
    if (seen.has(key)) continue;
    seen.add(key);
    checkIndices(pair, features);
    kept.push(minScore === undefined ? pair : { ...pair, matches: atLeast(pair.matches, minScore) });
  }
  if (kept.length < pairs.length) {
    notes.push(`${pairs.length - kept.length} pairs are there twice, the other way round; the first of each is taken`);
  }
  return kept;
}

function checkIndices({ name0, name1, matches }: ImagePair, features: ReadonlyMap<string, Features>): void {
  const counts = [name0, name1].map((name) => features.get(name)?.count ?? 0);
  const bad = matches.pairs.findIndex((index, k) => index >= counts[k & 1]);
  if (bad < 0) return;
  throw new ShapeError(
    `"${name0}" and "${name1}": match ${bad >> 1} is of keypoint ${matches.pairs[bad]} of ${counts[bad & 1]}; are the matches of these features?`,
  );
}

function atLeast({ pairs, scores }: ImagePair["matches"], least: number): ImagePair["matches"] {
  const kept = [...scores.keys()].filter((m) => scores[m] >= least);
  return {
    count: kept.length,
    pairs: Uint32Array.from({ length: 2 * kept.length }, (_, k) => pairs[2 * kept[k >> 1] + (k & 1)]),
    scores: Float32Array.from(kept, (m) => scores[m]),
  };
}

/** Each pair with what verified it; null when the user stopped it. */
async function verify(
  pairs: readonly ImagePair[],
  features: ReadonlyMap<string, Features>,
  flags: ExportColmapFlags,
  context: Context,
): Promise<VerifiedPair[] | null> {
  if (flags.verify === "none") return [...pairs];
  if (flags.verify === "all") return pairs.map((pair) => ({ ...pair, verified: null }));
  const { verifyMatches } = await import("../../geometry/homography.js");
  const progress = await openProgress({
    total: pairs.length,
    unit: PAIRS,
    label: "verified: ",
    terminal: context.terminal,
    quiet: flags.quiet ?? false,
    write: context.err,
  });
  const interrupt = context.listenForInterrupt();
  const options = { threshold: flags.thresholdPx ?? 3, seed: flags.seed ?? 0, minInliers: MIN_INLIERS };
  const done: VerifiedPair[] = [];
  try {
    for (const pair of pairs) {
      const [a, b] = [features.get(pair.name0) as Features, features.get(pair.name1) as Features];
      const verified = await interrupt.race(verifyMatches(a, b, pair.matches, options));
      done.push({ ...pair, verified });
      progress.update(done.length, done.length);
      // Estimation leaves the event loop no turn of its own, and a signal needs one.
      if (done.length % 16 === 0) await interrupt.race(new Promise(setImmediate));
    }
    return done;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    context.err("strata: interrupted; nothing is written\n");
    return null;
  } finally {
    progress.stop();
    interrupt.release();
  }
}

/** COLMAP's own least number of inliers (its `min_num_inliers`). */
const MIN_INLIERS = 15;

async function writeDatabase(
  features: ReadonlyMap<string, Features>,
  pairs: readonly VerifiedPair[],
  flags: ExportColmapFlags,
  notes: string[],
): Promise<string[]> {
  const { saveColmapDatabase } = await import("../../node/colmap-database.js");
  const { toColmapDatabase } = await import("../../formats/colmap-results.js");
  const database = toColmapDatabase(features, pairs, {
    cameraMode: flags.cameraMode,
    model: flags.cameraModel,
    params: flags.cameraParams ?? null,
    descriptors: flags.descriptors,
    colmap: flags.colmap,
  });
  if (flags.descriptors) notes.push(...leftOut(features, database));
  await saveColmapDatabase(flags.out, database, { colmap: flags.colmap });
  const list = pairs.length === 0 ? null : pairList(pairs);
  if (pairs.length > 0 && list === null) notes.push("no list of pairs is written: an image's name has white space");
  if (list === null) return [flags.out];
  const path = `${flags.out.slice(0, -extname(flags.out).length)}.pairs.txt`;
  await writeBelow(path, list);
  return [flags.out, path];
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

function report(
  features: ReadonlyMap<string, Features>,
  pairs: readonly VerifiedPair[],
  outputs: readonly string[],
  notes: readonly string[],
  started: number,
  flags: ExportColmapFlags,
  { out, err }: Context,
): void {
  const sum = (counts: number[]): number => counts.reduce((a, b) => a + b, 0);
  const held = pairs.filter((pair) => pair.verified === null || pair.verified?.matrix);
  const result = {
    images: features.size,
    keypoints: sum([...features.values()].map(({ count }) => count)),
    pairs: pairs.length,
    matches: sum(pairs.map(({ matches }) => matches.count)),
    verify: flags.verify,
    verifiedPairs: held.length,
    inliers: sum(held.map(({ matches, verified: by }) => by?.inliers.length ?? matches.count)),
    outputs,
    notes,
    seconds: (performance.now() - started) / 1000,
  };
  if (!flags.quiet) for (const note of notes) err(`strata: note: ${note}\n`);
  if (flags.json) out(`${JSON.stringify(result)}\n`);
  if (flags.json || flags.quiet) return;
  out(`${result.images} images, ${result.keypoints} keypoints, ${result.pairs} pairs, ${result.matches} matches`);
  if (flags.verify !== "none") out(`, ${held.length} verified pairs with ${result.inliers} inliers`);
  out(` in ${describeSeconds(result.seconds)}\nwritten: ${outputs.join(", ")}\n${nextStep(flags, outputs)}`);
}

/** What to say to COLMAP now. */
function nextStep({ out, images = "IMAGES", verify: how }: ExportColmapFlags, outputs: readonly string[]): string {
  if (!isDatabasePath(out)) {
    const database = "--database_path database.db";
    const list = outputs.find((path) => path.endsWith("inliers.txt")) ?? join(out, "matches.txt");
    const lines = [`  colmap feature_importer ${database} --image_path ${images} --import_path ${outputs[0]}`];
    if (outputs.length > 1) {
      const kind = list.endsWith("inliers.txt") ? "inliers" : "raw";
      lines.push(`  colmap matches_importer ${database} --match_list_path ${list} --match_type ${kind}`);
    }
    return `next:\n${lines.join("\n")}\n`;
  }
  const list = outputs.at(1);
  const mapper = `  colmap mapper --database_path ${out} --image_path ${images} --output_path MODEL\n`;
  if (!list) return `next:\n  colmap exhaustive_matcher --database_path ${out}\n${mapper}`;
  if (how !== "none") return `next:\n${mapper}`;
  return `next:\n  colmap matches_importer --database_path ${out} --match_list_path ${list} --match_type pairs\n${mapper}`;
}
