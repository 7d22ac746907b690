/** Options and results of a search, whatever kind of index answers it. */
import { wrong } from "../check.js";
import { OptionError } from "../errors.js";
import { parseVerdictModel, type VerdictModel } from "../geometry/verdict.js";
import { checkNumber, withDefaults } from "../options.js";
import type { Seconds } from "../timing.js";
import type { DamagedFile } from "./open-segment.js";
import type { FoundGeometry, FoundPoints } from "./verify.js";

/** How is searched. */
export interface SearchOptions {
  /** Most results; default 10. */
  top?: number;
  /** Candidates whose geometry is verified, the most alike first; 0: none is. Default 50. */
  verify?: number;
  /**
   * Stop verifying once an image is found and this many candidates after the last find were not; default 10.
   */
  patience?: number;
  /** Keypoints of the query that make its words, best first; default 1000. */
  wordKeypoints?: number;
  /** Words per keypoint of the query; default 3. */
  neighbours?: number;
  /**
   * Postings that are looked at in all segments, those of the query's rarest words first; default 4 000 000. Words that very
   * many images have say little, and take most of a search's time in a large index.
   */
  mostPostings?: number;
  /** Correlation of signatures above which a shared word counts, 0 to 1; default 0.2. */
  threshold?: number;
  /** Power of the correlation; default 3. */
  exponent?: number;
  /** The model's verdict on a find; default: that of the index. */
  verdict?: VerdictModel;
  /** Also give the points that fit together; default false. */
  points?: boolean;
  /** Ids that may be found; default: all. */
  among?: (id: string) => boolean;
  /** Stops between two steps with the signal's reason. */
  signal?: AbortSignal;
}

/** An image that may show what the query shows. */
export interface SearchResult {
  id: string;
  /** How many words it shares with the query, or how alike their vectors are: 0 to about 1. */
  score: number;
  /** Whether it is called the same; false where it was not verified. */
  found: boolean;
  /** That its geometry is right; 0 where there is none. */
  probability: number;
  /** Keypoints that agree with the geometry. */
  inliers: number;
  /** Where it lies in the query; null where no geometry fits. */
  geometry: FoundGeometry | null;
  /** There where asked for. */
  points?: FoundPoints | null;
}

/** What a search gives. */
export interface SearchReport {
  /** The surest first, then by score. */
  results: SearchResult[];
  /** Candidates whose geometry was verified. */
  verified: number;
  /** Times of the steps "words", "candidates" and "verify". */
  seconds: Seconds;
  /** Segments that were left out. */
  damaged: DamagedFile[];
}

/** Defaults of a search. */
export const SEARCH_DEFAULTS = {
  top: 10,
  verify: 50,
  patience: 10,
  wordKeypoints: 1000,
  neighbours: 3,
  mostPostings: 4_000_000,
  threshold: 0.2,
  exponent: 3,
} as const;

/** Options with their defaults, checked. */
export type GivenSearch = Required<Omit<SearchOptions, "verdict" | "among" | "signal">> & SearchOptions;

export function checkSearchOptions(options: SearchOptions): GivenSearch {
  const where = "search";
  const given = withDefaults<SearchOptions>(
    where,
    { ...SEARCH_DEFAULTS, verdict: undefined, points: false, among: undefined, signal: undefined },
    options,
  ) as GivenSearch;
  const whole = { integer: true };
  checkNumber(where, "top", given.top, { min: 1, max: 1e5, ...whole });
  checkNumber(where, "verify", given.verify, { min: 0, max: 1e5, ...whole });
  checkNumber(where, "patience", given.patience, { min: 1, ...whole });
  checkNumber(where, "wordKeypoints", given.wordKeypoints, { min: 1, ...whole });
  checkNumber(where, "neighbours", given.neighbours, { min: 1, max: 64, ...whole });
  checkNumber(where, "mostPostings", given.mostPostings, { min: 1 });
  checkNumber(where, "threshold", given.threshold, { min: 0, max: 1 });
  checkNumber(where, "exponent", given.exponent, { min: 0, max: 100 });
  if (given.verdict !== undefined) parseVerdictModel(where, given.verdict);
  if (given.among !== undefined && typeof given.among !== "function")
    throw wrong(where, '"among"', "a function", given.among);
  return given;
}

/** The verdict that finds are judged by; an OptionError where geometry is asked for and there is none. */
export function searchVerdictOf(
  given: GivenSearch,
  { verdict, model }: { verdict: VerdictModel | null; model: { name: string } },
): VerdictModel | null {
  const own = given.verdict ?? verdict;
  if (given.verify > 0 && !own) {
    throw new OptionError(
      `search: the index has no verdict of ${model.name} to judge finds by; give "verdict", or "verify" 0`,
    );
  }
  return own;
}
