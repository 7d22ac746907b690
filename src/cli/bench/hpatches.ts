/** `strata bench hpatches`: methods scored on image sequences with known homographies, told as table, data and report. */

import { join } from "node:path";
import { checkCacheable } from "../../bench/cache.js";
import type { ReportInput } from "../../bench/report/input.js";
import { benchJson } from "../../bench/report/json.js";
import { counted } from "../../bench/report/text.js";
import { OptionError } from "../../errors.js";
import { writeFileAtomic } from "../../node/atomic.js";
import { CURVE_PHOTOS } from "../../node/bench/change-curves.js";
import { type MethodSpec, parseMethod } from "../../node/bench/methods.js";
import {
  type BenchmarkRequest,
  type BenchmarkResult,
  benchmarkReport,
  runBenchmark,
  saveBenchmarkReport,
} from "../../node/bench/run-benchmark.js";
import { DEFAULT_MODEL } from "../../node/extractor.js";
import { checkWritable } from "../../node/folders.js";
import { checkPlotter } from "../../report/plotter.js";
import { type ExtractionFlags, imageOptions, openOptions } from "../arguments.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { stageOf } from "../progress.js";
import { errorText } from "../report-error.js";
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

/** `command`: how the user called it, for the report. */
export async function hpatchesCommand(flags: HpatchesFlags, command: string, context: Context): Promise<number> {
  if (flags.curvePhotos !== undefined && !flags.curves) throw new OptionError("--curve-photos needs --curves");
  if (flags.report !== undefined) checkPlotter();
  const methods = methodSpecs(flags);
  const { loadCachedCurve, saveCaches } = await import("../../node/bench/caches.js");
  const cached = await Promise.all((flags.cached ?? []).map(loadCachedCurve));
  await checkWritable([
    join(flags.out, "results", "any"),
    ...[flags.report, flags.csv].filter((path) => path !== undefined),
    ...(flags.writeCache === undefined ? [] : [join(flags.writeCache, "any")]),
  ]);
  const interrupt = context.listenForInterrupt();
  let begun = false;
  const request: BenchmarkRequest = {
    ...requestOf(flags, methods, context),
    signal: interrupt.signal,
    onData({ sequences }) {
      if (flags.writeCache !== undefined) checkCacheable(sequences);
      begun = true;
    },
  };
  try {
    const result = await runBenchmark(request);
    const input = benchmarkReport(result, { command, cached });
    if (result.runs.length > 0 || result.failures.length === 0) {
      print(result, input, flags, context);
      if (flags.csv !== undefined) {
        const { benchCsv } = await import("../../bench/report/csv.js");
        await writeFileAtomic(flags.csv, benchCsv(input.runs));
      }
      if (flags.writeCache !== undefined) await saveCaches(flags.writeCache, input.runs);
      if (flags.report !== undefined) await saveBenchmarkReport(flags.report, input, result, request);
      const written = [flags.csv, flags.report, flags.writeCache].filter((path) => path !== undefined);
      if (written.length > 0 && !flags.json && !flags.quiet) context.out(`\nwritten: ${written.join(", ")}\n`);
    }
    for (const error of result.failures) context.err(errorText(error, flags.debug ?? false));
    return result.failures.length > 0 ? EXIT.failed : EXIT.ok;
  } catch (error) {
    if (!begun && !(error instanceof Interrupted)) throw error;
    const kept = `what is finished is kept in ${flags.out}; the same command goes on from there`;
    if (error instanceof Interrupted) {
      context.err(`strata: interrupted; ${kept}\n`);
      return EXIT.interrupted;
    }
    context.err(`strata: stopped; ${kept}\n`);
    throw error;
  } finally {
    interrupt.release();
  }
}

function requestOf(flags: HpatchesFlags, methods: MethodSpec[], context: Context): BenchmarkRequest {
  const { data, out, skipBad, maxFeatures, seed, jobs, threads } = flags;
  return {
    ...{ data, methods, out, skipBad, maxFeatures, seed, jobs, threads },
    sequences: flags.sequences?.split(",").map((name) => name.trim()),
    loading: imageOptions({ ...flags, maxFeatures: undefined }),
    curvePhotos: flags.curves ? (flags.curvePhotos ?? CURVE_PHOTOS) : 0,
    wantFeatures: flags.report !== undefined,
    openExtractor: context.engine.openExtractor,
    progress: stageOf(flags.quiet, context),
    note: (line) => context.err(`strata: ${line}\n`),
  };
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

function print({ data }: BenchmarkResult, input: ReportInput, flags: HpatchesFlags, { out }: Context): void {
  if (flags.json) out(benchJson(input));
  if (flags.json || flags.quiet) return;
  const { sequences, name, digest } = data;
  const pairs = sequences.reduce((sum, sequence) => sum + sequence.pairs.length, 0);
  const of = `${counted(sequences.length, "sequence")}, ${counted(pairs, "pair")}`;
  out(`${name} (${digest.slice(0, 12)}): ${of}\n\n`);
  out(summaryTable(input.runs, input.cached ?? [], flags.verbose ?? false));
}
