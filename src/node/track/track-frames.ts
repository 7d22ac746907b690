/** A tracker over the frames of a folder or a video: a record per frame, and the frames with outlines drawn into them. */
import { rename, rm } from "node:fs/promises";
import { extname, join, resolve } from "node:path";
import { checkFunction, wrong } from "../../check.js";
import { OptionError } from "../../errors.js";
import type { Image } from "../../image/image.js";
import { checkNumber, withDefaults } from "../../options.js";
import { drawOutline } from "../../track/draw.js";
import type { Tracker } from "../../track/tracker.js";
import type { TrackedFrame } from "../../track/types.js";
import { ioError, writeFileAtomic } from "../atomic.js";
import { checkWritable, makeFolder } from "../folders.js";
import { encodePng } from "../images.js";
import { temporaryFor } from "../temporary.js";
import { openVideoWriter, type VideoWriter } from "./ffmpeg.js";
import { type FrameSource, isVideoPath } from "./frames.js";

/** What `strata track --json` prints of a frame. */
export interface FrameRecord {
  /** Its number, from 0 on. */
  frame: number;
  targets: {
    /** Index of the target. */
    target: number;
    state: string;
    /** Corners clockwise from the picture's top left: x0, y0, …, x3, y3 in pixels of the frame; null: not seen in it. */
    corners: number[] | null;
    confidence: number;
  }[];
  /** Milliseconds that the tracker took. */
  ms: number;
}

/** How frames are tracked. */
export interface TrackFramesOptions {
  /** Frames a second, for the filter and for a video that is written. Default: the source's, or 30. */
  rate?: number;
  /** A folder for drawn frames (PNG), or a video (by ffmpeg). Default: none. */
  out?: string;
  /** Told of each frame. */
  onFrame?: (record: FrameRecord, tracked: TrackedFrame, name: string) => void | Promise<void>;
  signal?: AbortSignal;
}

/** The record of a frame; of a target whose place is only predicted there are no corners. */
export function frameRecord({ frame, targets, times }: TrackedFrame): FrameRecord {
  return {
    frame,
    targets: targets.map(({ target, state, corners, predicted, confidence }) => ({
      target,
      state,
      corners: corners && !predicted ? Array.from(corners, (value) => round(value, 3)) : null,
      confidence: round(confidence, 3),
    })),
    ms: round(times.total, 2),
  };
}

const round = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits;

/** Tracks frame after frame; returns how many there were. What is drawn is whole or not there. */
export async function trackFrames(
  tracker: Tracker,
  source: FrameSource,
  options: TrackFramesOptions = {},
): Promise<number> {
  const where = "trackFrames";
  if (typeof tracker?.process !== "function") throw wrong(where, "the tracker", "one of createTracker", tracker);
  if (typeof source?.frames !== "function") throw wrong(where, "the source", "one of openFrames", source);
  const { rate, out, onFrame, signal } = withDefaults<TrackFramesOptions & { rate: number }>(
    where,
    { rate: source.rate ?? 30, out: undefined, onFrame: undefined, signal: undefined },
    options,
  );
  checkNumber(where, "rate", rate, { min: 0.001, max: 10_000 });
  if (onFrame !== undefined) checkFunction(where, '"onFrame"', onFrame);
  const writer = out === undefined ? null : await openFrameWriter(out, rate);
  let frames = 0;
  try {
    for await (const { name, image } of source.frames()) {
      signal?.throwIfAborted();
      const tracked = await tracker.process(image, { time: (1000 * frames++) / rate });
      await onFrame?.(frameRecord(tracked), tracked, name);
      await writer?.write(name, drawn(image, tracked));
    }
    await writer?.close();
  } catch (error) {
    await writer?.abort();
    throw error;
  }
  return frames;
}

function drawn(image: Image, { targets }: TrackedFrame): Image {
  let result = image;
  for (const { target, corners, predicted } of targets) {
    if (corners && !predicted) result = drawOutline(result, corners, target);
  }
  return result;
}

interface FrameWriter {
  write(name: string, image: Image): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** Makes sure that `out` can be written, and is not the folder that frames are read from. */
export async function checkOut(out: string, frames: string): Promise<void> {
  if (resolve(out) === resolve(frames)) {
    throw new OptionError(`--out ${out} is where the frames are read from; name another folder or file`);
  }
  await checkWritable([isVideoPath(out) ? out : join(out, "frame.png")]);
}

async function openFrameWriter(out: string, rate: number): Promise<FrameWriter> {
  if (!isVideoPath(out)) {
    await makeFolder(out);
    return {
      write: async (name, image) => writeFileAtomic(join(out, `${name}.png`), await encodePng(image)),
      close: async () => {},
      abort: async () => {},
    };
  }
  let video: VideoWriter | null = null;
  // ffmpeg knows the format by the ending.
  const temporary = `${await temporaryFor(out)}${extname(out)}`;
  return {
    async write(_, image) {
      video ??= openVideoWriter(temporary, out, [image.width, image.height], rate);
      await video.write(image);
    },
    async close() {
      await video?.close();
      if (video) {
        await rename(temporary, out).catch((cause) => {
          throw ioError("write", out, cause);
        });
      }
    },
    async abort() {
      video?.abort();
      await rm(temporary, { force: true }).catch(() => {});
    },
  };
}
