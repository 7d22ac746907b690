/** `strata bench compare`: two runs pair by pair, with the intervals of their differences. */
import type { Comparison, MetricComparison } from "../../bench/compare.js";
import { compareResults } from "../../node/bench/compare-results.js";
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
  const comparisons = await compareResults(a, b, { out: flags.out, seed: flags.seed ?? 0 });
  if (flags.json) context.out(`${JSON.stringify(comparisons, null, 2)}\n`);
  else context.out(comparisons.map(describe).join("\n"));
  return EXIT.ok;
}

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
