/** Means over pairs, as an evaluation's table shows them. */

import { checkList, checkNumbers, checkObject, checkText, wrong } from "../check.js";
import { OptionError } from "../errors.js";
import { checkNumber } from "../options.js";
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

/** An OptionError for what is no list of scored pairs. */
export function checkRecords(where: string, records: readonly ScoredPair[]): void {
  for (const [i, record] of checkList(where, "records", records).entries()) {
    const at = `records[${i}]`;
    const own = checkObject(where, at, record) as unknown as ScoredPair;
    for (const name of ["sequence", "kind"] as const) checkText(where, `${at}.${name}`, own[name]);
    for (const name of ["images", "keypoints", "covisible", "repeated"] as const) {
      if (checkNumbers(where, `${at}.${name}`, own[name]).length !== 2)
        throw wrong(where, `${at}.${name}`, "two numbers", own[name]);
    }
    checkCounts(where, at, own);
    checkCounts(
      where,
      `${at}.refined`,
      checkObject(where, `${at}.refined`, own.refined) as unknown as ScoredPair["refined"],
    );
    checkObject(where, `${at}.cornerError`, own.cornerError);
  }
}

function checkCounts(where: string, at: string, { matches, correct }: ScoredPair["refined"]): void {
  checkNumber(where, `${at}.matches`, matches, { min: 0, integer: true });
  checkNumbers(where, `${at}.correct`, correct);
}

/** Means over the pairs, each pair with the same weight; a pair without matches counts 0. OptionError for no pairs. */
export function summarize(records: readonly ScoredPair[]): Summary {
  checkRecords("summarize", records);
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
  checkRecords("summarizeByKind", records);
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
