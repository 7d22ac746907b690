/**
 * A job as it lies in a folder that all machines share: what is to be done, written once when the job is made, and never
 * changed. Nothing else says what a shard is, so it comes out the same on any machine, through any queue, or without one.
 *
 *   job.json              this plan
 *   slices/000003.json    what the shard 3 works on
 *   shards/000003.json    the record of its output, written last: with it the shard is done (records.ts)
 *   shards/000003-….h5    its output, by its digest
 *   features.h5           the result, merged; an index is the folder itself: manifest.json and what that names
 */
import { createHash } from "node:crypto";
import { readFile, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { checkObject } from "../../check.js";
import { FormatError, IoError, OptionError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { canonicalJson, type Provenance } from "../../formats/record.js";
import { checkNumber } from "../../options.js";
import { checkPath, ioError, readFileChecked, writeFileAtomic } from "../atomic.js";
import { makeFolder } from "../folders.js";
import { packageVersion } from "../version.js";
import { PLAN_FILE } from "./job-file.js";

/** Kinds of jobs. */
export const JOB_KINDS = ["extract", "match", "index"] as const;
/** What a job makes: features of images, matches of pairs, or an index of images. */
export type JobKind = (typeof JOB_KINDS)[number];

/** Name and version of the layout; another one is refused. */
const FORMAT = "strata-job/1";

/** What is to be done, cut into shards. */
export interface JobPlan {
  format: typeof FORMAT;
  kind: JobKind;
  /** Digest of all that decides about the result. */
  id: string;
  /** Version of strata; another one computes other features. */
  strata: string;
  /** Name (or path) and SHA-256 of the model; null where none is needed. */
  model: { name: string; sha256: string } | null;
  /** What else decides about outputs. */
  options: Provenance;
  /** What images are called is below this folder. */
  root: string;
  /** Things to do in all: images, or pairs. */
  count: number;
  /** Most things in a shard. */
  size: number;
  /** Digest of each shard: of model, options and slice. */
  shards: string[];
  /** Name of the result in the folder. */
  result: string;
  /** Images that could not be read when the job was made. */
  unreadable: SetAside[];
}

/** An image that has no part in the result, and why. */
export interface SetAside {
  name: string;
  /** Code of the error, as `StrataError` has it. */
  code: string;
  message: string;
}

/** An image of a slice, with the SHA-256 of its file. */
export interface SliceImage {
  name: string;
  sha256: string;
  /** What it is called in an index. */
  id?: string;
}

/** Pairs of a slice, and the files that hold their features. */
export interface SlicePairs {
  files: { path: string; sha256: string }[];
  pairs: [name0: string, name1: string][];
}

/** What shards of each kind work on. */
export type Slice = SliceImage[] | SlicePairs;

/** What decides about a job, before it is cut. */
export type PlanHead = Pick<JobPlan, "kind" | "model" | "options" | "root" | "result" | "size" | "unreadable">;

/** Largest plan and slice in bytes. */
const PLAN_LIMIT = 2 ** 28;
/** Most shards: each costs a line of the plan, two files and a listing. */
const MAX_SHARDS = 1_000_000;

/** Path of a shard's slice. */
export const slicePath = (folder: string, shard: number): string => join(folder, "slices", `${digits(shard)}.json`);
/** A shard's number in names of files. */
export const digits = (shard: number): string => String(shard).padStart(6, "0");
/** How the names of a job's outputs end. */
export const shardEnding = ({ kind }: JobPlan): string => (kind === "index" ? ".strata" : ".h5");
/** Where outputs and records lie. */
export const shardsFolder = (folder: string): string => join(folder, "shards");

const digestOf = (value: unknown): string =>
  createHash("sha256").update(canonicalJson(value)).digest("hex").slice(0, 32);

/**
 * Writes a job's folder, the plan last, and gives the plan. A folder that holds the same job already is left as it is, so
 * that a submission may be repeated; OptionError where it holds another one.
 */
export async function writePlan(folder: string, head: PlanHead, slices: AsyncIterable<Slice>): Promise<JobPlan> {
  checkPath("a job's folder", folder);
  const { size, ...decisive } = head;
  const strata = packageVersion();
  const { unreadable: _, root: __, ...how } = decisive;
  const before = await readPlan(folder).catch((error) => {
    if (error instanceof IoError) return null;
    throw error;
  });
  const shards: string[] = [];
  let count = 0;
  if (!before) await makeFolders(folder);
  for await (const slice of slices) {
    if (shards.length === MAX_SHARDS) throw new OptionError(`a job has at most ${MAX_SHARDS} shards; make them larger`);
    count += Array.isArray(slice) ? slice.length : slice.pairs.length;
    if (!before) await writeFileAtomic(slicePath(folder, shards.length), JSON.stringify(slice));
    shards.push(digestOf({ strata, ...how, slice }));
  }
  const id = digestOf(shards);
  const plan: JobPlan = { format: FORMAT, id, strata, ...head, count, shards };
  if (!before) await writeFileAtomic(join(folder, PLAN_FILE), `${JSON.stringify(plan, null, 1)}\n`);
  else if (before.id !== id) {
    throw new OptionError(
      `${folder} holds another job (${describeDifference(before, plan)}); name another folder, or remove it`,
    );
  }
  return before ?? plan;
}

function describeDifference(before: JobPlan, now: JobPlan): string {
  if (before.kind !== now.kind) return `of the kind ${before.kind}`;
  if (before.strata !== now.strata) return `of strata ${before.strata}, this is ${now.strata}`;
  if (before.model?.sha256 !== now.model?.sha256) return `with the model ${before.model?.name}, of other weights`;
  if (canonicalJson(before.options) !== canonicalJson(now.options)) return "with other options";
  if (before.size !== now.size) return `with shards of ${before.size}`;
  return "of other files, or of files that have changed";
}

/** Folders of a new job. A slice that is there is of a submission that was stopped, and written again. */
async function makeFolders(folder: string): Promise<void> {
  try {
    for (const path of [join(folder, "slices"), shardsFolder(folder)]) await makeFolder(path);
  } catch (cause) {
    throw ioError("write into", folder, cause);
  }
}

/** The plan in a folder. IoError where there is none, FormatError where it is damaged or of another version. */
export async function readPlan(folder: string): Promise<JobPlan> {
  checkPath("a job's folder", folder);
  const path = join(folder, PLAN_FILE);
  if ((await stat(path).catch(() => undefined)) === undefined) {
    throw new IoError(`${folder} holds no job: there is no ${PLAN_FILE}; "strata jobs submit" makes one`);
  }
  const plan = parseJson(path, await readFileChecked(path, { limit: PLAN_LIMIT })) as JobPlan;
  const { format, kind, shards, options, result } = Object(plan) as Partial<JobPlan>;
  if (format !== FORMAT) {
    throw new FormatError(
      `${path} is no job of this version: its format is ${JSON.stringify(format)}, wanted ${FORMAT}`,
    );
  }
  const isWhole = Array.isArray(shards) && shards.every((shard) => /^[0-9a-f]{32}$/.test(shard));
  const hasName = typeof result === "string" && /^[\w-]+\.\w+$/.test(result);
  if (!isWhole || !hasName || !JOB_KINDS.includes(kind as JobKind) || digestOf(shards) !== plan.id) {
    throw new FormatError(`${path} is damaged; make the job anew in another folder`);
  }
  checkObject(path, "options", options);
  return plan;
}

/** What a shard works on. FormatError where the slice is not the one that the plan was made with. */
export async function readSlice(folder: string, plan: JobPlan, shard: number): Promise<Slice> {
  const path = slicePath(folder, shard);
  const slice = parseJson(path, await readFileChecked(path, { limit: PLAN_LIMIT })) as Slice;
  const { kind, model, options, result, strata } = plan;
  if (digestOf({ strata, kind, model, options, result, slice }) !== plan.shards[shard]) {
    throw new FormatError(`${path} has changed since the job was made; make the job anew in another folder`);
  }
  return slice;
}

/** Things of `all` in slices of at most `size`. */
export function* sliced<T>(all: Iterable<T>, size: number): Generator<T[]> {
  let slice: T[] = [];
  for (const one of all) {
    slice.push(one);
    if (slice.length < size) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}

/** Shards that the machine `index` of `count` takes, without a queue: every count-th. */
export function shardsOf(plan: JobPlan, index: number, count: number): number[] {
  checkNumber("shard i/n", "n", count, { min: 1, integer: true });
  checkNumber("shard i/n", "i", index, { min: 0, max: count - 1, integer: true });
  return plan.shards.map((_, shard) => shard).filter((shard) => shard % count === index);
}

/** What a folder is known by to a queue: two folders with the same job are two jobs. */
export function queueId(folder: string, plan: JobPlan, shard: number | "merge"): string {
  return digestOf([resolve(folder), plan.id, shard === "merge" ? shard : plan.shards[shard]]);
}

const CANCELLED = "cancelled";

/** Whether the job was cancelled: its shards are begun no more. */
export async function isCancelled(folder: string): Promise<boolean> {
  return readFile(join(folder, CANCELLED)).then(
    () => true,
    () => false,
  );
}

/** Marks a job as cancelled, or takes the mark away. */
export async function markCancelled(folder: string, cancelled: boolean): Promise<void> {
  const path = join(folder, CANCELLED);
  if (cancelled) await writeFileAtomic(path, "cancelled\n");
  else await rm(path, { force: true });
}
