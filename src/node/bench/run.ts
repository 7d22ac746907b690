/**
 * An evaluation in two loops: features of every image to files, then scores of every pair from the files. Each finished
 * image and pair is kept at once, under a key that names everything it depends on, so that a run that was stopped goes
 * on where it was, and nothing is ever mixed with results of another configuration.
 *
 *   OUT/features/KEY/SEQUENCE/N.npz            features of image N
 *   OUT/results/KEY.images.jsonl               a line per image: keypoints, seconds, memory
 *   OUT/results/KEY.PROTOCOL-HASH.jsonl        a line per pair; the hash is of scoring, seed and versions
 *   OUT/results/KEY.PROTOCOL-HASH.curves.jsonl a line per photograph, change and value (change-curves.ts)
 */

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { parseImageRecord, parsePairRecord } from "../../bench/records.js";
import { scoringOf } from "../../bench/score-pair.js";
import type { ImageRecord, MethodRun, PairRecord, RunInfo } from "../../bench/types.js";
import { checkObject, checkText } from "../../check.js";
import { FormatError, StrataError } from "../../errors.js";
import { canonicalJson, decodeRecord, sameProvenance } from "../../formats/record.js";
import { isHopeless, readFileChecked } from "../atomic.js";
import { makeFolder } from "../folders.js";
import type { OpenStage } from "../stage.js";
import { openJsonLines } from "./json-lines.js";
import { machineInfo } from "./machine.js";
import { isSpread, type MethodPlan, type Protocol } from "./methods.js";
import type { Pool } from "./pool.js";
import type { ExtractTask, ScoreTask } from "./runner.js";
import { type BadSequence, describeBad, type Sequence, type SequenceImage, type Sequences } from "./sequences.js";

export interface Bench {
  data: Sequences;
  /** Folder of everything that is kept. */
  out: string;
  /** For `loadImage`. */
  loading: { pixelLimit: number; orientation: boolean };
  seed: number;
  /** Leave sequences out of which an image or a feature file is not readable, instead of an error. */
  skipBad: boolean;
  /** Make features also where all their scores are there, for pictures. */
  wantFeatures: boolean;
  pool: Pool;
  watch: Watch;
}

/** How a run shows where it is, and how it is stopped. */
export interface Watch {
  /** Rejects as soon as the user wants to stop, else settles as `work`. */
  race<T>(work: Promise<T>): Promise<T>;
  /** Begins a stage of `total` things; what it gives is told how many are done, and how many of them took work. */
  stage: OpenStage;
  /** A line that stays, and goes with the results. */
  note(line: string): void;
}

/** Scores of one method under each of its protocols. FormatError that lists what could not be read. */
export async function benchMethod(plan: MethodPlan, bench: Bench): Promise<MethodRun[]> {
  await makeFolder(join(bench.out, "results"));
  const books = await Promise.all(plan.protocols.map((protocol) => openResults(plan, protocol, bench)));
  const images = await openImages(plan, bench);
  const isWanted = ({ protocol: { optional, limit } }: Results) => !(optional && images.most() <= (limit ?? 0));
  const complete =
    images.complete && books.filter(isWanted).every((book) => book.missing(bench.data.sequences).length === 0);
  const bad = complete && !bench.wantFeatures ? [] : await exportFeatures(plan, images, bench);
  const sequences = leaveOut(plan, bad, bench);
  const fallbacks = new Set(images.all.flatMap((image) => images.get(image)?.fallback ?? []));
  for (const fallback of fallbacks) bench.watch.note(`${plan.name}: ${fallback}`);

  const runs: MethodRun[] = [];
  for (const book of books.filter(isWanted)) runs.push(await scorePairs(plan, book, images, sequences, bench));
  return runs;
}

/** Where an image's features are. */
export function featurePath(out: string, key: string, image: SequenceImage): string {
  return join(out, "features", key, image.sequence, `${image.number}.npz`);
}

// Loop 1: features.

type Images = Awaited<ReturnType<typeof openImages>>;

async function openImages(plan: MethodPlan, { out, data }: Bench) {
  const lines = await openJsonLines(join(out, "results", `${plan.key}.images.jsonl`), parseImageRecord);
  const records = new Map<string, ImageRecord>();
  for (const record of lines.values) records.set(`${record.sequence}/${record.image}`, record);
  const all = data.sequences.flatMap(({ images }) => images);
  return {
    all,
    get: (image: SequenceImage) => records.get(`${image.sequence}/${image.number}`),
    /** Keypoints of the image that has most. */
    most: () => Math.max(0, ...[...records.values()].map(({ keypoints }) => keypoints)),
    complete: all.every((image) => records.has(`${image.sequence}/${image.number}`)),
    async add(record: ImageRecord) {
      records.set(`${record.sequence}/${record.image}`, record);
      await lines.append(record);
    },
  };
}

