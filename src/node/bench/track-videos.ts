/** A tracker measured on rendered videos of photographs, whose truth is known. */

import { type FrameAnswer, medianOf, type TrackFigures, trackFigures } from "../../bench/track/metrics.js";
import { type FrameTruth, makeVideo } from "../../bench/track/video.js";
import { OptionError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import type { Image } from "../../image/image.js";
import { checkNumber, withDefaults } from "../../options.js";
import { compileTarget, type Target } from "../../track/target.js";
import { writeTarget } from "../../track/target-file.js";
import type { StageTimes } from "../../track/types.js";
import { loadImage } from "../images.js";
import { listImages } from "../list-images.js";
import type { OpenStage, Stage } from "../stage.js";
import { type CrowdFigures, type OthersFigures, trackCrowd, trackerOpener, trackOthers } from "./track-others.js";

/** What is measured. */
export interface TrackVideosOptions {
  /** Folder of photographs: pictures, backgrounds and what covers them are drawn from it. At least three. */
  photos: string;
  extractor: Pick<Extractor, "extract" | "info">;
  /** Videos, each with another picture, background and way. Default 3. */
  videos?: number;
  /** Seed of the first video. Default 0. */
  seed?: number;
  /** Photographs shown to the tracker that are none of its targets. Default 20, fewer where the folder has fewer. */
  others?: number;
  /** Targets that are searched for at once, beside one alone. Default 50, fewer where the folder has fewer. */
  crowd?: number;
  /** Shows how far it is. */
  openStage?: OpenStage;
  signal?: AbortSignal;
}

/** What was measured: figures, and milliseconds (medians) of each stage. */
export interface TrackedVideos {
  figures: TrackFigures;
  /** Of frames without a search; `extract`, `search` and `verify` of those with one. */
  stages: Record<keyof StageTimes, number | null>;
  /** Bytes of the largest target, and milliseconds of compiling one (median). */
  targetBytes: number;
  compileTime: number;
  others: OthersFigures;
  crowd: CrowdFigures;
}

/** Frames that are searched with one target and with many. */
const CROWD_FRAMES = 12;

/** Renders the videos frame by frame and tracks them, with the camera's intrinsics unknown to the tracker. */
export async function trackVideos(options: TrackVideosOptions): Promise<TrackedVideos> {
  const where = "trackVideos";
  const { photos, extractor, videos, seed, others, crowd, openStage, signal } = withDefaults<TrackVideosOptions>(
    where,
    {
      photos: "",
      extractor: undefined as never,
      videos: 3,
      seed: 0,
      others: 20,
      crowd: 50,
      openStage: undefined,
      signal: undefined,
    },
    options,
  );
  const count = checkNumber(where, "videos", videos, { min: 1, integer: true });
  const first = checkNumber(where, "seed", seed, { min: 0, integer: true });
  const strangeCount = checkNumber(where, "others", others, { min: 0, integer: true });
  const crowdSize = checkNumber(where, "crowd", crowd, { min: 1, integer: true });
  const paths = await listImages([photos]);
  if (paths.length < 3)
    throw new OptionError(`${where}: ${photos} has ${paths.length} images; three are needed at least`);
  const photo = (k: number): Promise<Image> => loadImage(paths[k % paths.length]);
  const open = trackerOpener(extractor);
  const measured: { truths: FrameTruth[]; answers: FrameAnswer[] }[] = [];
  const times: StageTimes[] = [];
  const searched: boolean[] = [];
  const targets: Target[] = [];
  const [sizes, compiled]: [number[], number[]] = [[], []];
  let stage: Stage | undefined;
  for (let v = 0; v < count; v++) {
    const own = first + v;
    const picture = await photo(7 * own);
    const video = makeVideo(picture, await photo(7 * own + 13), await photo(7 * own + 29), { seed: own });
    stage ??= await openStage?.("", ["frame", "frames"], count * video.truths.length);
    const began = performance.now();
    const target = await compileTarget(picture, extractor);
    compiled.push(performance.now() - began);
    sizes.push(writeTarget(target).length);
    targets.push(target);
    const tracker = open([target]);
    const answers: FrameAnswer[] = [];
    for (let f = 0; f < video.truths.length; f++) {
      signal?.throwIfAborted();
      const frame = await tracker.process(video.render(f));
      const [{ corners, predicted }] = frame.targets;
      answers.push({
        corners: predicted ? null : corners,
        searched: frame.searched,
        milliseconds: frame.times.total,
      });
      times.push(frame.times);
      searched.push(frame.searched);
      const done = v * video.truths.length + f + 1;
      stage?.update(done, done);
    }
    measured.push({ truths: video.truths, answers });
  }
  stage?.stop();
  // No photograph is both: what is a target is no other picture and no background, and the videos' own come first.
  const pictures = new Set(targets.map((_, v) => (7 * (first + v)) % paths.length));
  const rest = paths.map((_, k) => k).filter((k) => !pictures.has(k));
  const strange = rest.slice(0, Math.min(strangeCount, rest.length));
  const company = rest.slice(Math.max(1, strange.length)).slice(0, Math.max(0, crowdSize - 1));
  stage = await openStage?.(
    "other pictures, many targets",
    ["photograph", "photographs"],
    strange.length + company.length,
  );
  let shown = 0;
  const next = () => {
    signal?.throwIfAborted();
    stage?.update(++shown, shown);
  };
  const companions: Target[] = [];
  for (const k of company) {
    companions.push(await compileTarget(await photo(k), extractor, { name: String(k) }));
    next();
  }
  async function* strangers() {
    for (const [n, k] of strange.entries()) {
      yield { picture: await photo(k), background: await photo(strange[(n + 1) % strange.length]), seed: k };
    }
  }
  const othersSeen = await trackOthers(open, [...targets, ...companions], strangers(), next);
  const background = await photo(strange[0] ?? rest[0]);
  const video = makeVideo(await photo(7 * first), background, background, { seed: first });
  const many = await trackCrowd(open, [targets[0], ...companions], video, CROWD_FRAMES);
  stage?.stop();
  const stageTime = (name: keyof StageTimes, ofSearches: boolean) =>
    medianOf(times.filter((_, i) => searched[i] === ofSearches).map((one) => one[name]));
  return {
    figures: trackFigures(measured),
    stages: {
      read: stageTime("read", false),
      track: stageTime("track", false),
      extract: stageTime("extract", true),
      search: stageTime("search", true),
      verify: stageTime("verify", true),
      filter: stageTime("filter", false),
      total: stageTime("total", false),
    },
    targetBytes: Math.max(...sizes),
    compileTime: medianOf(compiled) as number,
    others: othersSeen,
    crowd: many,
  };
}
