/**
 * The benchmark as one call: methods scored on image sequences with known homographies. What is finished is kept in a
 * folder at once (run.ts), so that the same call goes on where a stopped one was.
 */

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { untilAborted } from "../../abort.js";
import { isFullHpatches } from "../../bench/hpatches.js";
import type { ReportInput } from "../../bench/report/input.js";
import type { ChangeCurve, MethodCurve, MethodRun } from "../../bench/types.js";
import { checkList, checkObject, checkText, wrong } from "../../check.js";
import { OptionError, StateError, StrataError } from "../../errors.js";
import { DEFAULT_PIXEL_LIMIT } from "../../image/image.js";
import { checkNumber } from "../../options.js";
import { checkPath, isHopeless } from "../atomic.js";
import { openExtractor } from "../extractor.js";
import { checkWritable } from "../folders.js";
import { lockPath, withLock } from "../lock.js";
import { type OpenStage, silentStage } from "../stage.js";
import { packageVersions } from "../version.js";
import { type MethodPlan, type MethodSpec, type OpenExtractor, parseMethod, planMethod } from "./methods.js";
import { openPool } from "./pool.js";
import { writeBenchReport } from "./report.js";
import { type Bench, benchMethod, type Watch } from "./run.js";
import { describeBad, openSequences, type Sequences } from "./sequences.js";

/** What runBenchmark is asked for. */
export interface BenchmarkRequest {
  /** Folder of sequences, or one sequence: images 1, 2, … and H_1_2, …. */
  data: string;
  /** What is scored: specifications, or words as `--method` takes them ("strata-s", "orb", "files:.EXT", "h5:FILE"). */
  methods: readonly (MethodSpec | string)[];
  /** Folder of everything that is kept. */
  out: string;
  /** Names of the sequences to score; default null: all. */
  sequences?: readonly string[] | null;
  /** Go on without sequences that are not whole or not readable, instead of an error; default false. */
  skipBad?: boolean;
  /** Also score the best this many keypoints; default null: 2000. */
  maxFeatures?: readonly number[] | null;
  /** Of the robust estimations; default 0. */
  seed?: number;
  /** For `loadImage`; default: its own limit, turned as EXIF says. */
  loading?: Bench["loading"];
  /** Curves over rotation and scale from first images of so many sequences; default 0: none. */
  curvePhotos?: number;
  /** Make features also where all their scores are there, for a report's pictures; default false. */
  wantFeatures?: boolean;
  /** Images or pairs worked on at once, each in a process of its own; default: one per core. */
  jobs?: number;
  /** Threads of each job; default: the cores shared out. */
  threads?: number;
  /** Opens models in this process; default `openExtractor`. */
  openExtractor?: OpenExtractor;
  /** Told what the data are before the work begins; an error that it throws ends the run. */
  onData?(data: Sequences): void;
  /** Shows where the run is: begins a stage of `total` things. */
  progress?: OpenStage;
  /** Hears what is worth knowing as it comes; all of it is in the result's `notes`. */
  note?(line: string): void;
  /** Aborting ends the call with the signal's reason; what is finished is kept. */
  signal?: AbortSignal;
}

/** What a benchmark found, and what went wrong. */
export interface BenchmarkResult {
  data: Sequences;
  /** Each method under each of its protocols. */
  runs: MethodRun[];
  /** Curves over rotation and scale. */
  changes: ChangeCurve[];
  plans: MethodPlan[];
  /** What was wrong with a method; the others are scored. */
  failures: StrataError[];
  /** What the reader of the results should know. */
  notes: string[];
}

/**
 * Scores methods on sequences. What is wrong with one method is one of the `failures`; OptionError for a wrong request,
 * FormatError that lists every fault of the data, IoError for the disk and for a folder in which another run is at work.
 */
export async function runBenchmark(request: BenchmarkRequest): Promise<BenchmarkResult> {
  checkRequest("runBenchmark", request);
  const { out } = request;
  const specs = request.methods.map((method) => (typeof method === "string" ? parseMethod(method, {}) : method));
  if (specs.length === 0) throw new OptionError('runBenchmark: "methods" is empty; name at least one');
  await checkWritable([join(out, "results", "any")]);
  // Two processes would add to the same files of results.
  return withLock(lockPath(out), `the folder ${out}`, () => runLocked(specs, request));
}

function checkRequest(where: string, request: BenchmarkRequest): void {
  checkObject(where, "the request", request);
  const { data, out, methods, jobs, threads, seed } = request;
  for (const [name, path] of Object.entries({ data, out })) checkPath(`${where}: ${name}`, path);
  for (const method of checkList(where, "methods", methods)) {
    if (typeof method !== "string")
      checkText(where, "the kind of a method", checkObject(where, "a method", method).kind);
  }
  for (const [name, count] of Object.entries({ jobs, threads })) {
    if (count !== undefined) checkNumber(where, name, count, { min: 1, max: 1024, integer: true });
  }
  if (seed !== undefined) checkNumber(where, "seed", seed, { min: 0, max: 2 ** 32 - 1, integer: true });
}