/** Makes the feature files that are not there; the sequences of which an image failed come back. */
async function exportFeatures(plan: MethodPlan, images: Images, bench: Bench): Promise<BadSequence[]> {
  const { out, data, loading, pool, watch } = bench;
  const provenance = {
    key: plan.key,
    method: plan.name,
    model: plan.model,
    options: plan.options,
    versions: plan.versions,
    data: { name: data.name, digest: data.digest },
  };
  const tasks: ExtractTask[] = [];
  for (const image of images.all) {
    const path = featurePath(out, plan.key, image);
    if (await isFinished(path, image, images, plan.key)) continue;
    tasks.push({ type: "extract", method: plan.spec, image, loading, path, provenance });
  }
  for (const sequence of new Set(tasks.map(({ image }) => image.sequence))) {
    await makeFolder(join(out, "features", plan.key, sequence));
  }

  const bad = new Map<string, string[]>();
  let worked = 0;
  const stage = await watch.stage(`${plan.name}: `, ["image", "images"], images.all.length);
  const before = images.all.length - tasks.length;
  try {
    await watch.race(
      pool.map(tasks, async ({ image }, outcome) => {
        if ("value" in outcome) await images.add(outcome.value);
        else fault(bad, image.sequence, image.name, outcome.error);
        stage.update(before + ++worked, worked);
        // What is done is kept before a wish to stop is heard.
        await watch.race(Promise.resolve());
      }),
    );
  } finally {
    stage.stop();
  }
  return [...bad].map(([name, problems]) => ({ name, problems }));
}

/** Whether the file is there; one whose line was lost in a crash is read to its end and gets its line again. */
async function isFinished(path: string, image: SequenceImage, images: Images, key: string): Promise<boolean> {
  const there = await stat(path).then(
    (info) => info.isFile() && info.size > 0,
    () => false,
  );
  if (!there || images.get(image)) return there;
  try {
    const { provenance } = decodeRecord("npz", await readFileChecked(path));
    const made = provenance as { key?: unknown; record?: unknown } | null;
    const record = parseImageRecord(made?.record);
    if (made?.key !== key || !record) return false;
    await images.add(record);
    return true;
  } catch (error) {
    // Damaged: to be made again.
    if (error instanceof StrataError && !isHopeless(error)) return false;
    throw error;
  }
}

/** Notes what is wrong with an image or pair; what would end every further task, and bugs, end the run. */
function fault(bad: Map<string, string[]>, sequence: string, what: string, error: unknown): void {
  if (!(error instanceof StrataError) || isHopeless(error) || error.code === "E_OPTION") throw error;
  const message = error.message.includes(what) ? error.message : `${what}: ${error.message}`;
  bad.set(sequence, [...(bad.get(sequence) ?? []), message]);
}

/** The sequences without the bad ones; a FormatError that lists these unless they may be left out. */
function leaveOut(plan: MethodPlan, bad: BadSequence[], { data, skipBad, watch }: Bench): Sequence[] {
  if (bad.length === 0) return data.sequences;
  const names = new Set(bad.map(({ name }) => name));
  const sequences = data.sequences.filter(({ name }) => !names.has(name));
  const text = `${plan.name}: ${describeBad(bad)}`;
  if (!skipBad || sequences.length === 0) {
    throw new FormatError(
      `${text}\n${sequences.length === 0 ? "no sequence is left" : "--skip-bad goes on without them"}`,
    );
  }
  watch.note(`${text}\n  left out of ${plan.name}'s results`);
  return sequences;
}

// Loop 2: scores.

type Results = Awaited<ReturnType<typeof openResults>>;

