/** The results of an evaluation as a table for a terminal: a row per method and protocol, and per kind of sequence. */
import { costsOf } from "../../bench/report/costs.js";
import { counted, decimals, KIND_NAMES, runNames } from "../../bench/report/text.js";
import { summarizeByKind } from "../../bench/summary.js";
import type { MethodCurve, MethodRun, Summary } from "../../bench/types.js";
import { textTable } from "./text-table.js";

const HEADER = [
  ...["method", "features", "matches", "MMA@1", "@3", "@5", "refined@3", "rep", "MS", "H@1", "@3", "@5", "ms/image"],
] as const;

/**
 * With `kinds` also rows for illumination and viewpoint; curves from the reference's cache have what they have. Below it
 * a line for each run with pairs that have no match.
 */
export function summaryTable(runs: readonly MethodRun[], cached: readonly MethodCurve[], kinds: boolean): string {
  const names = runNames(runs);
  const summaries = runs.map(({ records }) => summarizeByKind(records));
  const rows = runs.flatMap(({ images }, i) => {
    const { all, illumination, viewpoint } = summaries[i];
    const { seconds } = costsOf(images);
    const first = row(names[i], all, seconds === null ? "–" : decimals(1000 * seconds, 0));
    if (!kinds) return [first];
    const more = ([kind, summary]: [keyof typeof KIND_NAMES, Summary | null]) =>
      summary ? [row(`  ${KIND_NAMES[kind].toLowerCase()}`, summary, "")] : [];
    return [first, ...more(["illumination", illumination]), ...more(["viewpoint", viewpoint])];
  });
  const empty = summaries.flatMap(({ all }, i) =>
    all.empty > 0 ? [`${names[i]}: ${all.empty} of ${counted(all.pairs, "pair")} without a match, counted as 0\n`] : [],
  );
  return [textTable(HEADER, [...rows, ...cached.map(cachedRow)]), ...empty].join("");
}

function row(name: string, summary: Summary, time: string): string[] {
  const { features, matches, mma, refinedMma, repeatability, matchingScore, homography } = summary;
  const share = (value: number) => decimals(value, 3);
  return [
    name,
    decimals(features, 0),
    decimals(matches, 0),
    ...[mma[0], mma[2], mma[4], refinedMma[2], repeatability, matchingScore].map(share),
    ...homography.magsac.accuracy.map((value) => decimals(value, 2)),
    time,
  ];
}

function cachedRow({ name, refined, thresholds, overall, meanFeatures, meanMatches }: MethodCurve): string[] {
  const at = (threshold: number) => decimals(overall[thresholds.indexOf(threshold)], 3);
  const raw = refined ? ["", "", "", at(3)] : [at(1), at(3), at(5), ""];
  return [`${name} (cached)`, decimals(meanFeatures, 0), decimals(meanMatches, 0), ...raw, "", "", "", "", "", ""];
}
