/**
 * The stages of tracking, timed where they run: in Node, and in a page, which gets this file as a script. It imports nothing
 * but types.
 */
import type { Image } from "../src/image/image.js";
import type { createTracker, Frame, StageTimes, Target, TrackedFrame } from "../src/track/index.js";

/** What the place brings: its doors, and how it comes by a frame. */
export interface StagePlace {
  createTracker: typeof createTracker;
  compile(image: Image, name: string): Promise<Target>;
  extractor: Parameters<typeof createTracker>[0]["extractor"];
  /** Makes a frame ready to be read, as a camera or a file does. */
  prepare(frame: Image): Promise<() => Frame | Promise<Frame>>;
  /** Further targets, none of which is in a frame. */
  crowd: readonly Target[];
}

/** Milliseconds, medians: of a frame in which a target is followed, of a search, and of frames while searches run. */
export interface StageFigures {
  "read frame": number;
  shrink: number;
  track: number;
  filter: number;
  "tracked frame": number;
  extract: number;
  search: number;
  "whole search": number;
  /** The same with the crowd's targets to look for. */
  "whole search, 50 targets": number;
  "tracked frame beside searches": number;
  /** The slowest but one in twenty of these. */
  "of 20 such the slowest": number;
  "frames per search": number;
}

export const FRAME: readonly [number, number] = [640, 480];
const FRAMES = 60;
const WARM = 5;

/** A poster that turns and moves a little from frame to frame, on a background of its own. */
export function drawFrame(poster: Image, i: number): Image {
  const [width, height] = FRAME;
  const data = new Uint8Array(3 * width * height);
  const [angle, scale] = [0.3 + 0.01 * i, 0.9 + 0.1 * Math.sin(i / 9)];
  const [cos, sin] = [Math.cos(angle) / scale, Math.sin(angle) / scale];
  const [cx, cy] = [320 + 60 * Math.sin(i / 11), 240 + 30 * Math.cos(i / 7)];
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const u = Math.round(poster.width / 2 + cos * (x - cx) + sin * (y - cy));
      const v = Math.round(poster.height / 2 - sin * (x - cx) + cos * (y - cy));
      if (u < 0 || v < 0 || u >= poster.width || v >= poster.height) {
        data.fill(70 + (((x >> 3) * 29 + (y >> 3) * 53) % 90), to, to + 3);
      } else {
        const from = 3 * (v * poster.width + u);
        for (let c = 0; c < 3; c++) data[to + c] = poster.data[from + c];
      }
    }
  }
  return { width, height, data };
}

/** The same picture from behind: one that is in no frame. */
function mirrored({ width, height, data }: Image): Image {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < width * height; i++) {
    const from = 3 * (i - (i % width) + width - 1 - (i % width));
    out.set(data.subarray(from, from + 3), 3 * i);
  }
  return { width, height, data: out };
}

export function median(values: readonly number[], share = 0.5): number {
  return [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))];
}

export async function timeStages(poster: Image, place: StagePlace): Promise<StageFigures> {
  const { extractor, createTracker } = place;
  const seen = await place.compile(poster, "seen");
  const absent = await place.compile(mirrored(poster), "absent");
  const sources: Awaited<ReturnType<StagePlace["prepare"]>>[] = [];
  for (let i = 0; i < FRAMES; i++) sources.push(await place.prepare(drawFrame(poster, i)));
  const run = async (tracker: ReturnType<typeof createTracker>, count: number, pause: boolean) => {
    const found: { read: number; total: number; result: TrackedFrame }[] = [];
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      const frame = await sources[i % FRAMES]();
      const read = performance.now() - started;
      const result = await tracker.process(frame);
      found.push({ read, total: performance.now() - started, result });
      // What a camera leaves between frames: a page's messages are read then.
      if (pause) await new Promise((resolve) => setTimeout(resolve, 8));
    }
    return found.slice(WARM);
  };
  const isTracked = ({ result }: { result: TrackedFrame }) => result.targets[0].state === "tracked";

  const followed = (await run(createTracker({ targets: [seen], extractor }), FRAMES, false)).filter(isTracked);
  if (followed.length < FRAMES / 2) throw new Error(`the target is seen in ${followed.length} of ${FRAMES} frames`);
  const stage = (name: keyof StageTimes) => median(followed.map(({ result }) => result.times[name]));
  const searches = await run(createTracker({ targets: [absent], extractor }), WARM + 15, false);
  const searched = (name: keyof StageTimes) => median(searches.map(({ result }) => result.times[name]));
  const wholeSearch = ({ result: { times } }: { result: TrackedFrame }) => times.extract + times.search;
  const all = createTracker({ targets: [absent, ...place.crowd], extractor, maxTrack: 1 });
  const crowded = await run(all, WARM + 15, false);
  if (crowded.some(({ result }) => result.targets.some(({ state }) => state !== "lost"))) {
    throw new Error("a target was seen that no frame shows");
  }
  const both = createTracker({ targets: [seen, absent], extractor, maxTrack: 2, detection: "background" });
  const beside = await run(both, 200, true);
  const begun = beside.filter(({ result }) => result.searched).length;
  const totals = beside.filter(isTracked).map(({ total }) => total);
  return {
    "read frame": median(followed.map(({ read }) => read)),
    shrink: stage("read"),
    track: stage("track"),
    filter: stage("filter"),
    "tracked frame": median(followed.map(({ total }) => total)),
    extract: searched("extract"),
    search: searched("search"),
    "whole search": median(searches.map(wholeSearch)),
    "whole search, 50 targets": median(crowded.map(wholeSearch)),
    "tracked frame beside searches": median(totals),
    "of 20 such the slowest": median(totals, 0.95),
    "frames per search": beside.length / Math.max(1, begun),
  };
}
