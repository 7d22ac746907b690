/** What a tracker says to pictures that are none of its targets, and what many targets cost. */
import { isJudged, medianOf } from "../../bench/track/metrics.js";
import { makeVideo, type Video } from "../../bench/track/video.js";
import type { Image } from "../../image/image.js";
import type { Target } from "../../track/target.js";
import { createTracker } from "../../track/tracker.js";
import type { TrackedFrame, TrackerOptions } from "../../track/types.js";

/** Tracker of these targets over the extractor that is measured. */
export type OpenTracker = (targets: readonly Target[]) => ReturnType<typeof createTracker>;

export const trackerOpener =
  (extractor: TrackerOptions["extractor"]): OpenTracker =>
  (targets) =>
    createTracker({ targets, extractor, maxTrack: targets.length });

/** Frames of a video, spread over those that show its picture well. */
export function goodFrames({ truths }: Video, count: number): number[] {
  const good = truths.flatMap((truth, f) => (isJudged(truth) ? [f] : []));
  return Array.from(
    { length: Math.min(count, good.length) },
    (_, k) => good[Math.floor(((k + 0.5) * good.length) / count)],
  );
}

/** Frames of other pictures, and those among them in which a target was outlined. */
export interface OthersFigures {
  pictures: number;
  frames: number;
  outlined: number;
}

/** Frames per other picture, each searched by a tracker that has seen none before. */
const FRAMES_PER_PICTURE = 5;

/** `others` are shown one by one as the videos' pictures are, before `background`; none of them is a target. */
export async function trackOthers(
  open: OpenTracker,
  targets: readonly Target[],
  others: AsyncIterable<{ picture: Image; background: Image; seed: number }>,
  onPicture: () => void,
): Promise<OthersFigures> {
  const figures = { pictures: 0, frames: 0, outlined: 0 };
  for await (const { picture, background, seed } of others) {
    const video = makeVideo(picture, background, background, { seed });
    figures.pictures++;
    for (const f of goodFrames(video, FRAMES_PER_PICTURE)) {
      const seen = await searchOnce(open(targets), video.render(f));
      figures.frames++;
      if (seen.targets.some(({ corners }) => corners !== null)) figures.outlined++;
    }
    onPicture();
  }
  return figures;
}

/** Searches of the same frames with one target and with many. */
export interface CrowdFigures {
  targets: number;
  frames: number;
  /** Frames in which the target that is there was found, and no other, with one target and with all. */
  found: { one: number; many: number };
  /** Milliseconds of a search (median), with one target and with all. */
  search: { one: number; many: number };
}

/** The video's picture is `crowd[0]`; frames are searched in turn with it alone and with all. */
export async function trackCrowd(
  open: OpenTracker,
  crowd: readonly Target[],
  video: Video,
  count: number,
): Promise<CrowdFigures> {
  const found = { one: 0, many: 0 };
  const times: Record<"one" | "many", number[]> = { one: [], many: [] };
  const chosen = goodFrames(video, count);
  for (const f of chosen) {
    const frame = video.render(f);
    for (const [side, targets] of [
      ["one", crowd.slice(0, 1)],
      ["many", crowd],
    ] as const) {
      const seen = await searchOnce(open(targets), frame);
      times[side].push(seen.times.extract + seen.times.search + seen.times.verify);
      if (seen.targets.every(({ corners }, k) => (corners !== null) === (k === 0))) found[side]++;
    }
  }
  const search = { one: medianOf(times.one) ?? 0, many: medianOf(times.many) ?? 0 };
  return { targets: crowd.length, frames: chosen.length, found, search };
}

const searchOnce = (tracker: ReturnType<typeof createTracker>, frame: Image): Promise<TrackedFrame> =>
  tracker.process(frame);
