/**
 * What every picture of matches starts from: two images, their features, matches and homography, checked once, in the
 * order in which they are drawn. Pictures are text made by pure functions; encoding images is the caller's part.
 */

import { checkObject, described } from "../check.js";
import { OptionError, ShapeError } from "../errors.js";
import type { Features, Homography, Matches } from "../features.js";
import { checkHomography } from "../features.js";
import { projectPoints } from "../geometry/matrix3.js";
import { matchedPoints } from "../match/points.js";
import { checkNumber, withDefaults } from "../options.js";
import { facing, projectedOutline } from "./outline.js";

/** An image inside a picture. */
export interface PictureImage {
  /** The image as a `data:image/…` URI: the picture must be whole by itself. May be encoded smaller than it is. */
  href: string;
  /** Size in pixels, that of the features. */
  width: number;
  height: number;
  /** Shown as it is; may come from anywhere. Default "image A" or "image B". */
  name?: string;
}

/** How it shows it. */
export interface PictureOptions {
  /** Most matches drawn, the most similar ones; a page opens with them and shows the others on demand. Default 200. */
  maxLines?: number;
  /** Matches that agree with the homography (without one, no match does). Default true. */
  inliers?: boolean;
  /** Matches that do not. Default true. */
  outliers?: boolean;
  /** Every keypoint as a dot. Default true. */
  keypoints?: boolean;
  /** The frame of image A where the homography puts it in image B. Default true. */
  outline?: boolean;
}

/** What a picture shows. */
export interface PictureInput {
  imageA: PictureImage;
  imageB: PictureImage;
  featuresA: Features;
  featuresB: Features;
  matches: Matches;
  homography: Homography;
  options?: PictureOptions;
}

const DEFAULTS: Required<PictureOptions> = {
  maxLines: 200,
  inliers: true,
  outliers: true,
  keypoints: true,
  outline: true,
};

/**
 * Colours that people with any colour vision tell apart (Okabe and Ito 2008), bright enough for photographs. Outliers
 * are dashed too, so that nothing hangs on colour alone.
 */
export const PALETTE = {
  inlier: "#56b4e9",
  outlier: "#e69f00",
  keypoint: "#ffffff",
  outline: "#f0e442",
  casing: "#000000",
} as const;

/** A checked picture: its matches sorted by similarity, the highest first. */
export interface Picture {
  images: readonly [Required<PictureImage>, Required<PictureImage>];
  /** Keypoints of either image that can be drawn: x0, y0, … */
  keypoints: readonly [Float32Array, Float32Array];
  /** How each of them looks: 4 · its level (0, 1, 2) + its score's quarter of the range (3: the best). */
  looks: readonly [Uint8Array, Uint8Array];
  /** Keypoint indices i0, j0, i1, j1, … */
  pairs: Uint32Array;
  pointsA: Float32Array;
  pointsB: Float32Array;
  scores: Float32Array;
  /** 1 for an inlier. */
  inlier: Uint8Array;
  /** Distances in pixels of B between projected and matched points; empty without a homography. */
  errors: Float64Array;
  /** The homography with a positive denominator where the inliers are, or null. */
  matrix: Float64Array | null;
  /** The frame of A in B, x0, y0, …; empty without a homography. */
  outline: Float64Array;
  counts: { keypoints: [number, number]; matches: number; inliers: number };
  options: Required<PictureOptions>;
}

/**
 * Checks and sorts. Throws a ShapeError for matches, inliers or a matrix that do not fit the features, an OptionError for
 * an image that is not a data URI (`shown` in a page: or a blob's) or an option that is not offered. Points that are not
 * finite are left out.
 */
