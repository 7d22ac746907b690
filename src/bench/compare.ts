/**
 * Two runs pair by pair: on the same pairs most of the spread (hard and easy pairs) is common to both and drops out of
 * the differences. Intervals are of the percentile bootstrap (Efron 1979) over pairs.
 */

import { checkObject } from "../check.js";
import { FormatError, OptionError } from "../errors.js";
import { canonicalJson } from "../formats/record.js";
import { checkNumber, withDefaults } from "../options.js";
import { Random } from "../random.js";
import { matchingAccuracy, matchingScore, repeatability } from "./metrics.js";
import { checkRecords } from "./summary.js";
import { CORNER_THRESHOLDS, type MethodRun, type RunInfo, type ScoredPair, THRESHOLDS } from "./types.js";

/** How two runs are compared. */
export interface CompareOptions {
  /** Seed of the resampling. Default 0. */
  seed?: number;
  /** Resamples of the pairs. Default 10 000. */
  resamples?: number;
}

/** One score of both runs, over the pairs that both have. */
export interface MetricComparison {
  /** "MMA@3 px", "repeatability", … */
  metric: string;
  /** Means. */
  a: number;
  b: number;
  /** Mean of b − a, and its 95 % interval. */
  difference: number;
  interval: [low: number, high: number];
  /** Pairs in which b is larger than a, smaller, and the same. */
  better: number;
  worse: number;
  equal: number;
}

/** Two runs, pair by pair. */
export interface Comparison {
  a: RunInfo;
  b: RunInfo;
  /** Number of pairs that both runs have. */
  pairs: number;
  /** Pairs that only one run has, "v_graf 1-2". */
  onlyA: string[];
  onlyB: string[];
  /** What else differs than features, in plain words: such differences are in the scores, too. */
  warnings: string[];
  resamples: number;
  seed: number;
  metrics: MetricComparison[];
}

/** Share of resamples inside an interval. */
const CONFIDENCE = 0.95;

const at = (threshold: number) => THRESHOLDS.indexOf(threshold);

/** What is compared; larger is better in all of them. */
const METRICS: Record<string, (pair: ScoredPair) => number> = {
  "MMA@1 px": (pair) => matchingAccuracy(pair)[at(1)],
  "MMA@3 px": (pair) => matchingAccuracy(pair)[at(3)],
  "MMA@5 px": (pair) => matchingAccuracy(pair)[at(5)],
  "refined MMA@3 px": ({ refined }) => matchingAccuracy(refined)[at(3)],
  repeatability,
  "matching score": matchingScore,
  ...Object.fromEntries(
    CORNER_THRESHOLDS.map((threshold) => [
      `homography@${threshold} px`,
      ({ cornerError: { magsac } }: ScoredPair) => Number(magsac !== null && magsac <= threshold),
    ]),
  ),
  matches: ({ matches }) => matches,
};

/** An OptionError for what is no run: facts, and records of pairs. */
export function checkRun(where: string, name: string, run: MethodRun): void {
  checkObject(where, name, run);
  checkObject(where, `${name}.info.data`, checkObject(where, `${name}.info`, run.info).data);
  checkRecords(where, run.records);
}

/**
 * b against a: means, differences and their intervals over the pairs that both have. FormatError where the runs are of
 * different data or a pair occurs twice, OptionError where they have no pair in common.
 */
