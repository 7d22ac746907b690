/**
 * From a rough place of a target in a frame to the exact one: patches are looked for on a coarse level of the frame,
 * where few pixels are a long way, the homography is fitted to them, and each finer level starts from the one before. How many
 * patches are found where the last homography has them is the confidence: no other picture reaches it by chance.
 */
import { determinant3x3 } from "../geometry/matrix3.js";
import { Patches, type PatchSource, searchPatches } from "./patches.js";
import type { Pyramid } from "./pyramid.js";
import { refit, type Shape } from "./refit.js";

/** Where a target was found. */
export interface Followed {
  /** Picture's level 0 to the frame, pixels. */
  homography: Float64Array;
  /** 0 to 1: mean correlation of the patches, those of low correlation or off their place as 0. */
  confidence: number;
  /** Patches that agree. */
  support: number;
}

/** Edge in pixels that the seen part of a target has on the coarsest level at least. */
const LEAST_EXTENT = 36;
const MOST_LEVELS = 4;
/** A level's pixel covers at most so many of the picture's finest; more magnification says nothing new. */
const MOST_MAGNIFIED = 1.5;
/** A target of which less is seen is not followed: share of its area, pixels of the frame along an edge. */
const LEAST_SEEN = 0.12;
const LEAST_EDGE = 24;
/** Correlation from which on a patch has a say in the fit, and supports its place. */
const FIT_CORRELATION = 0.4;
const SUPPORT_CORRELATION = 0.6;
/** Errors in pixels of a level: an outlier of the fit, and off the place. */
const FIT_THRESHOLD = 1.5;
const SUPPORT_THRESHOLD = 1.2;
/** Confidence from which on a finer level that fits worse than the coarser one is kept all the same. */
const GOOD = 0.5;
/** Confidence from which on a coarse level leads the finer ones. */
const LEAST_CONFIDENCE = 0.3;
const NOTHING = { confidence: 0, support: 0, isRefuted: false };
/** Most that an area of the target grows or shrinks in one step, at any of its corners: a few patches agree on anything. */
const MOST_GROWTH = 2.5;
/** Share of the patches that must be found to refute a place, and of those found the share that must agree with it. */
const REFUTING = 0.4;
const AGREEING = 0.6;
/** Points along an edge by which the seen share is counted. */
const GRID = 9;

const patches = new Patches();
const view = { seen: 0, scale: 0, area: 0 };

/**
 * Follows a target from `start` (picture to frame); null where it is not there. `radius`: pixels of the coarsest level that
 * are searched each way; on finer ones 2 are. `shape`: where it was in the frame before.
 */
export function follow(
  source: PatchSource,
  corners: ArrayLike<number>,
  frame: Pyramid,
  start: Float64Array,
  radius: number,
  shape: Shape | null = null,
): Followed | null {
  if (!lookAt(corners, frame, start)) return null;
  const extent = Math.sqrt(view.area);
  if (view.seen < LEAST_SEEN || extent < LEAST_EDGE) return null;
  const top = Math.min(frame.levels.length, MOST_LEVELS) - 1;
  const finest = Math.min(top, Math.max(0, Math.ceil(Math.log2(view.scale / MOST_MAGNIFIED))));
  const coarsest = Math.min(top, Math.max(finest, Math.floor(Math.log2(extent / LEAST_EXTENT))));
  const current = start.slice();
  let best: Followed | null = null;
  // What coarse levels say, where finer ones refute it: they may be wrong themselves.
  let doubtful: Followed | null = null;
  for (let level = coarsest; level >= finest; level--) {
    const pixel = 2 ** level;
    const pictureLevel = Math.min(source.levels.length - 1, Math.max(0, Math.round(-Math.log2(view.scale / pixel))));
    const isFirst = best === null;
    const search = {
      frameLevel: level,
      pictureLevel,
      radius: isFirst ? radius : 2,
      half: level === finest ? 5 : 4,
      most: level === finest ? 80 : isFirst ? 30 : 50,
    };
    searchPatches(source, frame, current, search, patches);
    const fits = refit(patches, corners, current, {
      threshold: FIT_THRESHOLD * pixel,
      leastCorrelation: FIT_CORRELATION,
      shape,
    });
    const isSeen = fits && isNear(corners, start, current) && lookAt(corners, frame, current);
    if (!isSeen && best) return better(best, doubtful);
    const { confidence, support, isRefuted } = isSeen ? supportOf(current, pixel) : NOTHING;
    if (isFirst && level > finest && confidence < LEAST_CONFIDENCE) {
      // A picture of fine texture alone shows nothing on a coarse level, or what misleads.
      current.set(start);
      lookAt(corners, frame, current);
      continue;
    }
    if (!isSeen) return doubtful;
    if (best && isRefuted && !doubtful) {
      // Few patches of a coarse level agree on anything by chance: this level begins where that one did.
      doubtful = best;
      best = null;
      current.set(start);
      lookAt(corners, frame, current);
      level++;
      continue;
    }
    // Blur leaves nothing on the finest level; what the coarser one says then holds.
    if (best && confidence < GOOD && confidence < 0.7 * best.confidence) return better(best, doubtful);
    best = { homography: current.slice(), confidence, support };
  }
  return better(best, doubtful);
}

