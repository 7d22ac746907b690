/** The best of an image's features: the "top-K" protocols, under which methods are compared at one number of keypoints. */
import { FormatError } from "../errors.js";
import { bestFirst } from "../extract/select.js";
import { spreadFeatures } from "../extract/spread.js";
import { checkFeatures, type Features, takeFeatures } from "../features.js";
import { checkNumber } from "../options.js";

/**
 * The `limit` features with the highest scores, best first; equal scores keep their order. Features of others need not
 * come in any order. null: all of them, as they come. `spread`: over the image, as extraction's option of that name.
 */
export function topFeatures(features: Features, limit: number | null, spread = false): Features {
  checkFeatures("topFeatures", features);
  if (limit === null) return features;
  checkNumber("topFeatures", "limit", limit, { min: 0, integer: true });
  if (features.scores.some(Number.isNaN)) {
    throw new FormatError(`topFeatures: a score is not a number, so the best ${limit} features cannot be told`);
  }
  const ordered = takeFeatures(features, bestFirst(features.scores, -Infinity, spread ? null : limit));
  return spread ? spreadFeatures(ordered, limit) : ordered;
}
