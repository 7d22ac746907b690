/** Curves for the MMA figures: runs, cached and published ones in one form, raw and refined of a method together. */

import { type CurveLook, curveLook } from "../../report/plotter.js";
import { FINAL_MODEL, FINAL_MODEL_REFINED, type PublishedGroup, publishedName } from "../published-names.js";
import { type KindSummaries, type MethodCurve, type MethodRun, THRESHOLDS } from "../types.js";
import { runNames } from "./text.js";

/** MMA over thresholds; null where no pair of that kind was scored. */
export interface Curve {
  thresholds: readonly number[];
  overall: readonly number[];
  illumination: readonly number[] | null;
  viewpoint: readonly number[] | null;
  features: number;
  matches: number;
}

export interface Series {
  name: string;
  /** Where it comes from, in a word for the legend: "", "cached" or "published". */
  origin: string;
  look: CurveLook;
  raw: Curve | null;
  refined: Curve | null;
}

/** A run with its means. */
export interface SummarizedRun {
  name: string;
  run: MethodRun;
  summaries: KindSummaries;
}

export function summarizeRuns(
  runs: readonly MethodRun[],
  summarize: (records: MethodRun["records"]) => KindSummaries,
): SummarizedRun[] {
  const names = runNames(runs);
  return runs.map((run, i) => ({ name: names[i], run, summaries: summarize(run.records) }));
}

/** One series per run, then those of others, called by `label`. */
export function seriesOf(
  runs: readonly SummarizedRun[],
  cached: readonly MethodCurve[],
  published: readonly MethodCurve[],
  label: (name: string) => string = curveLabel,
): Series[] {
  const own = runs.map(({ name, summaries }) => ({ name, origin: "", ...curvesOfRun(summaries) }));
  const others = [
    ...joinCurves(cached, label).map((series) => ({ ...series, origin: "cached" })),
    ...joinCurves(published, label).map((series) => ({ ...series, origin: "published" })),
  ];
  return [...own, ...others].map((series, i) => ({ ...series, look: curveLook(i, i < own.length) }));
}

/** How people call a curve, refined or not. */
export const curveLabel = (name: string): string => publishedName(name).label;

/** The same in a figure with systems of others, where "final model" alone would not say whose. */
export function peerLabel(name: string): string {
  return name === FINAL_MODEL || name === FINAL_MODEL_REFINED ? "Reference, final model" : curveLabel(name);
}

/** The published curves of a group. */
export function publishedGroup(curves: readonly MethodCurve[], group: PublishedGroup): MethodCurve[] {
  return curves.filter(({ name }) => publishedName(name).group === group);
}

/** Those of the comparison figure: systems of others and the reference's final model. */
export function comparedCurves(curves: readonly MethodCurve[]): MethodCurve[] {
  const final = curves.filter(({ name }) => name === FINAL_MODEL || name === FINAL_MODEL_REFINED);
  return [...final, ...publishedGroup(curves, "peers")];
}

function curvesOfRun({ all, illumination, viewpoint }: KindSummaries): { raw: Curve; refined: Curve } {
  const { features } = all;
  return {
    raw: {
      thresholds: THRESHOLDS,
      overall: all.mma,
      illumination: illumination?.mma ?? null,
      viewpoint: viewpoint?.mma ?? null,
      features,
      matches: all.matches,
    },
    refined: {
      thresholds: THRESHOLDS,
      overall: all.refinedMma,
      illumination: illumination?.refinedMma ?? null,
      viewpoint: viewpoint?.refinedMma ?? null,
      features,
      matches: all.refinedMatches,
    },
  };
}

type Joined = Omit<Series, "look" | "origin">;

/** A raw and a refined curve of one label become one series; a second raw one of that label is a series of its own. */
function joinCurves(curves: readonly MethodCurve[], label: (name: string) => string): Joined[] {
  const joined: Joined[] = [];
  for (const curve of curves) {
    const name = label(curve.name);
    const slot = curve.refined ? "refined" : "raw";
    const points = { ...curve, features: curve.meanFeatures, matches: curve.meanMatches };
    const series = joined.find((one) => one.name === name && one[slot] === null);
    if (series) series[slot] = points;
    else joined.push({ name, raw: null, refined: null, [slot]: points });
  }
  return joined;
}

/** The value at a threshold, null where there is none. */
export function at(curve: Curve | null, panel: "overall" | "illumination" | "viewpoint", t: number): number | null {
  const index = curve?.thresholds.indexOf(t) ?? -1;
  return curve?.[panel]?.[index] ?? null;
}
