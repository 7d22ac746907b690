/** The second look: the best candidates of a search by their geometry, and the order of the results. */
import type { FloatFeatures } from "../features.js";
import type { VerdictModel } from "../geometry/verdict.js";
import type { GivenSearch, SearchResult } from "./search-options.js";
import { NOT_VERIFIED, scaleQuery, type Verified, verifyImage } from "./verify.js";

/** An image that may show what the query shows. */
export interface Candidate {
  id: string;
  score: number;
  /** Its kept keypoints; null where they cannot be read. */
  local(): Promise<FloatFeatures | null>;
}

/** Equal scores in the order of their ids. */
export const byScore = (a: Pick<Candidate, "id" | "score">, b: Pick<Candidate, "id" | "score">): number =>
  b.score - a.score || (a.id < b.id ? -1 : 1);

/** Verifies candidates, the best first, until nothing new is found. */
export async function verifyCandidates(
  candidates: readonly Candidate[],
  features: FloatFeatures,
  verdict: VerdictModel | null,
  { top, verify, patience, points, signal }: GivenSearch,
): Promise<{ results: SearchResult[]; verified: number }> {
  const query = scaleQuery(features);
  const judged: (Candidate & Verified)[] = candidates.map((one) => ({ ...one, ...NOT_VERIFIED }));
  let verified = 0;
  let lastFound = -1;
  for (const one of verdict ? judged.slice(0, verify) : []) {
    signal?.throwIfAborted();
    if (lastFound >= 0 && verified - lastFound > patience) break;
    const image = await one.local();
    if (image && verdict) Object.assign(one, await verifyImage(query, image, verdict));
    if (one.found) lastFound = verified;
    verified++;
  }
  const order = (a: Candidate & Verified, b: Candidate & Verified) =>
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
