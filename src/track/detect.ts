/** A lost target in a frame: its features matched with the frame's, and the homography that enough of them agree on. */
import type { FloatFeatures } from "../features.js";
import { estimateHomography } from "../geometry/homography.js";
import { matchFeatures } from "../match/index.js";
import { matchedPoints } from "../match/points.js";
import type { Target } from "./target.js";

/** Matches that must agree: what patches then say decides. */
const LEAST_INLIERS = 7;
/** Distance in pixels of the frame within which a match agrees; coarse features are no better. */
const THRESHOLD = 5;
const MOST_SAMPLES = 3000;

/** Row-major 3×3 from pixels of the target's image to those of the frame; null where too few matches agree on one. */
export async function detectTarget(frame: FloatFeatures, target: Target): Promise<Float64Array | null> {
  if (frame.count < LEAST_INLIERS || target.features.count < LEAST_INLIERS) return null;
  const matches = await matchFeatures(target.features, frame);
  const [from, to] = matchedPoints("tracker", target.features, frame, matches);
  const { matrix } = await estimateHomography(from, to, {
    threshold: THRESHOLD,
    maxIterations: MOST_SAMPLES,
    minInliers: LEAST_INLIERS,
    confidence: 0.999,
    scores: matches.scores,
  });
  return matrix;
}
