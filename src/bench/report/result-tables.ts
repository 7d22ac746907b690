/** The tables of the report: means of the runs, and published figures. */

import { type Column, type RowGroup, table } from "../../report/table.js";
import { CORNER_THRESHOLDS, ESTIMATORS, type Estimator, type MethodCurve, type Summary } from "../types.js";
import { costsOf } from "./costs.js";
import { comparedCurves, curveLabel, peerLabel, publishedGroup, type SummarizedRun } from "./series.js";
import { count, decimals, KIND_NAMES } from "./text.js";

const share = (value: number): string => decimals(value, 3);

function shareColumns(over: string, thresholds: readonly number[], title: string): Column[] {
  return thresholds.map((t) => ({
    over,
    label: `@${t}`,
    title: title.replace("#", `${t} px`),
    format: share,
    best: "highest",
  }));
}

const MMA = [1, 3, 5, 10] as const;
const REFINED = [1, 3, 5] as const;

const MATCHING: Column[] = [
  { label: "features", title: "mean keypoints of an image", format: count },
  { label: "matches", title: "mean mutual nearest neighbours of a pair", format: count },
  ...shareColumns("MMA", MMA, "mean share of matches within # of the truth"),
  ...shareColumns("MMA refined", REFINED, "the same, of matches that a RANSAC homography keeps, within #"),
  {
    label: "repeatability",
    title: "share of covisible keypoints found again within 3 px",
    format: share,
    best: "highest",
  },
  { label: "matching score", title: "right matches (3 px) over covisible keypoints", format: share, best: "highest" },
  { label: "empty", title: "pairs without a single match; they count 0", format: count },
  { label: "ms/image", title: "median time from pixels to features", format: milliseconds, best: "lowest" },
  { label: "peak MB", title: "peak memory of the process", format: count, best: "lowest" },
];

/** Features, matches, MMA, repeatability, matching score and cost, for all pairs and for each kind. */
export function matchingTable(runs: readonly SummarizedRun[]): string {
  const rows = (summary: Summary, { run }: SummarizedRun): (number | null)[] => {
    const { seconds, peakMB } = costsOf(run.images);
    return [
      summary.features,
      summary.matches,
      ...MMA.map((t) => summary.mma[t - 1]),
      ...REFINED.map((t) => summary.refinedMma[t - 1]),
      summary.repeatability,
      summary.matchingScore,
      summary.empty,
      seconds === null ? null : 1000 * seconds,
      peakMB,
    ];
  };
  return table("Features and matches", "method", MATCHING, byKind(runs, rows));
}

const ESTIMATOR_NAMES: Record<Estimator, string> = { magsac: "MAGSAC", ransac: "RANSAC", dlt: "DLT" };

const HOMOGRAPHIES: Column[] = ESTIMATORS.flatMap((estimator) => [
  ...shareColumns(
    `${ESTIMATOR_NAMES[estimator]}: accuracy`,
    CORNER_THRESHOLDS,
    "share of pairs with a mean corner error up to #",
  ),
  ...shareColumns(`${ESTIMATOR_NAMES[estimator]}: AUC`, CORNER_THRESHOLDS, "area under the share of pairs up to #"),
]);

/** Accuracy and AUC of homographies per estimator, for all pairs and for each kind. */
export function homographyTable(runs: readonly SummarizedRun[]): string {
  const rows = ({ homography }: Summary) =>
    ESTIMATORS.flatMap((estimator) => [...homography[estimator].accuracy, ...homography[estimator].auc]);
  return table("Homographies", "method", HOMOGRAPHIES, byKind(runs, rows));
}

function byKind(
  runs: readonly SummarizedRun[],
  values: (summary: Summary, run: SummarizedRun) => (number | null)[],
): RowGroup[] {
  return (["all", "illumination", "viewpoint"] as const).map((kind) => {
    const present = runs.filter(({ summaries }) => summaries[kind] !== null);
    const pairs = [...new Set(present.map(({ summaries }) => summaries[kind]!.pairs))].sort((a, b) => a - b);
    return {
      title: `${KIND_NAMES[kind]} (${pairs.join(" to ")} pairs)`,
      rows: present.map((run) => ({ label: run.name, values: values(run.summaries[kind]!, run) })),
    };
  });
}

const CURVES: Column[] = [
  ...shareColumns("MMA", MMA, "mean share of matches within # of the truth"),
  ...shareColumns("illumination", [3], "MMA over illumination sequences at #"),
  ...shareColumns("viewpoint", [3], "MMA over viewpoint sequences at #"),
  { over: "means", label: "features", format: count },
  { over: "means", label: "matches", format: count },
];

/** Published figures of each group, the highest MMA@3 first. */
export function publishedTable(curves: readonly MethodCurve[]): string {
  const groups = (
    [
      ["Systems of others, and the reference’s final model", comparedCurves(curves), peerLabel],
      ["The reference’s system by its training loss", publishedGroup(curves, "losses"), curveLabel],
      ["Its variants, and what is in the data twice", publishedGroup(curves, "variants"), curveLabel],
    ] as const
  ).map(([title, chosen, label]) => ({ title, rows: curveRows(chosen, label) }));
  return table("Published figures (HPatches, 108 sequences)", "method", CURVES, groups);
}

/** What was read from result caches. */
export function cachedTable(curves: readonly MethodCurve[]): string {
  return table("From the reference’s cache", "method", CURVES, [{ rows: curveRows(curves, curveLabel) }]);
}

function curveRows(curves: readonly MethodCurve[], label: (name: string) => string): RowGroup["rows"] {
  const at = ({ thresholds }: MethodCurve, values: readonly number[], t: number) =>
    values[thresholds.indexOf(t)] ?? null;
  return curves
    .toSorted((a, b) => (at(b, b.overall, 3) ?? 0) - (at(a, a.overall, 3) ?? 0))
    .map((curve) => ({
      label: `${label(curve.name)}${curve.refined ? ", refined" : ""}`,
      values: [
        ...MMA.map((t) => at(curve, curve.overall, t)),
        at(curve, curve.illumination, 3),
        at(curve, curve.viewpoint, 3),
        curve.meanFeatures,
        curve.meanMatches,
      ],
    }));
}

function milliseconds(value: number): string {
  return value < 10 ? decimals(value, 1) : count(value);
}
