/**
 * Mutual nearest neighbours by cosine similarity, or by the Hamming distance of bits, with Lowe's ratio test (IJCV 2004)
 * and a least similarity as options. Rows of the first image are taken tile by tile, so memory is bounded by one tile whatever the number of
 * keypoints.
 */
import { ShapeError } from "../errors.js";
import { unitRows } from "../extract/describe.js";
import { checkFeatures, describeDescriptors, type Features, type Matches } from "../features.js";
import type { Runtime } from "../graph/session.js";
import { checkNumber, withDefaults } from "../options.js";
import { openHamming } from "./binary.js";
import { emptyNearest, type Nearest, scanTile } from "./nearest.js";
import { openProduct, runtimeIfSet } from "./product.js";

/** How descriptors are matched. */
export interface MatchOptions {
  /** Keep only pairs that are each other's nearest neighbour; false: every keypoint of a with its nearest of b. Default true. */
  mutual?: boolean;
  /**
   * Lowe's ratio in [0, 1]: keep a pair when the distance √(2 − 2s) (of bits: the Hamming distance) to the nearest is
   * below `ratio` times the distance to the second nearest keypoint of b. A keypoint without a second neighbour passes.
   * Default null: no test.
   */
  ratio?: number | null;
  /** Keep pairs of at least this cosine similarity, in [-1, 1]. Default null: no test. */
  minSimilarity?: number | null;
  /** Most descriptors of a that are compared at a time (a tile also holds at most 4 million similarities). Default 256. */
  tileRows?: number;
  /** What multiplies; null: plain JavaScript. Default: the runtime that a door has set, plain JavaScript without one. */
  runtime?: Runtime | null;
  /** Threads of the runtime. Default: the runtime's choice; in matchImages those of the extractor. */
  threads?: number;
}

/**
 * 256 rows were the fastest for 10 000 × 10 000 × 64 on two cores (0.4 s; 128 and 512 rows: the same within noise, but
 * 512 takes twice the memory, 1024 half as long again because its tiles leave the cache).
 */
const DEFAULTS: Required<Omit<MatchOptions, "runtime" | "threads">> & Pick<MatchOptions, "runtime" | "threads"> = {
  mutual: true,
  ratio: null,
  minSimilarity: null,
  tileRows: 256,
  runtime: undefined,
  threads: undefined,
};

/** Most similarities in a tile: 16 MB. */
const TILE_SIZE = 4_000_000;

/**
 * Pairs of keypoints of `a` and `b` whose descriptors are nearest neighbours, sorted by the index in `a`; `scores` are
 * their cosine similarities. Floats are compared by their angle, whatever their length; bits by their Hamming distance.
 * No keypoints on a side: no matches. Throws a ShapeError when the descriptors differ in length or kind or are missing,
 * an OptionError for an option that is not offered.
 */
export async function matchFeatures(a: Features, b: Features, options: MatchOptions = {}): Promise<Matches> {
  const { mutual, ratio, minSimilarity, tileRows, runtime, threads } = checkMatchOptions(options);
  checkFeatures("matchFeatures: a", a);
  checkFeatures("matchFeatures: b", b);
  if (a.count === 0 || b.count === 0) return { count: 0, pairs: new Uint32Array(0), scores: new Float32Array(0) };
  const { multiply, ...scale } = await openMeasure(a, b, runtime, threads);

  const nearest = emptyNearest(a.count, b.count);
  const rows = Math.max(1, Math.min(tileRows, Math.floor(TILE_SIZE / b.count)));
  for (let first = 0; first < a.count; first += rows) {
    const count = Math.min(rows, a.count - first);
    scanTile(nearest, await multiply(first, count), first, count);
  }
  return selectPairs(nearest, { mutual, ratio, minSimilarity }, scale);
}

