/** The matches that go to COLMAP: each pair once, of images that are there. */

import { FormatError, ShapeError } from "../../errors.js";
import type { Features } from "../../features.js";
import type { ImagePair } from "../../formats/colmap.js";
import { plural } from "../../plural.js";

/** The pairs that go in: each once, of images that are there, with matches of at least that score. */
export function siftPairs(
  pairs: readonly ImagePair[],
  features: ReadonlyMap<string, Features>,
  minScore: number | undefined,
  notes: string[],
): ImagePair[] {
  const seen = new Set<string>();
  const kept: ImagePair[] = [];
  for (const pair of pairs) {
    const { name0, name1 } = pair;
    for (const name of [name0, name1]) {
      if (!features.has(name)) throw new FormatError(`the matches name the image "${name}", which has no features`);
    }
    const key = JSON.stringify(name0 < name1 ? [name0, name1] : [name1, name0]);
    if (seen.has(key)) continue;
    seen.add(key);
    checkIndices(pair, features);
    kept.push(minScore === undefined ? pair : { ...pair, matches: atLeast(pair.matches, minScore) });
  }
  if (kept.length < pairs.length) {
    const twice = pairs.length - kept.length;
    notes.push(
      `${plural(twice, "pair")} ${twice === 1 ? "is" : "are"} there twice, the other way round; the first of each is taken`,
    );
  }
  return kept;
}

function checkIndices({ name0, name1, matches }: ImagePair, features: ReadonlyMap<string, Features>): void {
  const counts = [name0, name1].map((name) => features.get(name)?.count ?? 0);
  const bad = matches.pairs.findIndex((index, k) => index >= counts[k & 1]);
  if (bad < 0) return;
  throw new ShapeError(
    `"${name0}" and "${name1}": match ${bad >> 1} is of keypoint ${matches.pairs[bad]} of ${counts[bad & 1]}; are the matches of these features?`,
  );
}

function atLeast({ pairs, scores }: ImagePair["matches"], least: number): ImagePair["matches"] {
  const kept = [...scores.keys()].filter((m) => scores[m] >= least);
  return {
    count: kept.length,
    pairs: Uint32Array.from({ length: 2 * kept.length }, (_, k) => pairs[2 * kept[k >> 1] + (k & 1)]),
    scores: Float32Array.from(kept, (m) => scores[m]),
  };
}
