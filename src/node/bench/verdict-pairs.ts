/**
 * Pairs with a known answer from a folder of photographs: two views of one photograph by a known homography, or of a scene
 * with depth that is drawn of it, each in its own light, and views of different photographs. What a model finds between
 * them is what its verdict is fitted on.
 */
import type { JudgedPair } from "../../bench/calibration.js";
import { topFeatures } from "../../bench/features.js";
import { drawSceneViews } from "../../bench/scene-views.js";
import { UnrelatedPairs } from "../../bench/unrelated-pairs.js";
import { OptionError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import type { Features } from "../../features.js";
import { cornerError } from "../../geometry/corner-error.js";
import type { TwoViewGeometry } from "../../geometry/epipolar.js";
import type { Intrinsics } from "../../geometry/intrinsics.js";
import type { Matrix3 } from "../../geometry/matrix3.js";
import { pairedPoints } from "../../geometry/robust/correspondences.js";
import { sampsonErrors } from "../../geometry/robust/sampson.js";
import { verifyMatches } from "../../geometry/two-view.js";
import { evidenceOfGeometry, pixelMatrix } from "../../geometry/verdict.js";
import { matchFeatures } from "../../match/mutual.js";
import { randomFor } from "../../train/data/megadepth-plan.js";
import { PhotoSource } from "../train/photos.js";

export interface VerdictPairOptions {
  photos: string;
  /** Pairs of views of one photograph, and of different ones; each is judged by KEYPOINT_COUNTS. */
  same: number;
  different: number;
  seed: number;
  /** Beginnings of names of photographs that show one place: no pairs of different ones. Default: none. */
  places?: readonly string[];
  /** The geometry that is looked for; default "homography". The others are judged on scenes with depth. */
  geometry?: TwoViewGeometry["model"];
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
/** A scene's geometry is right when 0.8 of its points are within so many pixels of what it allows. */
export const RIGHT_DISTANCE = 3;
const RIGHT_SHARE = 0.8;
/** From easy to beyond what can be matched: the verdict has to know both. */
const HOMOGRAPHY = { zoom: 3, perspective: 0.35, shear: 0.35, minOverlap: 0.08 };

/** Only its light changes between the two: the scene is drawn of them. */
const SAME_VIEW = { rotation: 0, zoom: 1, perspective: 0, shear: 0, shift: 0 };
/** Tells the draw of scenes from others of the same seed. */
const SCENE_DRAW = 7;

export async function verdictPairs(extractor: Extractor, options: VerdictPairOptions): Promise<VerdictPairs> {
  const { photos, seed, places, onPair, geometry = "homography" } = options;
  const views = geometry === "homography" ? HOMOGRAPHY : SAME_VIEW;
  const source = await PhotoSource.open({ folder: photos, cropSize: VIEW, homography: views, seed });
  const same: JudgedPair[] = [];
  const different: JudgedPair[] = [];
  try {
    // Second views wait for views of other photographs: each is extracted once.
    const unrelated = new UnrelatedPairs<Seen>(places);
    const drawn = { same: 0, different: 0 };
    let before = 0;
    for (let index = 0; drawn.same < options.same || drawn.different < options.different; index++) {
      const epoch = Math.floor(index / source.length);
      if (epoch > 0 && index % source.length === 0 && drawn.different < options.different) {
        if (drawn.different === before && !unrelated.again()) throw noPairs(photos);
        before = drawn.different;
      }
      const pair = await source.pair(epoch, index % source.length);
      if ("skipped" in pair) continue;
      if (pair.warp.kind !== "homography") continue;
      const name = pair.id.split(", epoch")[0];
      const scene = geometry === "homography" ? null : drawSceneViews(pair.images, randomFor(seed, index, SCENE_DRAW));
      const { intrinsics } = scene ?? {};
      const [a, b] = (await extractor.extractBatch(scene?.images ?? pair.images)).map(
        (features): Seen => ({ features, intrinsics }),
      );
      const truth: Truth = scene ? { points: scene.points } : { matrix: pair.warp.matrix };
      if (drawn.same < options.same) {
        same.push(...(await judgeAll(a, b, geometry, truth)));
        drawn.same++;
      }
      for (const other of unrelated.partners(name, options.different - drawn.different)) {
        different.push(...(await judgeAll(a, other, geometry, null)));
        drawn.different++;
      }
      unrelated.add(name, b);
      onPair?.(drawn.same + drawn.different);
    }
    return { same, different, digest: source.digest, leftOut: source.leftOut() };
  } finally {
    await source.dispose();
  }
}

const noPairs = (photos: string) =>
  new OptionError(`${photos}: no two of its photographs make a pair of different ones; a verdict needs some`);

/**
 * Keypoints of an image by which a pair is judged, the best ones: with few of them there are few matches, and what those
 * prove has to be known as well. null: all.
 */
export const KEYPOINT_COUNTS: readonly (number | null)[] = [15, 50, 200, null];

/** An image's features, and its camera where that counts. */
interface Seen {
  features: Features;
  intrinsics?: Intrinsics;
}

/** The true homography, or points that show the same. */
type Truth = { matrix: Matrix3 } | { points: [Float64Array, Float64Array] };

async function judgeAll(a: Seen, b: Seen, model: TwoViewGeometry["model"], truth: Truth | null): Promise<JudgedPair[]> {
  const judged: JudgedPair[] = [];
  for (const count of KEYPOINT_COUNTS) {
    const best = (seen: Seen) => ({ ...seen, features: topFeatures(seen.features, count) });
    judged.push(await judge(best(a), best(b), model, truth));
  }
  return judged;
}

/** What was found between two images, and whether it is right; `truth` null: they show different things. */
async function judge(a: Seen, b: Seen, model: TwoViewGeometry["model"], truth: Truth | null): Promise<JudgedPair> {
  const ends = [a.features, b.features] as const;
  const matches = await matchFeatures(...ends);
  const cameras = model === "essential" ? { intrinsicsA: a.intrinsics, intrinsicsB: b.intrinsics } : {};
  const { matrix } = await verifyMatches(...ends, matches, { model, ...cameras });
  const evidence = evidenceOfGeometry(...ends, matches, { model, matrix }, cameras);
  if (!matrix || !evidence) return { evidence: null, right: false };
  if (truth === null) return { evidence, right: false };
  if ("matrix" in truth) {
    return { evidence, right: cornerError(matrix, truth.matrix, a.features.imageSize) <= RIGHT_WITHIN };
  }
  return { evidence, right: isEpipolar(pixelMatrix(model, matrix, cameras), truth.points) };
}

/** Whether most points that show the same obey a fundamental matrix. */
function isEpipolar(matrix: Float64Array, [from, to]: [Float64Array, Float64Array]): boolean {
  const errors = new Float64Array(from.length / 2);
  sampsonErrors(matrix, 0, pairedPoints(from, to), errors);
  return errors.filter((error) => error <= RIGHT_DISTANCE ** 2).length >= RIGHT_SHARE * errors.length;
}