export function preparePicture(where: string, input: PictureInput, shown: "file" | "page" = "file"): Picture {
  checkObject(where, "input", input);
  const options = checkOptions(where, input.options);
  const { featuresA: a, featuresB: b, matches, homography } = input;
  const images = [
    checkPictureImage(where, "A", input.imageA, shown),
    checkPictureImage(where, "B", input.imageB, shown),
  ] as const;
  const [fromAll, toAll] = matchedPoints(where, a, b, matches);
  const isInlier = new Uint8Array(matches.count);
  for (const m of checkHomography(where, homography).inliers) {
    if (m >= matches.count) throw new ShapeError(`${where}: inlier ${m} of ${matches.count} matches`);
    isInlier[m] = 1;
  }
  const { matrix } = homography;
  if (matrix !== null && (matrix.length !== 9 || !matrix.every(Number.isFinite))) {
    throw new ShapeError(`${where}: a homography is 9 finite numbers or null, got ${matrix.join(", ")}`);
  }

  const order = Uint32Array.from({ length: matches.count }, (_, m) => m)
    .filter((m) => [fromAll, toAll].every((points) => Number.isFinite(points[2 * m] + points[2 * m + 1])))
    .sort((m, n) => similarity(matches.scores[n]) - similarity(matches.scores[m]) || m - n);
  const pick = (points: Float32Array) =>
    Float32Array.from({ length: 2 * order.length }, (_, k) => points[2 * order[k >> 1] + (k & 1)]);
  const pointsA = pick(fromAll);
  const pointsB = pick(toAll);
  const inlier = Uint8Array.from(order, (m) => isInlier[m]);
  const first = inlier.indexOf(1);
  const anchor = [images[0].width / 2, images[0].height / 2] as [number, number];
  if (first >= 0) anchor.splice(0, 2, pointsA[2 * first], pointsA[2 * first + 1]);

  const projected = matrix ? projectPoints(matrix, pointsA) : new Float64Array(0);
  return {
    images,
    keypoints: [finitePoints(a.keypoints), finitePoints(b.keypoints)],
    looks: [looksOf(a), looksOf(b)],
    pairs: Uint32Array.from({ length: 2 * order.length }, (_, k) => matches.pairs[2 * order[k >> 1] + (k & 1)]),
    pointsA,
    pointsB,
    scores: Float32Array.from(order, (m) => similarity(matches.scores[m])),
    inlier,
    errors: Float64Array.from({ length: projected.length / 2 }, (_, k) =>
      Math.hypot(projected[2 * k] - pointsB[2 * k], projected[2 * k + 1] - pointsB[2 * k + 1]),
    ),
    matrix: matrix && facing(matrix, anchor),
    outline: matrix ? projectedOutline(matrix, [images[0].width, images[0].height], anchor) : new Float64Array(0),
    counts: { keypoints: [a.count, b.count], matches: matches.count, inliers: homography.inliers.length },
    options,
  };
}

/** A score that can be sorted: what is not a number is as unlike as can be. */
function similarity(score: number): number {
  return Number.isFinite(score) ? score : -1;
}

/** Levels beyond the third look like it. */
const MOST_LEVEL = 2;

function looksOf({ count, keypoints, scores, levels }: Features): Uint8Array {
  const known = scores.filter(Number.isFinite);
  const [lowest, highest] = known.reduce(
    ([least, most], score) => [Math.min(least, score), Math.max(most, score)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const looks = Uint8Array.from({ length: count }, (_, i) => {
    const share = highest > lowest ? (scores[i] - lowest) / (highest - lowest) : 1;
    const quarter = Number.isFinite(share) ? Math.min(3, Math.floor(4 * share)) : 0;
    return 4 * Math.min(MOST_LEVEL, levels?.[i] ?? 0) + quarter;
  });
  return looks.filter((_, i) => Number.isFinite(keypoints[2 * i] + keypoints[2 * i + 1]));
}

function finitePoints(points: Float32Array): Float32Array {
  return points.filter((_, k) => Number.isFinite(points[k & ~1] + points[k | 1]));
}

function checkPictureImage(
  where: string,
  letter: "A" | "B",
  image: PictureImage,
  shown: "file" | "page",
): Required<PictureImage> {
  const { href, width, height, name } = withDefaults<Required<PictureImage>>(
    `${where}: image${letter}`,
    { href: "", width: 0, height: 0, name: `image ${letter}` },
    image,
  );
  checkNumber(`${where}: image${letter}`, "width", width, { min: 1, integer: true });
  checkNumber(`${where}: image${letter}`, "height", height, { min: 1, integer: true });
  if (typeof href !== "string" || !(/^data:image\//i.test(href) || (shown === "page" && href.startsWith("blob:")))) {
    const got = typeof href === "string" ? href.slice(0, 40) : described(href);
    throw new OptionError(`${where}: "href" of image${letter} must be a data:image/… URI, got "${got}"`);
  }
  return { href, width, height, name: String(name) };
}

function checkOptions(where: string, given: PictureOptions | undefined): Required<PictureOptions> {
  const options = withDefaults(where, DEFAULTS, given);
  checkNumber(where, "maxLines", options.maxLines, { min: 1, integer: true });
  for (const name of ["inliers", "outliers", "keypoints", "outline"] as const) {
    if (typeof options[name] !== "boolean") {
      throw new OptionError(`${where}: "${name}" must be true or false, got ${String(options[name])}`);
    }
  }
  return options;
}
