/**
 * Which images of a scene are trained on together, and where: pairs by overlap and scale ratio, drawn with replacement,
 * each with a point that both see. What is drawn depends on the generator only.
 */
import { OptionError } from "../../errors.js";
import type { SceneInfo, SceneView } from "../../formats/scene-info.js";
import { checkNumber } from "../../options.js";
import type { Random } from "../../random.js";

export interface PairCriteria {
  /** Least and largest share of the first image's points that the second sees; defaults 0.5 and 1. */
  minOverlap: number;
  maxOverlap: number;
  /** Largest ratio of scales, of the pair and of the point; default Infinity. */
  maxScaleRatio: number;
}

export const PAIR_CRITERIA: PairCriteria = { minOverlap: 0.5, maxOverlap: 1, maxScaleRatio: Infinity };

/** A view that can be trained on. */
export interface UsableView {
  imagePath: string;
  depthPath: string;
  intrinsics: Float64Array;
  pose: Float64Array;
}

/** Two views and a point that both see. */
export interface DrawnPair {
  views: [UsableView, UsableView];
  /** [row, column] of the point in each, COLMAP's pixels. */
  centers: [[number, number], [number, number]];
  /** Ratio of the point's scales. */
  scaleRatio: number;
}

export function checkCriteria(where: string, criteria: PairCriteria): void {
  const { minOverlap, maxOverlap, maxScaleRatio } = criteria;
  checkNumber(where, "minOverlap", minOverlap, { min: 0, max: 1 });
  checkNumber(where, "maxOverlap", maxOverlap, { min: 0, max: 1 });
  if (minOverlap > maxOverlap) {
    throw new OptionError(`${where}: "minOverlap" ${minOverlap} is larger than "maxOverlap" ${maxOverlap}`);
  }
  if (maxScaleRatio !== Infinity) checkNumber(where, "maxScaleRatio", maxScaleRatio, { min: 1 });
}

/** The ordered pairs i·views + j that meet the criteria and have all that training needs, rising. */
export function usablePairs({ views, overlap, scaleRatio }: SceneInfo, criteria: PairCriteria): Uint32Array {
  const size = views.length;
  const isUsable = Uint8Array.from(views, (view) => (usable(view) && view.ndepths.length > 0 ? 1 : 0));
  const found: number[] = [];
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const at = i * size + j;
      const fits =
        overlap[at] >= criteria.minOverlap &&
        overlap[at] <= criteria.maxOverlap &&
        scaleRatio[at] > 0 &&
        scaleRatio[at] <= criteria.maxScaleRatio;
      if (fits && i !== j && isUsable[i] === 1 && isUsable[j] === 1) found.push(at);
    }
  }
  return Uint32Array.from(found);
}

/** One of `pairs` (as `usablePairs` gives them) with one of its points; null when the pair shares none of that scale. */
export function drawPair(
  { views }: SceneInfo,
  pairs: Uint32Array,
  maxScaleRatio: number,
  random: Random,
): DrawnPair | null {
  const at = pairs[random.integer(pairs.length)];
  const [first, second] = [views[Math.floor(at / views.length)], views[at % views.length]];
  const shared = sharedPoints(first, second, maxScaleRatio);
  const chosen = random.integer(shared.length / 2);
  const view0 = usable(first);
  const view1 = usable(second);
  if (shared.length === 0 || !view0 || !view1) return null;
  const [k0, k1] = [shared[2 * chosen], shared[2 * chosen + 1]];
  return {
    views: [view0, view1],
    centers: [
      [first.points[2 * k0 + 1], first.points[2 * k0]],
      [second.points[2 * k1 + 1], second.points[2 * k1]],
    ],
    scaleRatio: ratioOf(first.ndepths[k0], second.ndepths[k1]),
  };
}

/** Places k0, k1, k0, k1, … of the points that both views observe at scales that fit, in the first one's order. */
function sharedPoints(first: SceneView, second: SceneView, maxScaleRatio: number): number[] {
  const place = new Map<number, number>();
  for (let k = 0; k < second.pointIds.length; k++) place.set(second.pointIds[k], k);
  const shared: number[] = [];
  for (let k = 0; k < first.pointIds.length; k++) {
    const other = place.get(first.pointIds[k]);
    if (other === undefined) continue;
    const [depth0, depth1] = [first.ndepths[k], second.ndepths[other]];
    // Behind a camera there is nothing to see.
    if (depth0 > 0 && depth1 > 0 && ratioOf(depth0, depth1) <= maxScaleRatio) shared.push(k, other);
  }
  return shared;
}

function ratioOf(depth0: number, depth1: number): number {
  return Math.max(depth0 / depth1, depth1 / depth0);
}

function usable({ imagePath, depthPath, intrinsics, pose }: SceneView): UsableView | null {
  if (imagePath === null || depthPath === null || !intrinsics || !pose) return null;
  return { imagePath, depthPath, intrinsics, pose };
}
