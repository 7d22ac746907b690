/** A search: candidates by their words, then the best of them by their geometry. */
import { wrong } from "../check.js";
import { OptionError, StrataError } from "../errors.js";
import type { FloatFeatures } from "../features.js";
import { parseVerdictModel, type VerdictModel } from "../geometry/verdict.js";
import { checkNumber, withDefaults } from "../options.js";
import { type Seconds, timed } from "../timing.js";
import { type Aggregated, aggregate, normOf, signatureBits } from "./aggregate.js";
import { roundedDescriptors } from "./indexed-image.js";
import { isRemoved, type Manifest } from "./manifest.js";
import type { DamagedFile, OpenSegment } from "./open-segment.js";
import { quantizerOf } from "./quantize.js";
import { addScores, similarityTable } from "./score.js";
import {
  type FoundGeometry,
  type FoundPoints,
  NOT_VERIFIED,
  scaleQuery,
  type Verified,
  verifyImage,
} from "./verify.js";
import { vladOf, vladScores } from "./vlad.js";
import type { Vocabulary } from "./vocabulary.js";

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
  /** How many words it shares with the query, 0 to about 1. */
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

type OnDamage = (segment: OpenSegment, error: StrataError) => void;

interface Candidate {
  segment: OpenSegment;
  image: number;
  score: number;
}

export async function searchSegments(
  manifest: Manifest,
  vocabulary: Vocabulary,
  segments: readonly OpenSegment[],
  features: FloatFeatures,
  options: SearchOptions,
  onDamage: OnDamage,
): Promise<Omit<SearchReport, "damaged">> {
  const given = checkOptions(options);
  const verdict = options.verdict ?? manifest.verdict;
  if (given.verify > 0 && !verdict) {
    throw new OptionError(
      `search: the index has no verdict of ${manifest.model.name} to judge finds by; give "verdict", or "verify" 0`,
    );
  }
  const seconds: Seconds = {};
  const { signal, among } = given;
  const { descriptors, count } = roundedDescriptors(features, given.wordKeypoints);
  const query = await timed(seconds, "words", async () =>
    manifest.kind === "vlad"
      ? vladOf(vocabulary, descriptors, count)
      : wordsOf(vocabulary, descriptors, count, given.neighbours),
  );
  signal?.throwIfAborted();
  const most = Math.max(given.top, given.verify);
  const candidates = await timed(seconds, "candidates", async () => {
    const all: Candidate[] = [];
    const score =
      query instanceof Int8Array
        ? byVector(query)
        : byWords(vocabulary, query, await rarest(segments, query.words, given.mostPostings, onDamage), given);
    for (const segment of segments) {
      if (!segment.reader) continue;
      const scores = await spared(segment, onDamage, () => score(segment));
      if (scores) all.push(...bestOf(segment, scores, among ? Infinity : most));
    }
    return named(all, most, onDamage, among);
  });
  const results = await timed(seconds, "verify", () =>
    verifyCandidates(candidates, features, verdict, given, onDamage),
  );
  return { ...results, seconds };
}

