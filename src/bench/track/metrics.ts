/** How well a tracker follows a picture through a video whose truth is known. */
import { meanCornerDistance } from "../../track/plane.js";
import type { FrameTruth } from "./video.js";

/** What a tracker said of the picture in a frame. */
export interface FrameAnswer {
  corners: ArrayLike<number> | null;
  /** Whether the frame was searched. */
  searched: boolean;
  milliseconds: number;
}

/** Figures of one or several videos. */
export interface TrackFigures {
  frames: number;
  /** Frames that show at least half of the picture, 120 px or larger, tilted by at most 50°. */
  judged: number;
  /** Share of those whose corners lie within 3 px of the truth, in the mean of the four. */
  within3: number;
  /** Median of the mean corner error over those with an answer, in pixels. */
  median: number | null;
  /** Searches until the picture was found after each return that shows it so, the first frame's included. */
  searches: number[];
  /** Frames without the picture, and the share of them without an outline. */
  empty: number;
  quiet: number;
  /** Root mean square of corners' changes from frame to frame at rest over √2, in pixels; null without rest. */
  restless: number | null;
  /** Frames that the answer lags behind in even motion; null where there is none. */
  lag: number | null;
  /** Median milliseconds of a frame that was not searched, and of one that was. */
  trackTime: number | null;
  searchTime: number | null;
}

const LEAST_SEEN = 0.5;
const LEAST_EXTENT = 120;
const MOST_TILT = 50;
const WITHIN = 3;

/** Whether a frame is one of those that must be right. */
export function isJudged({ corners, seen, extent, tilt }: FrameTruth): boolean {
  return corners !== null && seen >= LEAST_SEEN && extent >= LEAST_EXTENT && tilt <= MOST_TILT;
}

/** Figures over videos, each of its frames' truths and answers. */
export function trackFigures(
  videos: readonly { truths: readonly FrameTruth[]; answers: readonly FrameAnswer[] }[],
): TrackFigures {
  const errors: number[] = [];
  const searches: number[] = [];
  const jitter: number[] = [];
  const lags: number[] = [];
  let [frames, judged, within, empty, quiet] = [0, 0, 0, 0, 0];
  for (const { truths, answers } of videos) {
    frames += answers.length;
    let waiting: number | null = null;
    let wasShown = false;
    for (const [f, { corners, searched }] of answers.entries()) {
      const truth = truths[f];
      if (truth.corners === null) {
        empty++;
        if (corners === null) quiet++;
      }
      const isShown = isJudged(truth);
      if (isShown) {
        judged++;
        if (corners && truth.corners) {
          const error = meanCornerDistance(truth.corners, corners);
          errors.push(error);
          if (error <= WITHIN) within++;
        }
        if (!wasShown && (f === 0 || answers[f - 1].corners === null)) waiting = 0;
        if (waiting !== null) {
          if (searched) waiting++;
          if (corners) {
            searches.push(waiting);
            waiting = null;
          }
        }
      } else if (truth.corners === null) {
        if (waiting !== null) searches.push(Number.POSITIVE_INFINITY);
        waiting = null;
      }
      wasShown = isShown;
    }
    jitter.push(...changesAtRest(truths, answers));
    lags.push(...lagsInMotion(truths, answers));
  }
  const times = (wanted: boolean) =>
    medianOf(videos.flatMap(({ answers }) => answers.filter((a) => a.searched === wanted).map((a) => a.milliseconds)));
  return {
    frames,
    judged,
    within3: judged === 0 ? 0 : within / judged,
    median: medianOf(errors),
    searches,
    empty,
    quiet: empty === 0 ? 1 : quiet / empty,
    restless: jitter.length === 0 ? null : Math.sqrt(jitter.reduce((sum, d) => sum + d * d, 0) / jitter.length / 2),
    lag: medianOf(lags),
    trackTime: times(false),
    searchTime: times(true),
  };
}

/** Frames of a rest that are left out while a filter settles. */
const SETTLING = 10;

/** Distances that corners move between two frames in which the picture rests. */
function changesAtRest(truths: readonly FrameTruth[], answers: readonly FrameAnswer[]): number[] {
  const changes: number[] = [];
  let still = 0;
  for (let f = 1; f < answers.length; f++) {
    const [a, b] = [truths[f - 1].corners, truths[f].corners];
    still = a && b && meanCornerDistance(a, b) < 1e-9 && isJudged(truths[f]) ? still + 1 : 0;
    const [before, now] = [answers[f - 1].corners, answers[f].corners];
    if (still < SETTLING || !before || !now) continue;
    for (let k = 0; k < 8; k += 2) changes.push(Math.hypot(now[k] - before[k], now[k + 1] - before[k + 1]));
  }
  return changes;
}

/** How many frames the answer's middle is behind in the chapter of even motion. */
function lagsInMotion(truths: readonly FrameTruth[], answers: readonly FrameAnswer[]): number[] {
  const lags: number[] = [];
  for (let f = 4; f < answers.length; f++) {
    const [before, truth, seen] = [truths[f - 1], truths[f], answers[f].corners];
    if (truth.chapter !== "even motion" || truths[f - 4].chapter !== "even motion") continue;
    if (!before.corners || !truth.corners || !seen) continue;
    let [along, square] = [0, 0];
    for (let k = 0; k < 8; k++) {
      const step = truth.corners[k] - before.corners[k];
      along += step * (truth.corners[k] - seen[k]);
      square += step * step;
    }
    lags.push(along / square);
  }
  return lags;
}

export function medianOf(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
