/** Between the reference's result caches and ours: a cache's curves, and a run of ours as a cache. */
import { ShapeError, UnsupportedError } from "../errors.js";
import type { HpatchesCache } from "../formats/hpatches-cache.js";
import { type MethodCurve, type MethodRun, type SequenceKind, THRESHOLDS } from "./types.js";

/** The curves of a cached method: sums divided by the numbers of pairs. Whether it is refined, the file does not say. */
export function curveOfCache(name: string, cache: HpatchesCache, refined = false): MethodCurve {
  const { thresholds, types } = cache;
  const dark = types.filter((type) => type === "i").length;
  // A kind without pairs has a curve of zeros, as its sums are.
  const over = (sums: readonly number[], pairs: number) => sums.map((sum) => (pairs === 0 ? 0 : sum / pairs));
  return {
    name,
    refined,
    thresholds: [...thresholds],
    overall: over(
      cache.illumination.map((sum, k) => sum + cache.viewpoint[k]),
      types.length,
    ),
    illumination: over(cache.illumination, dark),
    viewpoint: over(cache.viewpoint, types.length - dark),
    meanFeatures: meanOf(cache.features),
    meanMatches: meanOf(cache.matches),
  };
}

/** UnsupportedError for a sequence that the reference's caches have no place for: told before anything is scored. */
export function checkCacheable(
  sequences: readonly { name: string; kind: SequenceKind; images: readonly unknown[] }[],
): void {
  for (const { name, kind, images } of sequences) {
    if (kind === "other") throw otherKind(name);
    if (images.length !== 6) {
      throw new UnsupportedError(
        `sequence "${name}" has ${images.length} images; the reference's caches know only sequences of six`,
      );
    }
  }
}

/**
 * A run's raw or refined results as the reference caches them. UnsupportedError for sequences that are neither
 * illumination nor viewpoint, for the format has no place for them.
 */
export function cacheOfRun({ records, images, info }: MethodRun, refined = false): HpatchesCache {
  const other = records.find(({ kind }) => kind === "other");
  if (other) throw otherKind(other.sequence);
  if (5 * images.length !== 6 * records.length) {
    throw new ShapeError(
      `cacheOfRun: ${info.method} has ${records.length} pairs and ${images.length} images; a cache needs whole sequences, five pairs and six images each`,
    );
  }
  const sums = { illumination: THRESHOLDS.map(() => 0), viewpoint: THRESHOLDS.map(() => 0) };
  const matches: number[] = [];
  for (const record of records) {
    const scored = refined ? record.refined : record;
    matches.push(scored.matches);
    const into = record.kind === "illumination" ? sums.illumination : sums.viewpoint;
    if (scored.matches > 0) for (const [k, correct] of scored.correct.entries()) into[k] += correct / scored.matches;
  }
  return {
    thresholds: [...THRESHOLDS],
    ...sums,
    types: records.map(({ kind }) => (kind === "illumination" ? "i" : "v")),
    features: images.map(({ keypoints }) => keypoints),
    matches,
  };
}

function otherKind(sequence: string): UnsupportedError {
  return new UnsupportedError(
    `sequence "${sequence}" is neither illumination (i_…) nor viewpoint (v_…); the reference's caches know no other`,
  );
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
