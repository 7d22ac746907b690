/** Finished runs compared pair by pair, found by the names that people give them. */

import { type CompareOptions, type Comparison, compareRuns } from "../../bench/compare.js";
import type { MethodRun, RunInfo } from "../../bench/types.js";
import { checkObject } from "../../check.js";
import { OptionError } from "../../errors.js";
import { findRuns } from "./find-results.js";
import { resultsName } from "./run.js";

/** Which kept results are compared, and how. */
export interface CompareResultsOptions extends Partial<CompareOptions> {
  /** Folder of a benchmark that names are looked for in. */
  out: string;
}

/**
 * Compares the runs that `a` and `b` lead to: a results file, the folder of a benchmark, or the beginning of a results
 * file's name. OptionError where there is none, or more than one to choose from.
 */
export async function compareResults(a: string, b: string, given: CompareResultsOptions): Promise<Comparison[]> {
  const { out, ...options } = checkObject("compareResults", "options", given) as unknown as CompareResultsOptions;
  const couples = pairUp(a, await findRuns(a, out), b, await findRuns(b, out));
  return couples.map(([first, second]) => compareRuns(first, second, options));
}

/**
 * Which runs are compared: one with one; else those on the same images of the same method and protocol, or, where A or B
 * has a single method, of the same protocol. Of several, those with the same seed.
 */
function pairUp(nameA: string, a: MethodRun[], nameB: string, b: MethodRun[]): [MethodRun, MethodRun][] {
  if (a.length === 1 && b.length === 1) return [[a[0], b[0]]];
  const single = [a, b].some((runs) => new Set(runs.map(({ info }) => info.method)).size === 1);
  const alike = (x: RunInfo, y: RunInfo) =>
    x.data.digest === y.data.digest && x.protocol === y.protocol && (single || x.method === y.method);
  const couples: [MethodRun, MethodRun][] = [];
  for (const first of a) {
    const all = b.filter((second) => alike(first.info, second.info));
    const others = all.length > 1 ? all.filter(({ info }) => info.seed === first.info.seed) : all;
    if (others.length > 1) {
      throw new OptionError(
        `${nameB} has ${others.length} runs to compare with ${resultsName(first.info)} of ${nameA}: ${listOf(others)}; name one`,
      );
    }
    if (others.length === 1) couples.push([first, others[0]]);
  }
  if (couples.length > 0) return couples;
  throw new OptionError(
    `no run of ${nameA} (${listOf(a)}) has its like in ${nameB} (${listOf(b)}), on the same images: name a run of each`,
  );
}

const listOf = (runs: readonly MethodRun[]): string => runs.map(({ info }) => resultsName(info)).join(", ");
