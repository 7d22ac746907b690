/** Sequences in the layout of HPatches and the scores of features on them: what the model's card quotes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Extractor } from "../src/extract/extractor.js";
import type { Features } from "../src/features.js";
import { cornerError } from "../src/geometry/corner-error.js";
import { verifyMatches } from "../src/geometry/homography.js";
import { matchFeatures } from "../src/match/index.js";
import { loadImage } from "../src/node/images.js";

/** H_1_k: row-major 3×3, from pixels of image 1 to pixels of image k. */
export function readHomography(folder: string, k: number): Float64Array {
  const text = readFileSync(join(folder, `H_1_${k}`), "utf8");
  return Float64Array.from(text.trim().split(/\s+/), Number);
}

export interface PairScores {
  pair: string;
  matches: number;
  /** Mean matching accuracy at 1, 3 and 5 px. */
  mma: [number, number, number];
  /** Accuracy at 3 px of the matches that agree with the estimated homography. */
  refined3: number;
  /** Mean corner error in pixels; infinite where no homography was found. */
  corner: number;
}

/** Scores of image 1 against each of 2…6 of one sequence. */
export async function scoreSequence(folder: string, name: string, extractor: Extractor): Promise<PairScores[]> {
  const path = join(folder, name);
  const features: Features[] = [];
  for (let i = 1; i <= 6; i++) features.push(await extractor.extract(await loadImage(join(path, `${i}.png`))));
  const scores: PairScores[] = [];
  for (let k = 2; k <= 6; k++) {
    const [a, b] = [features[0], features[k - 1]];
    const truth = readHomography(path, k);
    const matches = await matchFeatures(a, b);
    const errors = Float64Array.from({ length: matches.count }, (_, m) => {
      const [i, j] = [matches.pairs[2 * m], matches.pairs[2 * m + 1]];
      const [x, y] = [a.keypoints[2 * i], a.keypoints[2 * i + 1]];
      const w = truth[6] * x + truth[7] * y + truth[8];
      const px = (truth[0] * x + truth[1] * y + truth[2]) / w;
      const py = (truth[3] * x + truth[4] * y + truth[5]) / w;
      return Math.hypot(px - b.keypoints[2 * j], py - b.keypoints[2 * j + 1]);
    });
    const share = (subset: ArrayLike<number>, t: number) =>
      subset.length === 0 ? 0 : Array.from(subset).filter((e) => e <= t).length / subset.length;
    const { matrix } = await verifyMatches(a, b, matches);
    const kept = await verifyMatches(a, b, matches, { method: "ransac", threshold: 4 });
    const inliers = Array.from(kept.inliers, (m) => errors[m]);
    scores.push({
      pair: `${name} 1-${k}`,
      matches: matches.count,
      mma: [share(errors, 1), share(errors, 3), share(errors, 5)],
      refined3: share(inliers, 3),
      corner: matrix ? cornerError(matrix, truth, a.imageSize) : Number.POSITIVE_INFINITY,
    });
  }
  return scores;
}

/** Means over pairs, and the share of pairs with a corner error up to 1, 3 and 5 px. */
export function summarize(scores: readonly PairScores[]) {
  const mean = (value: (s: PairScores) => number) => scores.reduce((sum, s) => sum + value(s), 0) / scores.length;
  return {
    mma: [0, 1, 2].map((i) => mean((s) => s.mma[i])),
    refined3: mean((s) => s.refined3),
    corner: [1, 3, 5].map((t) => mean((s) => Number(s.corner <= t))),
  };
}