async function openResults(plan: MethodPlan, protocol: Protocol, bench: Bench) {
  const info = runInfo(plan, protocol, bench);
  const path = join(bench.out, "results", `${resultsName(info)}.jsonl`);
  const lines = await openJsonLines(path, parsePairRecord);
  if (lines.dropped > 0) {
    bench.watch.note(`${path}: ${lines.dropped} torn or foreign lines dropped; their pairs are scored again`);
  }
  const records = new Map<string, PairRecord>();
  for (const record of lines.values) {
    if (isOfRun(record, info)) records.set(idOf(record.sequence, record.images), record);
  }
  return {
    info,
    protocol,
    get: (sequence: string, images: readonly number[]) => records.get(idOf(sequence, images)),
    missing: (sequences: readonly Sequence[]) =>
      sequences.flatMap(({ pairs }) => pairs).filter(({ sequence, images }) => !records.has(idOf(sequence, images))),
    async add(record: PairRecord) {
      await lines.append(record);
      records.set(idOf(record.sequence, record.images), record);
    },
  };
}

const idOf = (sequence: string, images: readonly number[]) => `${sequence}/${images.join("-")}`;

/** Scores the pairs that have none and gathers all. */
async function scorePairs(
  plan: MethodPlan,
  book: Results,
  images: Images,
  sequences: readonly Sequence[],
  bench: Bench,
): Promise<MethodRun> {
  const { out, seed, pool, watch } = bench;
  const pairs = sequences.flatMap((sequence) => sequence.pairs);
  const byImage = new Map(images.all.map((image) => [idOf(image.sequence, [image.number]), image]));
  const pathOf = (sequence: string, number: number) =>
    featurePath(out, plan.key, byImage.get(idOf(sequence, [number])) as SequenceImage);
  const tasks = book.missing(sequences).map(
    ({ homography, ...truth }): ScoreTask => ({
      type: "score",
      paths: [pathOf(truth.sequence, truth.images[0]), pathOf(truth.sequence, truth.images[1])],
      limit: book.protocol.limit,
      spread: isSpread(plan.spec),
      truth: { ...truth, homography: [...homography] },
      seed,
    }),
  );
  const bad = new Map<string, string[]>();
  let worked = 0;
  const stage = await watch.stage(`${plan.name} ${book.protocol.name}: `, ["pair", "pairs"], pairs.length);
  const before = pairs.length - tasks.length;
  try {
    await watch.race(
      pool.map(tasks, async ({ truth: { sequence, kind, images: numbers } }, outcome) => {
        if ("value" in outcome) {
          await book.add({ sequence, kind, images: numbers, ...outcome.value, run: book.info });
        } else {
          fault(bad, sequence, `${sequence} ${numbers.join("-")}`, outcome.error);
        }
        stage.update(before + ++worked, worked);
        // What is done is kept before a wish to stop is heard.
        await watch.race(Promise.resolve());
      }),
    );
  } finally {
    stage.stop();
  }
  const faults = [...bad].map(([name, problems]) => ({ name, problems }));
  const kept = leaveOut(plan, faults, { ...bench, data: { ...bench.data, sequences: [...sequences] } });
  const records = kept.flatMap((sequence) =>
    sequence.pairs.flatMap((pair) => book.get(pair.sequence, pair.images) ?? []),
  );
  const most = book.protocol.limit ?? Number.POSITIVE_INFINITY;
  const used = kept
    .flatMap((sequence) => sequence.images.flatMap((image) => images.get(image) ?? []))
    .map((record) => ({ ...record, keypoints: Math.min(record.keypoints, most) }));
  return { info: records[0]?.run ?? book.info, records, images: used };
}

/** What goes with every record of the run. */
export function runInfo(plan: MethodPlan, protocol: Protocol, { data, seed }: Bench): RunInfo {
  return {
    key: plan.key,
    method: plan.name,
    protocol: protocol.name,
    model: plan.model,
    options: plan.options,
    scoring: { ...scoringOf({ seed }), maxFeatures: protocol.limit },
    versions: plan.versions,
    seed,
    machine: machineInfo(),
    data: { name: data.name, digest: data.digest },
  };
}

/** Name of a run's results file without its ending. */
export function resultsName(info: RunInfo): string {
  const { key, protocol, scoring, seed, versions } = checkObject("resultsName", "info", info) as unknown as RunInfo;
  for (const [name, text] of Object.entries({ key, protocol })) checkText("resultsName", name, text);
  const hash = createHash("sha256").update(canonicalJson({ scoring, seed, versions })).digest("hex");
  return `${key}.${protocol}-${hash.slice(0, 8)}`;
}

/** Whether a record is of this run, on whatever machine it was made: a file may have been edited or mixed. */
export function isOfRun({ run }: { run: RunInfo }, info: RunInfo): boolean {
  return sameProvenance({ ...run, machine: null }, { ...info, machine: null });
}
