/** How far an exported model's features are those of the library: points, scores, descriptors. */

import type { FloatFeatures } from "../features.js";
import { checkFeatures } from "../features.js";

/** Points this near, in pixels, are the same. */
export const SAME = 1e-3;
/** Points this near are found again, for weights that were rounded. */
export const NEAR = 0.5;
/** An export is good when this share of points is the same. */
export const WANTED = 0.999;

/** How two sets of features agree. */
export interface Parity {
  /** Keypoints of the library, and of the exported model. */
  points: number;
  exported: number;
  /** Points of the library that the exported model has too, within 0.001 px, and within half a pixel. */
  same: number;
  near: number;
  /** Over points found within half a pixel: largest distance in pixels and difference of scores, least cosine of descriptors. */
  distance: number;
  score: number;
  cosine: number;
  /** Their mean distance in pixels, and the mean cosine of their descriptors. */
  meanDistance: number;
  meanCosine: number;
}

/** Compares two lists of features of one image; see `partnerOf` for several points at one place. */
export function compareFeatures(library: FloatFeatures, exported: FloatFeatures): Parity {
  checkFeatures("compareFeatures: library", library);
  checkFeatures("compareFeatures: exported", exported);
  const cells = cellsOf(exported);
  const parity: Parity = {
    points: library.count,
    exported: exported.count,
    same: 0,
    near: 0,
    distance: 0,
    score: 0,
    cosine: 1,
    meanDistance: 0,
    meanCosine: 1,
  };
  let [distances, cosines] = [0, 0];
  for (let i = 0; i < library.count; i++) {
    const j = partnerOf(library, i, exported, cells);
    if (j < 0) continue;
    const distance = distanceOf(library, i, exported, j);
    parity.near++;
    if (distance <= SAME) parity.same++;
    parity.distance = Math.max(parity.distance, distance);
    parity.score = Math.max(parity.score, Math.abs(library.scores[i] - exported.scores[j]));
    const cosine = cosineOf(library, i, exported, j);
    parity.cosine = Math.min(parity.cosine, cosine);
    distances += distance;
    cosines += cosine;
  }
  if (parity.near > 0) {
    parity.meanDistance = distances / parity.near;
    parity.meanCosine = cosines / parity.near;
  }
  return parity;
}

/** Several images as one. */
export function sumParity(all: readonly Parity[]): Parity {
  const sum = (of: (parity: Parity) => number) => all.reduce((total, parity) => total + of(parity), 0);
  const found = sum(({ near }) => near);
  const mean = (of: (parity: Parity) => number) => sum((parity) => parity.near * of(parity)) / found;
  return {
    points: sum(({ points }) => points),
    exported: sum(({ exported }) => exported),
    same: sum(({ same }) => same),
    near: found,
    distance: Math.max(0, ...all.map(({ distance }) => distance)),
    score: Math.max(0, ...all.map(({ score }) => score)),
    cosine: Math.min(1, ...all.map(({ cosine }) => cosine)),
    meanDistance: found === 0 ? 0 : mean(({ meanDistance }) => meanDistance),
    meanCosine: found === 0 ? 1 : mean(({ meanCosine }) => meanCosine),
  };
}

/** Whether both have the same points: 99.9 % of each list are in the other. */
export function isSame({ points, exported, same }: Parity): boolean {
  return same >= WANTED * Math.max(points, exported);
}

const keyOf = (x: number, y: number): string => `${x},${y}`;

/** Points by the pixel that is nearest to them. */
function cellsOf({ count, keypoints }: FloatFeatures): Map<string, number[]> {
  const cells = new Map<string, number[]>();
  for (let i = 0; i < count; i++) {
    const key = keyOf(Math.round(keypoints[2 * i]), Math.round(keypoints[2 * i + 1]));
    const cell = cells.get(key);
    if (cell) cell.push(i);
    else cells.set(key, [i]);
  }
  return cells;
}

/**
 * The point of `exported` that is point i of `library`: of those at its place the nearest by score, or else the nearest by
 * place; of equal ones (levels that share their scores) the one with its descriptor.
 */
function partnerOf(library: FloatFeatures, i: number, exported: FloatFeatures, cells: Map<string, number[]>): number {
  const [x, y] = [Math.round(library.keypoints[2 * i]), Math.round(library.keypoints[2 * i + 1])];
  let [best, least] = [-1, Number.POSITIVE_INFINITY];
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      for (const j of cells.get(keyOf(x + dx, y + dy)) ?? []) {
        const distance = distanceOf(library, i, exported, j);
        if (distance > NEAR) continue;
        // Below the tolerance places do not tell points apart.
        const apart = Math.abs(library.scores[i] - exported.scores[j]);
        const cost = distance <= SAME ? apart / (1 + apart) - 1 : distance;
        const alike = cost === least && cosineOf(library, i, exported, j) > cosineOf(library, i, exported, best);
        if (cost < least || alike) [best, least] = [j, cost];
      }
    }
  }
  return best;
}

function distanceOf(a: FloatFeatures, i: number, b: FloatFeatures, j: number): number {
  return Math.hypot(a.keypoints[2 * i] - b.keypoints[2 * j], a.keypoints[2 * i + 1] - b.keypoints[2 * j + 1]);
}

function cosineOf(a: FloatFeatures, i: number, b: FloatFeatures, j: number): number {
  let sum = 0;
  for (let c = 0; c < a.dim; c++) sum += a.descriptors[a.dim * i + c] * b.descriptors[b.dim * j + c];
  return sum;
}
