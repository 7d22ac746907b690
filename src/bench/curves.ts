/**
 * How a method bears a change that is made to single photographs: each is turned or zoomed by every value, matched with
 * itself, and scored as a pair is. Keypoints that only one of the two images sees (beyond an enlarged image's edge, in
 * the corners of a turned one's canvas) are left out first: the curve is about the change, not about overlap.
 */
import { OptionError } from "../errors.js";
import type { Features } from "../features.js";
import type { Image } from "../image/image.js";
import { fitSize, resizeImage } from "../image/resize.js";
import { CHANGE_VALUES, CURVE_EDGE, changedCanvas, changeImage } from "./change.js";
import { covisibleFeatures } from "./covisible.js";
import { countWithin } from "./metrics.js";
import { matchingOf, matchPair, type ScoringOptions } from "./score-pair.js";
import type { Change, ChangeCurve, ChangeScores } from "./types.js";

/** All that a curve shows. */
const ESTIMATORS = ["magsac"] as const;

/** The photograph as it is changed and matched: shrunk to `CURVE_EDGE` where it is larger. */
export function curvePhoto(photo: Image): Image {
  return resizeImage(photo, ...fitSize(photo.width, photo.height, { maxEdge: CURVE_EDGE }));
}

export interface ChangeOptions extends ScoringOptions {
  /** As the photograph is called. */
  name: string;
  photo: Image;
  /** Features of `photo`. */
  features: Features;
  /** Features of an image, by the same method and cut to the same number. */
  extract(image: Image): Promise<Features>;
  change: Change;
  /** Degrees, or the factor of the zoom. */
  value: number;
}

/** Scores of a photograph against itself, changed by one value. */
export async function scoreChange(options: ChangeOptions): Promise<ChangeScores> {
  const { name, photo, features, extract, change, value, ...scoring } = options;
  const { image, homography } = changeImage(photo, change, value);
  const [a, b] = covisibleFeatures(features, await extract(image), homography);
  const truth = { sequence: name, kind: "other", images: [1, 2] as [number, number], homography } as const;
  const { matches, errors, cornerError } = await matchPair(a, b, truth, ESTIMATORS, scoring);
  return { matches: matches.count, correct: countWithin(errors), cornerError };
}

/** How changes are scored under these options, for a run's record: what changes scores changes it. */
export function changeScoringOf(options: ScoringOptions = {}): Record<string, unknown> {
  return { ...matchingOf(ESTIMATORS, options), photoEdge: CURVE_EDGE };
}

/** The value that gives the same changed image and is worked out for all that do: a whole turn is none. */
export function plainValue(change: Change, value: number): number {
  return change === "rotation" ? ((value % 360) + 360) % 360 : value;
}

/** The values of a change that have to be scored, each once. */
export function plainValues(change: Change, values: readonly number[] = CHANGE_VALUES[change]): number[] {
  // Wrong values are refused before any work.
  for (const value of values) changedCanvas([1, 1], change, value);
  return [...new Set(values.map((value) => plainValue(change, value)))];
}

export interface ChangeCurveOptions {
  /** What the curve carries: the method, and how many of its keypoints count. */
  method: string;
  protocol: string;
  change: Change;
  photos: readonly string[];
  /** Default: all that a change has. */
  values?: readonly number[];
  /** Scores of a photograph at a plain value. */
  scores(photo: string, value: number): ChangeScores;
}

/** The curve: means over the photographs, one per value. A pair without a match counts 0. */
export function changeCurve({ method, protocol, change, photos, ...options }: ChangeCurveOptions): ChangeCurve {
  if (photos.length === 0) throw new OptionError("changeCurve: needs at least one photograph, got none");
  const values = [...(options.values ?? CHANGE_VALUES[change])];
  const means = (of: (scores: ChangeScores) => number) =>
    values.map((value) => {
      const all = photos.map((photo) => of(options.scores(photo, plainValue(change, value))));
      return all.reduce((sum, one) => sum + one, 0) / photos.length;
    });
  return {
    method,
    protocol,
    change,
    photos: [...photos],
    values,
    mma3: means(({ matches, correct }) => (matches === 0 ? 0 : correct[2] / matches)),
    homography3: means(({ cornerError: { magsac } }) => Number(magsac !== null && magsac <= 3)),
    matches: means(({ matches }) => matches),
  };
}