async function runLocked(specs: readonly MethodSpec[], request: BenchmarkRequest): Promise<BenchmarkResult> {
  const { skipBad = false, sequences: only = null, signal } = request;
  const data = await untilAborted(openSequences(request.data, { skipBad, only }), signal);
  request.onData?.(data);
  const result: BenchmarkResult = { data, runs: [], changes: [], plans: [], failures: [], notes: [] };
  const note = (line: string) => {
    result.notes.push(line);
    request.note?.(line);
  };
  if (data.bad.length > 0) note(`left out of ${request.data}: ${describeBad(data.bad)}`);

  const cores = availableParallelism();
  const jobs = request.jobs ?? cores;
  const threads = request.threads ?? Math.max(1, Math.floor(cores / jobs));
  const pool = openPool({ jobs, threads, openExtractor: request.openExtractor ?? openExtractor });
  const bench: Bench = {
    data,
    out: request.out,
    loading: loadingOf(request),
    seed: request.seed ?? 0,
    skipBad,
    wantFeatures: request.wantFeatures ?? false,
    pool,
    watch: watchOf(request, note),
  };
  try {
    for (const spec of specs) await runMethod(spec, request, bench, result);
    return result;
  } finally {
    // A run that was interrupted leaves the runtime at work.
    await pool.close(!signal?.aborted);
  }
}

/** One method's plans, scores and curves. What is wrong with one method does not keep the others from being scored. */
async function runMethod(
  spec: MethodSpec,
  request: BenchmarkRequest,
  bench: Bench,
  result: BenchmarkResult,
): Promise<void> {
  const { maxFeatures = null, curvePhotos = 0 } = request;
  try {
    const plans = await planMethod(spec, {
      data: bench.data,
      limits: maxFeatures,
      versions: packageVersions(),
      orientation: bench.loading.orientation,
      openExtractor: request.openExtractor ?? openExtractor,
    });
    for (const plan of plans) {
      if (result.plans.some(({ key }) => key === plan.key)) continue;
      result.plans.push(plan);
      const runs = await benchMethod(plan, bench);
      result.runs.push(...runs);
      if (curvePhotos === 0 || plan !== plans[0]) continue;
      const { changeCurves } = await import("./change-curves.js");
      // Sequences that were left out have no readable photograph, perhaps.
      const scored = new Set(runs.flatMap(({ records }) => records.map(({ sequence }) => sequence)));
      const sequences = bench.data.sequences.filter(({ name }) => scored.has(name));
      result.changes.push(...(await changeCurves(plan, bench, sequences, curvePhotos)));
    }
  } catch (error) {
    // A wrong request, a dead job, a full disk and bugs end the run.
    const isEnd = error instanceof OptionError || error instanceof StateError || isHopeless(error);
    if (isEnd || !(error instanceof StrataError)) throw error;
    result.failures.push(error);
  }
}

const loadingOf = ({ loading }: BenchmarkRequest): Bench["loading"] =>
  loading ?? { pixelLimit: DEFAULT_PIXEL_LIMIT, orientation: true };

function watchOf({ progress, signal }: BenchmarkRequest, note: (line: string) => void): Watch {
  return {
    race: (work) => untilAborted(work, signal),
    note,
    stage: progress ?? silentStage,
  };
}

/** A report, and what it is called. */
export interface ReportText {
  /** What repeats the run, as it is shown. */
  command: string;
  /** Heading of the page; default: named after the data. */
  title?: string;
  /** Curves shown beside the runs. */
  cached?: readonly MethodCurve[];
}

/** A finished benchmark as reports, JSON and tables take it. */
export function benchmarkReport(result: BenchmarkResult, text: ReportText): ReportInput {
  const where = "benchmarkReport";
  const { command, title, cached = [] } = checkObject(where, "text", text) as unknown as ReportText;
  checkText(where, "command", command);
  checkList(where, "data.sequences", checkObject(where, "data", checkObject(where, "result", result).data).sequences);
  for (const name of ["runs", "changes", "failures", "notes"] as const) checkList(where, name, result[name]);
  for (const failure of result.failures) {
    if (!(failure instanceof StrataError)) throw wrong(where, "one of failures", "an error of strata", failure);
  }
  const { data, runs, changes, failures, notes } = result;
  return {
    ...(title === undefined ? {} : { title }),
    date: new Date().toISOString().slice(0, 16).replace("T", " "),
    command,
    full: isFullHpatches(data.sequences, runs),
    runs: runs.filter(({ records }) => records.length > 0),
    cached,
    changes,
    notes: [...notes, ...failures.map(({ message }) => message)],
  };
}

/** Writes the page of a finished benchmark, with pictures of what `request` has kept (`wantFeatures`). */
export async function saveBenchmarkReport(
  path: string,
  input: ReportInput,
  result: Pick<BenchmarkResult, "plans" | "data">,
  request: BenchmarkRequest,
): Promise<void> {
  const where = "saveBenchmarkReport";
  checkPath(where, path);
  checkList(where, "input.runs", checkObject(where, "input", input).runs);
  const { plans, data } = checkObject(where, "result", result) as unknown as typeof result;
  checkList(where, "plans", plans);
  checkObject(where, "data", data);
  checkRequest(where, request);
  const watch = watchOf(request, () => {});
  const open = request.openExtractor ?? openExtractor;
  const pictured = { data, out: request.out, loading: loadingOf(request), watch, plans, openExtractor: open };
  await watch.race(writeBenchReport(path, input, pictured));
}
