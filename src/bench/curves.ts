/**
 * How a method bears a change that is made to single photographs: each is turned or zoomed by every value, matched with
 * itself, and scored as any pair is. Keypoints that only one of the two images sees (beyond an enlarged image's edge, in
 * the corners of a turned one's canvas) are left out first: the curve is about the change, not about overlap.
 */
import { OptionError } from "../errors.js";
import type { Features } from "../features.js";
import type { Image } from "../image/image.js";
import { type Change, changedCanvas, changeImage, ROTATIONS, SCALES } from "./change.js";
import { covisibleFeatures } from "./covisible.js";
import type { ChangeCurve, PairScores, PairTruth } from "./types.js";

/** A photograph that is decoded when its turn comes, so that one at a time is in memory. */
export interface Photo {
  /** As it is called in pairs' truths. */
  name: string;
  load(): Image | Promise<Image>;
}

export interface ChangeCurveOptions {
  /** Names that the curve carries: the method, and how many of its keypoints count. */
  method: string;
  protocol: string;
  /** Features of an image, cut to the protocol's number. */
  extract(image: Image): Promise<Features>;
  photos: readonly Photo[];
  change: Change;
  /** Degrees or zoom factors; default `ROTATIONS` or `SCALES`. */
  values?: readonly number[];
  /** Scores of a pair: `scorePair`, with its options bound. */
  score(a: Features, b: Features, truth: PairTruth): Promise<{ scores: PairScores }>;
  /** After each pair. */
  onProgress?(done: number, total: number): void;
}

/** The curve: means over the photographs, one per value. A pair without a match counts 0. */
export async function changeCurve(options: ChangeCurveOptions): Promise<ChangeCurve> {
  const { method, protocol, extract, photos, change, score, onProgress } = options;
  const values = [...(options.values ?? (change === "rotation" ? ROTATIONS : SCALES))];
  if (photos.length === 0) throw new OptionError("changeCurve: needs at least one photograph, got none");
  // Wrong values are refused before the first photograph is decoded.
  for (const value of values) changedCanvas([1, 1], change, value);

  const sums = { mma3: values.map(() => 0), homography3: values.map(() => 0), matches: values.map(() => 0) };
  let done = 0;
  for (const { name, load } of photos) {
    const photo = await load();
    const features = await extract(photo);
    const known = new Map<number, PairScores>();
    for (const [k, value] of values.entries()) {
      // A whole turn is the image again.
      const same = change === "rotation" ? ((value % 360) + 360) % 360 : value;
      let scores = known.get(same);
      if (!scores) {
        const { image, homography } = changeImage(photo, change, same);
        const [a, b] = covisibleFeatures(features, await extract(image), homography);
        ({ scores } = await score(a, b, { sequence: name, kind: "other", images: [1, 2], homography }));
        known.set(same, scores);
      }
      const { matches, correct, cornerError } = scores;
      sums.mma3[k] += matches === 0 ? 0 : correct[2] / matches;
      sums.homography3[k] += Number(cornerError.magsac !== null && cornerError.magsac <= 3);
      sums.matches[k] += matches;
      onProgress?.(++done, values.length * photos.length);
    }
  }
  const mean = (sum: number) => sum / photos.length;
  return {
    method,
    protocol,
    change,
    values,
    mma3: sums.mma3.map(mean),
    homography3: sums.homography3.map(mean),
    matches: sums.matches.map(mean),
  };
}
