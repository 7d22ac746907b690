/** How well a picture can be found and followed, and if not well, why. */
import type { FloatFeatures } from "../features.js";
import { findCorners } from "./corners.js";
import type { Grey } from "./pyramid.js";

/** A target's quality. */
export interface TargetQuality {
  /** 0 (cannot be tracked) to 1. */
  score: number;
  /** What is poor about the picture; null where nothing is. */
  reason: "too little texture" | "texture in one part only" | "repeats itself" | null;
}

/** Below this score a picture is poor. */
export const POOR_QUALITY = 0.3;

/** Places of patches, and keypoints, that are enough. */
const ENOUGH_CORNERS = 120;
const ENOUGH_KEYPOINTS = 200;
/** The picture is cut into so many parts each way; half of them with a corner are enough. */
const PARTS = 5;
const ENOUGH_PARTS = 0.5;
/** Descriptors this similar, so far apart (as a share of the longer edge), are a repetition. */
const REPEATED_SIMILARITY = 0.9;
const REPEATED_DISTANCE = 0.08;
/** Keypoints that are compared, best first. */
const COMPARED = 300;
const MARGIN = 6;

export function judgeQuality(features: FloatFeatures, picture: Grey): TargetQuality {
  const { places } = findCorners(picture, MARGIN, 2 * ENOUGH_CORNERS);
  const texture = Math.min(1, places.length / 2 / ENOUGH_CORNERS) * Math.min(1, features.count / ENOUGH_KEYPOINTS);
  const spread = Math.min(1, coveredParts(places, picture) / ENOUGH_PARTS);
  const unique = Math.min(1, 1.5 * (1 - repeatedShare(features)));
  const score = Math.min(texture, spread, unique);
  const reason =
    score >= 0.6
      ? null
      : score === texture
        ? "too little texture"
        : score === spread
          ? "texture in one part only"
          : "repeats itself";
  return { score: Math.round(100 * score) / 100, reason };
}

/** Share of the picture's parts that have a corner. */
function coveredParts(places: Float32Array, { width, height }: Grey): number {
  const parts = new Set<number>();
  for (let k = 0; k < places.length; k += 2) {
    parts.add(Math.floor((PARTS * places[k]) / width) + PARTS * Math.floor((PARTS * places[k + 1]) / height));
  }
  return parts.size / PARTS ** 2;
}

/** Share of the best keypoints that another place of the picture looks like. */
function repeatedShare({ count, dim, keypoints, descriptors, imageSize }: FloatFeatures): number {
  const n = Math.min(count, COMPARED);
  if (n === 0) return 0;
  const apart = (REPEATED_DISTANCE * Math.max(...imageSize)) ** 2;
  let repeated = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const dx = keypoints[2 * i] - keypoints[2 * j];
      const dy = keypoints[2 * i + 1] - keypoints[2 * j + 1];
      if (dx * dx + dy * dy < apart) continue;
      let sum = 0;
      for (let k = 0; k < dim; k++) sum += descriptors[dim * i + k] * descriptors[dim * j + k];
      if (sum < REPEATED_SIMILARITY) continue;
      repeated++;
      break;
    }
  }
  return repeated / n;
}
