/** Means over pairs, as an evaluation's table shows them. */
import { OptionError } from "../errors.js";
import { areaUnderShare, matchingAccuracy, matchingScore, repeatability, shareWithin } from "./metrics.js";
import {
  CORNER_THRESHOLDS,
  ESTIMATORS,
  type Estimator,
  type KindSummaries,
  type ScoredPair,
  type SequenceKind,
  type Summary,
  THRESHOLDS,
} from "./types.js";

/** Means over the pairs, each pair with the same weight; a pair without matches counts 0. OptionError for no pairs. */
export function summarize(records: readonly ScoredPair[]): Summary {
  if (records.length === 0) throw new OptionError("summarize: needs at least one pair, got none");
  const mean = (value: (record: ScoredPair) => number): number => {
    let sum = 0;
    for (const record of records) sum += value(record);
    return sum / records.length;
  };
  const homography = {} as Record<Estimator, { accuracy: number[]; auc: number[] }>;
  for (const estimator of ESTIMATORS) {
    const errors = records.map(({ cornerError }) => cornerError[estimator]);
    homography[estimator] = {
      accuracy: CORNER_THRESHOLDS.map((threshold) => shareWithin(errors, threshold)),
      auc: CORNER_THRESHOLDS.map((threshold) => areaUnderShare(errors, threshold)),
    };
  }
  return {
    pairs: records.length,
    empty: records.filter(({ matches }) => matches === 0).length,
    mma: THRESHOLDS.map((_, t) => mean((record) => matchingAccuracy(record)[t])),
    refinedMma: THRESHOLDS.map((_, t) => mean(({ refined }) => matchingAccuracy(refined)[t])),
    features: featuresPerImage(records),
    matches: mean(({ matches }) => matches),
    refinedMatches: mean(({ refined }) => refined.matches),
    repeatability: mean(repeatability),
    matchingScore: mean(matchingScore),
    homography,
  };
}

/** Summaries of all pairs and of HPatches' halves. */
export function summarizeByKind(records: readonly ScoredPair[]): KindSummaries {
  const of = (wanted: SequenceKind) => {
    const chosen = records.filter(({ kind }) => kind === wanted);
    return chosen.length === 0 ? null : summarize(chosen);
  };
  return { all: summarize(records), illumination: of("illumination"), viewpoint: of("viewpoint") };
}

/** Mean number of keypoints; an image that is in several pairs counts once. */
function featuresPerImage(records: readonly ScoredPair[]): number {
  const counts = new Map<string, number>();
  for (const { sequence, images, keypoints } of records) {
    for (const side of [0, 1]) counts.set(`${sequence}/${images[side]}`, keypoints[side]);
  }
  return [...counts.values()].reduce((sum, count) => sum + count, 0) / counts.size;
}
