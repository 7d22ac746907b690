/** Scores of a method on sequences in the layout of HPatches, without the benchmark's files: what cards quote. */
import { scorePair } from "../src/bench/score-pair.js";
import type { ScoredPair } from "../src/bench/types.js";
import type { Features } from "../src/features.js";
import type { Image } from "../src/image/image.js";
import { openSequences } from "../src/node/bench/sequences.js";
import { loadImage } from "../src/node/images.js";

/** The four sequences that the peer figures are of. */
export const CARD_SEQUENCES = ["v_graf", "v_boat", "i_bikes", "i_ubc"];

/** Scores of image 1 with every other one, of each named sequence. */
export async function scoreSequences(
  folder: string,
  names: readonly string[],
  extract: (image: Image) => Promise<Features>,
): Promise<ScoredPair[]> {
  const pairs: ScoredPair[] = [];
  for (const sequence of (await openSequences(folder, { only: names })).sequences) {
    const features: Features[] = [];
    for (const { path } of sequence.images) features.push(await extract(await loadImage(path)));
    for (const truth of sequence.pairs) {
      const [a, b] = truth.images.map((number) => features[number - 1]);
      const { scores } = await scorePair(a, b, truth);
      pairs.push({ sequence: truth.sequence, kind: truth.kind, images: truth.images, ...scores });
    }
  }
  return pairs;
}
