/**
 * Pairs with a known answer from a folder of photographs: two views of one photograph by a known homography, each in its
 * own light, and views of different photographs. What a model finds between them is what its verdict is fitted on.
 */
import type { JudgedPair } from "../../bench/calibration.js";
import { topFeatures } from "../../bench/features.js";
import type { Extractor } from "../../extract/extractor.js";
import type { Features } from "../../features.js";
import { cornerError } from "../../geometry/corner-error.js";
import type { Matrix3 } from "../../geometry/matrix3.js";
import { verifyMatches } from "../../geometry/two-view.js";
import { evidenceOf } from "../../geometry/verdict.js";
import { matchFeatures } from "../../match/mutual.js";
import { PhotoSource } from "../train/photos.js";

export interface VerdictPairOptions {
  photos: string;
  /** Pairs of views of one photograph, and of different ones; each is judged by KEYPOINT_COUNTS. */
  same: number;
  different: number;
  seed: number;
  /** Told after each pair. */
  onPair?: (done: number) => void;
}

export interface VerdictPairs {
  same: JudgedPair[];
  different: JudgedPair[];
  /** SHA-256 of the photographs and of what decides the views. */
  digest: string;
  /** What of the folder was not used, and why. */
  leftOut: string[];
}

/** Largest mean corner error, in pixels, of a homography that counts as right. */
export const RIGHT_WITHIN = 5;
const VIEW = 448;
/** From easy to beyond what can be matched: the verdict has to know both. */
const HOMOGRAPHY = { zoom: 3, perspective: 0.35, shear: 0.35, minOverlap: 0.08 };

export async function verdictPairs(extractor: Extractor, options: VerdictPairOptions): Promise<VerdictPairs> {
  const { photos, seed, onPair } = options;
  const source = await PhotoSource.open({ folder: photos, cropSize: VIEW, homography: HOMOGRAPHY, seed });
  const same: JudgedPair[] = [];
  const different: JudgedPair[] = [];
  try {
    // Second views wait for views of other photographs: each is extracted once.
    let earlier: { name: string; features: Features }[] = [];
    const drawn = { same: 0, different: 0 };
    for (let index = 0; drawn.same < options.same || drawn.different < options.different; index++) {
      const epoch = Math.floor(index / source.length);
      const pair = await source.pair(epoch, index % source.length);
      if ("skipped" in pair) continue;
      if (pair.warp.kind !== "homography") continue;
      const name = pair.id.split(", epoch")[0];
      const [a, b] = await extractor.extractBatch(pair.images);
      if (drawn.same < options.same) {
        same.push(...(await judgeAll(a, b, pair.warp.matrix)));
        drawn.same++;
      }
      for (const other of earlier) {
        if (drawn.different >= options.different) break;
        if (other.name === name) continue;
        different.push(...(await judgeAll(a, other.features, null)));
        drawn.different++;
      }
      earlier = [{ name, features: b }, ...earlier].slice(0, KEPT);
      onPair?.(drawn.same + drawn.different);
    }
    return { same, different, digest: source.digest, leftOut: source.leftOut() };
  } finally {
    await source.dispose();
  }
}

/** Second views kept for pairs of different photographs. */
const KEPT = 4;

/**
 * Keypoints of an image by which a pair is judged, the best ones: with few of them there are few matches, and what those
 * prove has to be known as well. null: all.
 */
export const KEYPOINT_COUNTS: readonly (number | null)[] = [15, 50, 200, null];

async function judgeAll(a: Features, b: Features, truth: Matrix3 | null): Promise<JudgedPair[]> {
  const judged: JudgedPair[] = [];
  for (const count of KEYPOINT_COUNTS) judged.push(await judge(topFeatures(a, count), topFeatures(b, count), truth));
  return judged;
}

/** What was found between two images, and whether it is right; `truth` null: they show different things. */
export async function judge(a: Features, b: Features, truth: Matrix3 | null): Promise<JudgedPair> {
  const matches = await matchFeatures(a, b);
  const { matrix } = await verifyMatches(a, b, matches);
  const evidence = matrix && evidenceOf(a, b, matches, matrix);
  if (!matrix || !evidence) return { evidence: null, right: false };
  return { evidence, right: truth !== null && cornerError(matrix, truth, a.imageSize) <= RIGHT_WITHIN };
}