function checkOptions(options: SearchOptions) {
  const where = "search";
  const given = withDefaults<SearchOptions>(
    where,
    { ...SEARCH_DEFAULTS, verdict: undefined, points: false, among: undefined, signal: undefined },
    options,
  ) as Required<Omit<SearchOptions, "verdict" | "among" | "signal">> & SearchOptions;
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

type Score = (segment: OpenSegment) => Promise<Float32Array>;

function wordsOf(vocabulary: Vocabulary, descriptors: Float32Array, count: number, neighbours: number): Aggregated {
  return aggregate(
    vocabulary,
    descriptors,
    count,
    quantizerOf(vocabulary).assign(descriptors, count, neighbours).words,
  );
}

/** Places in `words` of the rarest of them, ascending, as many as have up to `most` postings in all segments together. */
async function rarest(
  segments: readonly OpenSegment[],
  words: Uint32Array,
  most: number,
  onDamage: OnDamage,
): Promise<Uint32Array> {
  const counts = new Float64Array(words.length);
  for (const segment of segments) {
    const count = await spared(segment, onDamage, async () => segment.reader?.counts());
    for (let at = 0; count && at < words.length; at++) counts[at] += count(words[at]);
  }
  const order = Uint32Array.from(words.keys()).sort((a, b) => counts[a] - counts[b] || a - b);
  let [taken, sum] = [0, 0];
  for (; taken < order.length; taken++) {
    sum += counts[order[taken]];
    if (sum > most) break;
  }
  return order.subarray(0, taken).sort();
}

/** Scores by shared words: the sum of what those at `chosen` are worth, over the size of both. */
function byWords(
  { idf, dim }: Vocabulary,
  query: Aggregated,
  chosen: Uint32Array,
  given: { threshold: number; exponent: number },
): Score {
  const table = similarityTable(signatureBits(dim), given);
  const own = normOf(idf, query.words);
  const words = Uint32Array.from(chosen, (at) => query.words[at]);
  return async ({ reader }) => {
    if (!reader) return new Float32Array(0);
    const scores = new Float32Array(reader.images);
    const postings = new Array(words.length);
    await reader.postings(words, (at, list) => {
      postings[at] = list;
    });
    // In the order of words: sums must not depend on what was in memory.
    for (const [at, word] of words.entries()) {
      if (postings[at]) addScores(scores, postings[at], query, chosen[at], idf[word], table);
    }
    const norms = await reader.norms();
    for (let i = 0; i < scores.length; i++) scores[i] *= own * norms[i];
    return scores;
  };
}

function byVector(query: Int8Array): Score {
  return async ({ reader }) => {
    const scores = new Float32Array(reader?.images ?? 0);
    if (reader) vladScores(query, await reader.vectors(), scores);
    return scores;
  };
}

/** What `work` gives; null where the segment turns out damaged, which then is told and left out from now on. */
async function spared<T>(segment: OpenSegment, onDamage: OnDamage, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StrataError)) throw error;
    onDamage(segment, error);
    return null;
  }
}

/** The images with the best scores above 0, best first. */
function bestOf(segment: OpenSegment, scores: Float32Array, most: number): Candidate[] {
  const { entry } = segment;
  const best: Candidate[] = [];
  let least = 0;
  for (let image = 0; image < scores.length; image++) {
    const score = scores[image];
    if (!(score > least) || isRemoved(entry, image)) continue;
    best.push({ segment, image, score });
    if (best.length >= 2 * most + 64) {
      best.sort((a, b) => b.score - a.score);
      best.length = most;
      least = best[most - 1].score;
    }
  }
  return best.sort((a, b) => b.score - a.score).slice(0, most);
}

interface Named extends Candidate {
  id: string;
}

/** The best candidates of all segments with their ids; equal ones in the order of these, however they lie in segments. */
async function named(
  candidates: Candidate[],
  most: number,
  onDamage: OnDamage,
  among: SearchOptions["among"],
): Promise<Named[]> {
  candidates.sort((a, b) => b.score - a.score);
  const all: Named[] = [];
  for (const candidate of candidates) {
    if (all.length >= most && candidate.score < all[most - 1].score) break;
    const { segment, image } = candidate;
    const id = await spared(segment, onDamage, async () => segment.reader?.id(image));
    if (typeof id === "string" && (!among || among(id))) all.push({ ...candidate, id });
  }
  return all.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, most);
}

async function verifyCandidates(
  candidates: readonly Named[],
  features: FloatFeatures,
  verdict: VerdictModel | null,
  {
    top,
    verify,
    patience,
    points,
    signal,
  }: Pick<Required<SearchOptions>, "top" | "verify" | "patience" | "points"> & SearchOptions,
  onDamage: OnDamage,
): Promise<{ results: SearchResult[]; verified: number }> {
  const query = scaleQuery(features);
  const judged: (Named & Verified)[] = candidates.map((one) => ({ ...one, ...NOT_VERIFIED }));
  let verified = 0;
  let lastFound = -1;
  for (const one of verdict ? judged.slice(0, verify) : []) {
    signal?.throwIfAborted();
    if (lastFound >= 0 && verified - lastFound > patience) break;
    const image = await spared(one.segment, onDamage, async () => one.segment.reader?.local(one.image));
    if (image && verdict) Object.assign(one, await verifyImage(query, image, verdict));
    if (one.found) lastFound = verified;
    verified++;
  }
  const order = (a: Named & Verified, b: Named & Verified) =>
    b.probability - a.probability || b.inliers - a.inliers || b.score - a.score || (a.id < b.id ? -1 : 1);
  const results = judged
    .sort(order)
    .slice(0, top)
    .map(({ id, score, found, probability, inliers, geometry, points: pairs }) => ({
      ...{ id, score, found, probability, inliers, geometry },
      ...(points && { points: pairs }),
    }));
  return { results, verified };
}
