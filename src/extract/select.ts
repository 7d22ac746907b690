/** The best of many candidates, in order of score; equal scores keep the order in which they were found. */

/** Indices of the candidates with a score ≥ `threshold`, best first, at most `limit` (null: all). */
export function bestFirst(scores: Float32Array, threshold: number, limit: number | null): Uint32Array {
  let count = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i] >= threshold) count++;
  const kept = new Uint32Array(count);
  for (let i = 0, k = 0; i < scores.length; i++) if (scores[i] >= threshold) kept[k++] = i;
  const sorted = kept.sort((a, b) => scores[b] - scores[a] || a - b);
  return limit === null ? sorted : sorted.subarray(0, limit);
}
