/** `strata bench hpatches`: methods scored on image sequences with known homographies, told as table, data and report. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { ReportInput } from "../../bench/report/input.js";
import { counted } from "../../bench/report/text.js";
import type { ChangeCurve, MethodCurve, MethodRun } from "../../bench/types.js";
import { OptionError, StateError, StrataError } from "../../errors.js";
import { isHopeless, readFileChecked, writeFileAtomic } from "../../node/atomic.js";
import { type MethodPlan, type MethodSpec, parseMethod, planMethod } from "../../node/bench/methods.js";
import { openPool } from "../../node/bench/pool.js";
import { type Bench, benchMethod } from "../../node/bench/run.js";
import { describeBad, openSequences, type Sequences } from "../../node/bench/sequences.js";
import { DEFAULT_MODEL } from "../../node/extractor.js";
import { checkWritable } from "../../node/folders.js";
import { lockPath, withLock } from "../../node/lock.js";
import { packageVersions } from "../../node/version.js";
import { type ExtractionFlags, imageOptions, openOptions } from "../arguments.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { openProgress } from "../progress.js";
import { errorText, plainMessage } from "../report-error.js";
import { summaryTable } from "./summary-table.js";

/** As commander hands them over; --max-features is a list here. */
export interface HpatchesFlags extends Omit<ExtractionFlags, "maxFeatures"> {
  data: string;
  method?: string[];
  sequences?: string;
  skipBad?: boolean;
  maxFeatures?: number[];
  out: string;
  jobs?: number;
  seed?: number;
  curves?: boolean;
  curvePhotos?: number;
  cached?: string[];
  report?: string;
  csv?: string;
  writeCache?: string;
  json?: boolean;
  verbose?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

/** Sequences of the full HPatches without its eight high-resolution ones. */
const FULL = { illumination: 52, viewpoint: 56, images: 6 };

/** `command`: how the user called it, for the report. */
export async function hpatchesCommand(flags: HpatchesFlags, command: string, context: Context): Promise<number> {
  if (flags.curvePhotos !== undefined && !flags.curves) throw new OptionError("--curve-photos needs --curves");
  const specs = methodSpecs(flags);
  const cached = await Promise.all((flags.cached ?? []).map(readCached));
  await checkWritable([
    join(flags.out, "results", "any"),
    ...[flags.report, flags.csv].filter((path) => path !== undefined),
    ...(flags.writeCache === undefined ? [] : [join(flags.writeCache, "any")]),
  ]);
  // Two processes would add to the same files of results.
  return withLock(lockPath(flags.out), `the folder ${flags.out}`, () =>
    runBench({ specs, cached, command }, flags, context),
  );
}

interface Order {
  specs: MethodSpec[];
  cached: MethodCurve[];
  command: string;
}

async function runBench({ specs, cached, command }: Order, flags: HpatchesFlags, context: Context): Promise<number> {
  const data = await openSequences(flags.data, {
    skipBad: flags.skipBad ?? false,
    only: flags.sequences === undefined ? null : flags.sequences.split(",").map((name) => name.trim()),
  });
  if (flags.writeCache !== undefined) {
    const { checkCacheable } = await import("../../bench/cache.js");
    checkCacheable(data.sequences);
  }
  const notes: string[] = [];
  const note = (line: string) => {
    notes.push(line);
    context.err(`strata: ${line}\n`);
  };
  if (data.bad.length > 0) note(`left out of ${flags.data}: ${describeBad(data.bad)}`);

  const cores = availableParallelism();
  const jobs = flags.jobs ?? cores;
  const threads = flags.threads ?? Math.max(1, Math.floor(cores / jobs));
  const { openExtractor } = context.engine;
  const pool = openPool({ jobs, threads, openExtractor });
  const interrupt = context.listenForInterrupt();
  const bench: Bench = {
    data,
    out: flags.out,
    loading: imageOptions({ ...flags, maxFeatures: undefined }),
    seed: flags.seed ?? 0,
    skipBad: flags.skipBad ?? false,
    wantFeatures: flags.report !== undefined,
    pool,
    watch: {
      race: interrupt.race,
      note,
      async stage(label, unit, total) {
        const { terminal, err: write } = context;
        return openProgress({ total, unit, label, terminal, quiet: flags.quiet ?? false, write });
      },
    },
  };
  const results: Results = { runs: [], changes: [], plans: [], failures: [] };
  try {
    for (const spec of specs) await runMethod(spec, flags, bench, results, context);
    if (results.runs.length > 0 || results.failures.length === 0) {
      const input = reportInput(data, command, results, cached, notes);
      await writeOutputs(flags, input, bench, results, context);
    }
    for (const error of results.failures) context.err(errorText(error, flags.debug ?? false));
    return results.failures.length > 0 ? EXIT.failed : EXIT.ok;
  } catch (error) {
    const kept = `what is finished is kept in ${flags.out}; the same command goes on from there`;
    if (error instanceof Interrupted) {
      context.err(`strata: interrupted; ${kept}\n`);
      return EXIT.interrupted;
    }
    context.err(`strata: stopped; ${kept}\n`);
    throw error;
  } finally {
    interrupt.release();
    // A run that was interrupted leaves the runtime at work; the process ends anyway.
    await pool.close(!interrupt.requested);
  }
}

interface Results {
  runs: MethodRun[];
  changes: ChangeCurve[];
  plans: MethodPlan[];
  failures: unknown[];
}

/** One method's plans, scores and curves. What is wrong with one method does not keep the others from being scored. */
async function runMethod(
  spec: MethodSpec,
  flags: HpatchesFlags,
  bench: Bench,
  results: Results,
  { engine }: Context,
): Promise<void> {
  try {
    const plans = await planMethod(spec, {
      data: bench.data,
      limits: flags.maxFeatures ?? null,
      versions: packageVersions(),
      orientation: flags.orientation,
      openExtractor: engine.openExtractor,
    });
    for (const plan of plans) {
      if (results.plans.some(({ key }) => key === plan.key)) continue;
      results.plans.push(plan);
      const runs = await benchMethod(plan, bench);
      results.runs.push(...runs);
      if (!flags.curves || plan !== plans[0]) continue;
      const { changeCurves } = await import("../../node/bench/change-curves.js");
      // Sequences that were left out have no readable photograph, perhaps.
      const scored = new Set(runs.flatMap(({ records }) => records.map(({ sequence }) => sequence)));
      const sequences = bench.data.sequences.filter(({ name }) => scored.has(name));
      results.changes.push(...(await changeCurves(plan, bench, sequences, flags.curvePhotos)));
    }
  } catch (error) {
    // A wrong command line, a dead job, a full disk and bugs end the run.
    const isEnd = error instanceof OptionError || error instanceof StateError || isHopeless(error);
    if (isEnd || !(error instanceof StrataError)) throw error;
    results.failures.push(error);
  }
}

/** The methods that are named; --model and the like name one too. */
function methodSpecs(flags: HpatchesFlags): MethodSpec[] {
  // Limits are protocols here, threads are the jobs'.
  const { maxFeatures: _, threads: __, ...shared } = flags;
  const options = openOptions(shared);
  const named = (flags.method ?? []).map((text) => {
    const { attentionCkpt: ___, ...others } = options;
    return parseMethod(text, others);
  });
  const own = flags.model !== undefined || flags.attentionCkpt !== undefined;
  if (own || named.length === 0)
    named.unshift({ kind: "model", options: own ? options : { ...options, model: DEFAULT_MODEL } });
  return named;
}

function reportInput(
  data: Sequences,
  command: string,
  { runs, changes, failures }: Results,
  cached: MethodCurve[],
  notes: string[],
): ReportInput {
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " "),
    command,
    full: isFull(data, runs),
    runs: runs.filter(({ records }) => records.length > 0),
    cached,
    changes,
    notes: [...notes, ...failures.map(plainMessage)],
  };
}

