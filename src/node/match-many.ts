/**
 * The matches of many pairs of images to one file. Whatever stops a run, it loses the pair that was at work; a run that
 * resumes gives the same bytes as one that was never stopped (match-run.ts).
 */

import { checkIterable, checkMap, checkObject } from "../check.js";
import type { Features } from "../features.js";
import { type MatchOptions, matchFeatures } from "../match/index.js";
import { checkMatchOptions } from "../match/mutual.js";
import type { NamePair } from "../match/pairs.js";
import { checkChoice, withDefaults } from "../options.js";
import { checkPath } from "./atomic.js";
import { MatchPlan } from "./match-plan.js";
import { MatchRun } from "./match-run.js";
import { checkPairFile, checkPairs } from "./pair-files.js";
import { EXISTING, type Existing, openParts } from "./parts.js";
import { nodeRuntime } from "./runtime.js";
import { packageVersion } from "./version.js";

/** Options of matchMany. */
export interface MatchManyOptions
  extends Pick<MatchOptions, "mutual" | "ratio" | "minSimilarity" | "runtime" | "threads"> {
  /** What happens to a file, or to the pairs of a run that was stopped, that are there; default "refuse": an error. */
  existing?: Existing;
  /** Stops the run between two pairs: it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called before the first pair, and after each. */
  onProgress?(progress: MatchProgress): void;
}

/** How far a run is: numbers of pairs. */
export interface MatchProgress {
  total: number;
  /** In this run. */
  matched: number;
  /** Finished before. */
  skipped: number;
}

/** What matchMany did. */
export interface MatchManyResult extends MatchProgress {
  /** Matches of all pairs. */
  matches: number;
  /** Path of the file. */
  output: string;
}

const WHERE = "matchMany";
const DEFAULTS: Required<Omit<MatchManyOptions, "signal" | "onProgress" | "threads">> & Pick<MatchOptions, "threads"> =
  {
    mutual: true,
    ratio: null,
    minSimilarity: null,
    runtime: nodeRuntime,
    threads: undefined,
    existing: "refuse",
  };
/** The name of the log among the file's parts, with the version of its records. */
const LOG = ["matches", 1] as const;
/** Milliseconds of matching after which the process gets a turn of its own: for signals, which need one. */
const TURN = 20;

/**
 * Matches `pairs` of `features` (all of them by name) to the file `out`, whose ending says the format: .h5, .txt, .json or
 * .csv. What can be known to fail is an error before the first pair: names that are unknown or clash in the format,
 * descriptors that do not fit, a file that is there (OptionError), cannot be written or belongs to another run (IoError).
 */
export async function matchMany(
  features: ReadonlyMap<string, Features>,
  pairs: Iterable<NamePair>,
  out: string,
  options: MatchManyOptions = {},
): Promise<MatchManyResult> {
  checkMap(WHERE, "features", features);
  checkIterable(WHERE, "pairs", pairs);
  checkPath(WHERE, out);
  const { signal, onProgress, ...given } = checkObject(WHERE, "options", options) as MatchManyOptions;
  const { existing, ...matching } = withDefaults(WHERE, DEFAULTS, given);
  checkChoice(WHERE, "existing", existing, EXISTING);
  checkMatchOptions(matching, WHERE);
  checkPairFile(WHERE, out);
  const plan = new MatchPlan(features, pairs);
  await checkPairs(out, plan.pairs(), features);
  // What multiplies does not matter.
  const { runtime: _, threads: __, ...choices } = matching;
  const parts = await openParts(out, { existing, describe: () => "finished pairs", ending: ".log" });
  const logPath = parts.path(...LOG);
  let run: MatchRun | undefined;
  let isDone = false;
  try {
    run = new MatchRun(plan, features, parts.file, out, { strata: packageVersion(), ...choices });
    await run.openLog(logPath);
    if (parts.isThere && (await run.isFinished())) {
      isDone = true;
      return { total: plan.length, matched: 0, skipped: plan.length, matches: run.matches, output: out };
    }
    if (parts.isThere) await run.takeOver();
    const progress = { total: plan.length, matched: 0, skipped: run.done };
    onProgress?.({ ...progress });
    let turn = performance.now();
    for (let k = 0; k < plan.length; k++) {
      if (run.has(k)) continue;
      signal?.throwIfAborted();
      const [name0, name1] = plan.pair(k);
      const found = await matchFeatures(plan.of(name0), plan.of(name1), matching);
      await run.add(k, found);
      progress.matched++;
      onProgress?.({ ...progress });
      if (performance.now() - turn < TURN) continue;
      await new Promise(setImmediate);
      turn = performance.now();
    }
    signal?.throwIfAborted();
    await run.finish();
    isDone = true;
    return { ...progress, matches: run.matches, output: out };
  } finally {
    await run?.close();
    // Not a log of nothing either: it would stand in the way of the next run.
    if (isDone || run?.isEmpty) await parts.remove([logPath]);
    await parts.close();
  }
}
