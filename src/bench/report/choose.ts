/** Which pairs the report shows: the best and the worst of each sequence, of a bounded number of sequences. */
import type { MethodRun, PairRecord } from "../types.js";
import type { PairPicture } from "./input.js";
import { accuracy } from "./text.js";

export interface ChosenPair {
  run: MethodRun;
  record: PairRecord;
  which: PairPicture["which"];
}

/**
 * Per sequence and method, the pairs with the highest and the lowest share of matches right within 3 px; of a method
 * its first run counts. Of more than `maxSequences` sequences, those which the first method does best and worst at.
 */
export function choosePairs(runs: readonly MethodRun[], maxSequences: number, maxMethods: number): ChosenPair[] {
  const shown = firstRuns(runs).slice(0, maxMethods);
  if (shown.length === 0) return [];
  return chooseSequences(shown[0], maxSequences).flatMap((sequence) =>
    shown.flatMap((run) => extremes(run, sequence).map(({ record, which }) => ({ run, record, which }))),
  );
}

/** The first run of each method: protocols differ in how many keypoints they keep, which pictures would hardly show. */
export function firstRuns(runs: readonly MethodRun[]): MethodRun[] {
  return runs.filter(({ info }, i) => runs.findIndex((run) => run.info.key === info.key) === i);
}

/** Names of sequences in the order of the records, at most `most`: half of them the worst, half the best. */
export function chooseSequences({ records }: MethodRun, most: number): string[] {
  const names = [...new Set(records.map(({ sequence }) => sequence))];
  if (names.length <= most) return names;
  const means = new Map(names.map((name) => [name, meanAccuracy(records.filter(({ sequence }) => sequence === name))]));
  const ranked = names.toSorted((a, b) => means.get(a)! - means.get(b)!);
  const worst = Math.ceil(most / 2);
  const kept = new Set([...ranked.slice(0, worst), ...ranked.slice(ranked.length - (most - worst))]);
  return names.filter((name) => kept.has(name));
}

function meanAccuracy(records: readonly PairRecord[]): number {
  return records.reduce((sum, record) => sum + accuracy(record, 3), 0) / records.length;
}

function extremes({ records }: MethodRun, sequence: string): Omit<ChosenPair, "run">[] {
  const pairs = records.filter((record) => record.sequence === sequence);
  if (pairs.length === 0) return [];
  if (pairs.length === 1) return [{ record: pairs[0], which: "only" }];
  const ranked = pairs.toSorted((a, b) => accuracy(b, 3) - accuracy(a, 3));
  return [
    { record: ranked[0], which: "best" },
    { record: ranked[ranked.length - 1], which: "worst" },
  ];
}