/** Whether these are as many sequences of each kind as the published figures are made on, and all of them are scored. */
function isFull({ sequences }: Sequences, runs: readonly MethodRun[]): boolean {
  const count = (wanted: string) => sequences.filter(({ kind }) => kind === wanted).length;
  return (
    count("illumination") === FULL.illumination &&
    count("viewpoint") === FULL.viewpoint &&
    sequences.length === FULL.illumination + FULL.viewpoint &&
    sequences.every(({ images }) => images.length === FULL.images) &&
    runs.every(({ records }) => records.length === sequences.length * (FULL.images - 1))
  );
}

async function writeOutputs(
  flags: HpatchesFlags,
  input: ReportInput,
  bench: Bench,
  results: Results,
  context: Context,
): Promise<void> {
  if (flags.json) {
    const { benchJson } = await import("../../bench/report/json.js");
    context.out(benchJson(input));
  } else if (!flags.quiet) {
    const { sequences, name, digest } = bench.data;
    const pairs = sequences.reduce((sum, sequence) => sum + sequence.pairs.length, 0);
    const of = `${counted(sequences.length, "sequence")}, ${counted(pairs, "pair")}`;
    context.out(`${name} (${digest.slice(0, 12)}): ${of}\n\n`);
    context.out(summaryTable(input.runs, input.cached ?? [], flags.verbose ?? false));
  }
  if (flags.csv !== undefined) {
    const { benchCsv } = await import("../../bench/report/csv.js");
    await writeFileAtomic(flags.csv, benchCsv(input.runs));
  }
  if (flags.writeCache !== undefined) await writeCaches(flags.writeCache, input.runs);
  if (flags.report !== undefined) {
    const { writeReport } = await import("./report.js");
    await bench.watch.race(writeReport(flags.report, input, { bench, plans: results.plans, engine: context.engine }));
  }
  const written = [flags.csv, flags.report, flags.writeCache].filter((path) => path !== undefined);
  if (written.length > 0 && !flags.json && !flags.quiet) context.out(`\nwritten: ${written.join(", ")}\n`);
}

/** A method's results as the reference caches them: raw in NAME.npy, refined in NAME_RANSAC.npy. */
async function writeCaches(folder: string, runs: readonly MethodRun[]): Promise<void> {
  const { cacheOfRun } = await import("../../bench/cache.js");
  const { writeHpatchesCache } = await import("../../formats/hpatches-cache.js");
  const { runNames } = await import("../../bench/report/text.js");
  for (const [i, name] of runNames(runs).entries()) {
    const file = name.replace(/[^\w.-]+/g, "_").replace(/^\.+/, "");
    for (const refined of [false, true]) {
      const path = join(folder, `${file}${refined ? "_RANSAC" : ""}.npy`);
      await writeFileAtomic(path, writeHpatchesCache(cacheOfRun(runs[i], refined)));
    }
  }
}

async function readCached(path: string): Promise<MethodCurve> {
  const { curveOfCache } = await import("../../bench/cache.js");
  const { readHpatchesCache } = await import("../../formats/hpatches-cache.js");
  const name = path.replace(/^.*[\\/]/, "").replace(/\.npy$/, "");
  return curveOfCache(name, readHpatchesCache(await readFileChecked(path), path), name.endsWith("_RANSAC"));
}
