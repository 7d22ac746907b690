/** `strata bench compare`: two runs pair by pair, with the intervals of their differences. */
import { type Comparison, compareRuns, type MetricComparison } from "../../bench/compare.js";
import type { MethodRun, RunInfo } from "../../bench/types.js";
import { OptionError } from "../../errors.js";
import { findRuns } from "../../node/bench/find-results.js";
import { resultsName } from "../../node/bench/run.js";
import { type Context, EXIT } from "../context.js";
import { textTable } from "./text-table.js";

export interface CompareFlags {
  out: string;
  seed?: number;
  json?: boolean;
  debug?: boolean;
}

export async function compareCommand(a: string, b: string, flags: CompareFlags, context: Context): Promise<number> {
  const couples = pairUp(a, await findRuns(a, flags.out), b, await findRuns(b, flags.out));
  const comparisons = couples.map(([first, second]) => compareRuns(first, second, { seed: flags.seed ?? 0 }));
  if (flags.json) context.out(`${JSON.stringify(comparisons, null, 2)}\n`);
  else context.out(comparisons.map(describe).join("\n"));
  return EXIT.ok;
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

function describe({ a, b, pairs, onlyA, onlyB, warnings, metrics, resamples }: Comparison): string {
  const lines = [`A  ${resultsName(a)}`, `B  ${resultsName(b)}`, `${pairs} pairs, ${resamples} resamples`];
  if (onlyA.length > 0) lines.push(`only in A: ${onlyA.join(", ")}`);
  if (onlyB.length > 0) lines.push(`only in B: ${onlyB.join(", ")}`);
  lines.push(...warnings.map((warning) => `note: ${warning}`));
  const table = textTable(["", "A", "B", "B − A", "95 % interval", "better", "worse", "equal"], metrics.map(row));
  return `${lines.join("\n")}\n\n${table}`;
}

function row({ metric, a, b, difference, interval, better, worse, equal }: MetricComparison): string[] {
  const digits = metric === "matches" ? 1 : 3;
  const text = (value: number) => value.toFixed(digits);
  const signed = (value: number) => (value > 0 ? "+" : "") + text(value);
  return [
    metric,
    text(a),
    text(b),
    signed(difference),
    `${signed(interval[0])} … ${signed(interval[1])}`,
    ...[better, worse, equal].map(String),
  ];
}