/** The one of higher confidence. */
const better = (a: Followed | null, b: Followed | null): Followed | null =>
  a && (!b || a.confidence >= b.confidence) ? a : b;

/** Whether the target has nearly the size and shape under `h` that it has under `start`. */
function isNear(corners: ArrayLike<number>, start: Float64Array, h: Float64Array): boolean {
  const total = determinant3x3(h) / determinant3x3(start);
  for (let k = 0; k < corners.length; k += 2) {
    const depth = (m: Float64Array) => m[6] * corners[k] + m[7] * corners[k + 1] + m[8];
    const growth = total * (depth(start) / depth(h)) ** 3;
    if (!(growth < MOST_GROWTH && growth > 1 / MOST_GROWTH)) return false;
  }
  return true;
}

/** How many of the patches were found where `h` has them; refuted: many were found, but too many of those elsewhere. */
function supportOf(h: Float64Array, pixel: number): { confidence: number; support: number; isRefuted: boolean } {
  let sum = 0;
  let support = 0;
  let found = 0;
  const limit = (SUPPORT_THRESHOLD * pixel) ** 2;
  for (let i = 0; i < patches.count; i++) {
    if (patches.correlation[i] < SUPPORT_CORRELATION) continue;
    found++;
    const [x, y] = [patches.source[2 * i], patches.source[2 * i + 1]];
    const w = h[6] * x + h[7] * y + h[8];
    const dx = (h[0] * x + h[1] * y + h[2]) / w - patches.found[2 * i];
    const dy = (h[3] * x + h[4] * y + h[5]) / w - patches.found[2 * i + 1];
    if (!(dx * dx + dy * dy <= limit)) continue;
    sum += patches.correlation[i];
    support++;
  }
  const isRefuted = found > REFUTING * patches.count && support < AGREEING * found;
  return { confidence: patches.count === 0 ? 0 : sum / patches.count, support, isRefuted };
}

/**
 * Writes to `view` which share of the target is seen, its scale (pixels of the frame per pixel of the picture) there, and the
 * seen area in pixels of the frame; false for what no camera sees: the back, or a part behind the camera.
 */
function lookAt(corners: ArrayLike<number>, frame: Pyramid, h: Float64Array): boolean {
  const { width, height } = frame.levels[0];
  const [right, bottom] = [corners[2], corners[5]];
  let seen = 0;
  let determinants = 0;
  for (let j = 0; j < GRID; j++) {
    for (let i = 0; i < GRID; i++) {
      const x = (right * i) / (GRID - 1);
      const y = (bottom * j) / (GRID - 1);
      const w = h[6] * x + h[7] * y + h[8];
      if (!(w > 0)) return false;
      const u = (h[0] * x + h[1] * y + h[2]) / w;
      const v = (h[3] * x + h[4] * y + h[5]) / w;
      const determinant = ((h[0] - u * h[6]) * (h[4] - v * h[7]) - (h[1] - u * h[7]) * (h[3] - v * h[6])) / (w * w);
      if (!(determinant > 0)) return false;
      if (u < 0 || v < 0 || u > width - 1 || v > height - 1) continue;
      seen++;
      determinants += determinant;
    }
  }
  view.seen = seen / GRID ** 2;
  view.scale = seen === 0 ? 0 : Math.sqrt(determinants / seen);
  view.area = view.seen * view.scale ** 2 * (right + 1) * (bottom + 1);
  return true;
}

/** The share of the target that a frame of that size shows, 0 to 1. */
export function seenShare(corners: ArrayLike<number>, frame: Pyramid, homography: Float64Array): number {
  return lookAt(corners, frame, homography) ? view.seen : 0;
}