/** The pairs of nearest neighbours that pass the tests. */
export function selectPairs(
  { rowIndex, rowBest, rowSecond, columnIndex }: Nearest,
  { mutual, ratio, minSimilarity }: Required<Pick<MatchOptions, "mutual" | "ratio" | "minSimilarity">>,
  { distance, similarity }: ValueScale,
): Matches {
  const pairs = new Uint32Array(2 * rowIndex.length);
  const scores = new Float32Array(rowIndex.length);
  let count = 0;
  for (let i = 0; i < rowIndex.length; i++) {
    const j = rowIndex[i];
    if (j < 0 || (mutual && columnIndex[j] !== i)) continue;
    const score = similarity(rowBest[i]);
    if (minSimilarity !== null && !(score >= minSimilarity)) continue;
    if (ratio !== null && !(distance(rowBest[i]) < ratio * distance(rowSecond[i]))) continue;
    pairs[2 * count] = i;
    pairs[2 * count + 1] = j;
    scores[count++] = score;
  }
  return { count, pairs: pairs.slice(0, 2 * count), scores: scores.slice(0, count) };
}

/** What values of which the largest is the nearest stand for. */
export interface ValueScale {
  /** What the ratio test compares; infinite for -Infinity, no neighbour. */
  distance(value: number): number;
  /** The cosine similarity that a value stands for. */
  similarity(value: number): number;
}

/** Of unit vectors: a value is their cosine similarity. */
export const COSINE: ValueScale = {
  distance: (value) => Math.sqrt(Math.max(0, 2 - 2 * value)),
  similarity: (value) => value,
};

/** Of so many bits: a value is bits less twice the Hamming distance. */
export const hammingScale = (bits: number): ValueScale => ({
  distance: (value) => (bits - value) / 2,
  similarity: (value) => value / bits,
});

/** A ShapeError unless both have descriptors of one kind and length; whether those are bits. */
export function checkComparable(where: string, a: Features, b: Features): boolean {
  if (a.dim === 0 || b.dim === 0) {
    throw new ShapeError(
      `${where}: ${a.dim === 0 ? "a" : "b"} has no descriptors; matching needs those of both images`,
    );
  }
  if ((a.kind === "binary") !== (b.kind === "binary") || a.dim !== b.dim) {
    throw new ShapeError(
      `${where}: descriptors of a are ${describeDescriptors(a)}, those of b ${describeDescriptors(b)}; ` +
        "extract both with the same model",
    );
  }
  return a.kind === "binary";
}

/** How two sets of descriptors are compared. */
interface Measure extends ValueScale {
  /** The values of `count` descriptors of a, from `first` on, with all of b. */
  multiply(first: number, count: number): Promise<Float32Array>;
}

async function openMeasure(
  a: Features,
  b: Features,
  runtime: Runtime | null,
  threads: number | undefined,
): Promise<Measure> {
  checkComparable("matchFeatures", a, b);
  const { dim } = a;
  if (a.kind === "binary" || b.kind === "binary") {
    const [left, right] = [a.descriptors as Uint8Array, b.descriptors as Uint8Array];
    const product = await openHamming(runtime, right, b.count, dim, threads);
    return {
      multiply: (first, count) => product.multiply(left.subarray(first * dim, (first + count) * dim), count),
      ...hammingScale(8 * dim),
    };
  }
  const descriptors = unitRows(a.descriptors, dim);
  const product = await openProduct(runtime, unitRows(b.descriptors, dim), b.count, dim, threads);
  return {
    multiply: (first, count) => product.multiply(descriptors.subarray(first * dim, (first + count) * dim), count),
    ...COSINE,
  };
}

/** Checked options of matching; `where` names who asks. */
export function checkMatchOptions(options: MatchOptions, where = "matchFeatures") {
  const given = withDefaults(where, DEFAULTS, options);
  if (given.ratio !== null) checkNumber(where, "ratio", given.ratio, { min: 0, max: 1 });
  if (given.minSimilarity !== null) checkNumber(where, "minSimilarity", given.minSimilarity, { min: -1, max: 1 });
  checkNumber(where, "tileRows", given.tileRows, { min: 1, integer: true });
  if (given.threads !== undefined) checkNumber(where, "threads", given.threads, { min: 1, max: 256, integer: true });
  return { ...given, runtime: given.runtime === undefined ? runtimeIfSet() : given.runtime };
}
