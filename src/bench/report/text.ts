/** Small pieces of text: numbers as tables show them, names of runs. */
import { matchingAccuracy } from "../metrics.js";
import type { MethodRun, PairRecord, SequenceKind } from "../types.js";

export { count, decimals, NOTHING } from "../../report/text.js";

/** "1 pair", "4 pairs" */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** "1–2" */
export const pairName = (images: readonly [number, number]): string => `${images[0]}–${images[1]}`;

/** Method and protocol as people call them; the method's own keypoints need no mention. */
export function runName({ method, protocol }: { method: string; protocol: string }): string {
  return protocol === "own" ? method : `${method}, ${protocol.replace(/^top-(\d+)$/, "best $1")}`;
}

/** A name for each run, with its key where method and protocol alone would not tell two runs apart. */
export function runNames(runs: readonly MethodRun[]): string[] {
  const names = runs.map(({ info }) => runName(info));
  return names.map((name, i) =>
    names.indexOf(name) === names.lastIndexOf(name) ? name : `${name} (${runs[i].info.key})`,
  );
}

/** Share of a pair's matches that are right within `threshold` whole pixels; 0 where there is no match. */
export function accuracy(pair: PairRecord, threshold: number): number {
  return matchingAccuracy(pair)[threshold - 1];
}

export const KIND_NAMES: Record<SequenceKind | "all", string> = {
  all: "All",
  illumination: "Illumination",
  viewpoint: "Viewpoint",
  other: "Other",
};