export function compareRuns(a: MethodRun, b: MethodRun, options: CompareOptions = {}): Comparison {
  const settings = withDefaults<Required<CompareOptions>>("compareRuns", { seed: 0, resamples: 10_000 }, options);
  const seed = checkNumber("compareRuns", "seed", settings.seed, { min: 0, max: 2 ** 32 - 1, integer: true });
  const resamples = checkNumber("compareRuns", "resamples", settings.resamples, { min: 1, max: 1e7, integer: true });
  checkRun("compareRuns", "a", a);
  checkRun("compareRuns", "b", b);
  if (a.info.data.digest !== b.info.data.digest) {
    throw new FormatError(
      `the runs are of different images or homographies: ${describeData(a.info)} and ${describeData(b.info)}; ` +
        "score both on the same data",
    );
  }
  const [ofA, ofB] = [byPair(a), byPair(b)];
  const common = [...ofA.keys()].filter((id) => ofB.has(id));
  const onlyA = [...ofA.keys()].filter((id) => !ofB.has(id));
  const onlyB = [...ofB.keys()].filter((id) => !ofA.has(id));
  if (common.length === 0) {
    throw new OptionError(`the runs have no pair in common: ${ofA.size} of a and ${ofB.size} of b, none the same`);
  }

  const names = Object.keys(METRICS);
  const values = (of: Map<string, ScoredPair>) =>
    names.map((name) => Float64Array.from(common, (id) => METRICS[name](of.get(id) as ScoredPair)));
  const [valuesA, valuesB] = [values(ofA), values(ofB)];
  const differences = names.map((_, k) => valuesB[k].map((value, i) => value - valuesA[k][i]));
  const intervals = bootstrapIntervals(differences, resamples, new Random(seed));
  const metrics = names.map((metric, k) => ({
    metric,
    a: mean(valuesA[k]),
    b: mean(valuesB[k]),
    difference: mean(differences[k]),
    interval: intervals[k],
    better: differences[k].filter((d) => d > 0).length,
    worse: differences[k].filter((d) => d < 0).length,
    equal: differences[k].filter((d) => d === 0).length,
  }));
  const warnings = differing(a.info, b.info);
  return { a: a.info, b: b.info, pairs: common.length, onlyA, onlyB, warnings, resamples, seed, metrics };
}

/**
 * 95 % percentile intervals of the means of several quantities, each an array with a value per pair. Every resample
 * draws the pairs once for all of them.
 */
export function bootstrapIntervals(
  quantities: readonly Float64Array[],
  resamples: number,
  random: Random,
): [number, number][] {
  const pairs = quantities[0]?.length ?? 0;
  const means = quantities.map(() => new Float64Array(resamples));
  const drawn = new Uint32Array(pairs);
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < pairs; i++) drawn[i] = random.integer(pairs);
    for (let k = 0; k < quantities.length; k++) {
      const values = quantities[k];
      let sum = 0;
      for (let i = 0; i < pairs; i++) sum += values[drawn[i]];
      means[k][r] = sum / pairs;
    }
  }
  return means.map((sample) => {
    sample.sort();
    return [quantile(sample, (1 - CONFIDENCE) / 2), quantile(sample, (1 + CONFIDENCE) / 2)];
  });
}

/** Quantile of sorted values, linear between neighbours. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

function byPair({ info, records }: MethodRun): Map<string, ScoredPair> {
  const pairs = new Map<string, ScoredPair>();
  for (const record of records) {
    const id = `${record.sequence} ${record.images.join("-")}`;
    if (pairs.has(id)) throw new FormatError(`the run of ${info.method} has the pair ${id} twice`);
    pairs.set(id, record);
  }
  return pairs;
}

function differing(a: RunInfo, b: RunInfo): string[] {
  const warnings: string[] = [];
  if (a.protocol !== b.protocol) warnings.push(`the protocols differ: ${a.protocol} and ${b.protocol}`);
  // The limit of keypoints belongs to the protocol.
  const keys = new Set([...Object.keys(a.scoring), ...Object.keys(b.scoring)]);
  for (const key of ["maxFeatures", "seed"]) keys.delete(key);
  const changed = [...keys].filter(
    (key) => canonicalJson(a.scoring[key] ?? null) !== canonicalJson(b.scoring[key] ?? null),
  );
  if (changed.length > 0) warnings.push(`the runs were not scored alike: ${changed.join(", ")} differ`);
  return warnings;
}

function describeData({ method, data }: RunInfo): string {
  return `${method} on ${data.name} (${data.digest.slice(0, 12)})`;
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
