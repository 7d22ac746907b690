/** A search in segments: candidates by their words or vectors, then the best of them by their geometry. */
import { StateError, StrataError } from "../errors.js";
import { type Seconds, timed } from "../timing.js";
import { type Aggregated, aggregate, normOf, signatureBits } from "./aggregate.js";
import { globalBytes, type IndexFeatures } from "./global-identity.js";
import { roundedDescriptors } from "./indexed-image.js";
import { isRemoved, type Manifest } from "./manifest.js";
import type { OpenSegment } from "./open-segment.js";
import { quantizerOf } from "./quantize.js";
import { byScore, type Candidate, verifyCandidates } from "./rerank.js";
import { addScores, similarityTable } from "./score.js";
import {
  checkSearchOptions,
  type GivenSearch,
  type SearchOptions,
  type SearchReport,
  searchVerdictOf,
} from "./search-options.js";
import { vladOf, vladScores } from "./vlad.js";
import type { Vocabulary } from "./vocabulary.js";

type OnDamage = (segment: OpenSegment, error: StrataError) => void;

interface Scored {
  segment: OpenSegment;
  image: number;
  score: number;
}

export async function searchSegments(
  manifest: Manifest,
  vocabulary: Vocabulary | null,
  segments: readonly OpenSegment[],
  features: IndexFeatures,
  options: SearchOptions,
  onDamage: OnDamage,
): Promise<Omit<SearchReport, "damaged">> {
  const given = checkSearchOptions(options);
  const verdict = searchVerdictOf(given, manifest);
  const seconds: Seconds = {};
  const { signal, among } = given;
  const query = await timed(
    seconds,
    "words",
    async () => queryVector(manifest, vocabulary, features, given) ?? queryWords(vocabulary, features, given),
  );
  signal?.throwIfAborted();
  const most = Math.max(given.top, given.verify);
  const candidates = await timed(seconds, "candidates", async () => {
    const all: Scored[] = [];
    const score =
      query instanceof Int8Array
        ? byVector(query)
        : byWords(
            vocabulary as Vocabulary,
            query,
            await rarest(segments, query.words, given.mostPostings, onDamage),
            given,
          );
    for (const segment of segments) {
      if (!segment.reader) continue;
      const scores = await spared(segment, onDamage, () => score(segment));
      if (scores) all.push(...bestOf(segment, scores, among ? Infinity : most));
    }
    return named(all, most, onDamage, among);
  });
  const results = await timed(seconds, "verify", () => verifyCandidates(candidates, features, verdict, given));
  return { ...results, seconds };
}

type Score = (segment: OpenSegment) => Promise<Float32Array>;

/** The query's vector, as the index keeps those of images; null where it ranks by words. */
export function queryVector(
  { kind, global }: Manifest,
  vocabulary: Vocabulary | null,
  features: IndexFeatures,
  { wordKeypoints }: GivenSearch,
): Int8Array | null {
  if (global) return globalBytes("search", features, global);
  if (kind !== "vlad" || !vocabulary) return null;
  const { descriptors, count } = roundedDescriptors(features, wordKeypoints);
  return vladOf(vocabulary, descriptors, count);
}

function queryWords(
  vocabulary: Vocabulary | null,
  features: IndexFeatures,
  { wordKeypoints, neighbours }: GivenSearch,
): Aggregated {
  if (!vocabulary) throw new StateError("search: an index of words without a vocabulary");
  const { descriptors, count } = roundedDescriptors(features, wordKeypoints);
  const { words } = quantizerOf(vocabulary).assign(descriptors, count, neighbours);
  return aggregate(vocabulary, descriptors, count, words);
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
function bestOf(segment: OpenSegment, scores: Float32Array, most: number): Scored[] {
  const { entry } = segment;
  const best: Scored[] = [];
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

/** The best candidates of all segments with their ids; equal ones in the order of these, however they lie in segments. */
async function named(
  candidates: Scored[],
  most: number,
  onDamage: OnDamage,
  among: SearchOptions["among"],
): Promise<Candidate[]> {
  candidates.sort((a, b) => b.score - a.score);
  const all: Candidate[] = [];
  for (const candidate of candidates) {
    if (all.length >= most && candidate.score < all[most - 1].score) break;
    const { segment, image, score } = candidate;
    const id = await spared(segment, onDamage, async () => segment.reader?.id(image));
    if (typeof id !== "string" || (among && !among(id))) continue;
    all.push({
      id,
      score,
      local: async () => spared(segment, onDamage, async () => segment.reader?.local(image) ?? null),
    });
  }
  return all.sort(byScore).slice(0, most);
}
