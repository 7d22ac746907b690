/** Frames of a source through the tracker to the stage, with what is told of them a few times a second. */
import type { Extractor } from "../../../src/index.js";
import {
  createTracker,
  type StageTimes,
  type Target,
  type TrackedFrame,
  type Tracker,
} from "../../../src/track/index.js";
import { type FrameReader, frameReader } from "../../../src/web/index.js";
import type { FrameSource } from "./sources.js";
import type { Stage } from "./stage.js";

/** What is told while frames come. */
export interface Told {
  frames: number;
  /** In a second, over the last ones. */
  rate: number;
  /** Milliseconds of each stage, over the last frames. */
  times: StageTimes | null;
  /** State of each target. */
  states: TrackedFrame["targets"][number]["state"][];
}

/** Milliseconds between two reports: figures that change faster cannot be read. */
const PACE = 400;
/** Share that the last frame has in what is told. */
const SHARE = 0.15;

export class Follower {
  private tracker: Tracker | null = null;
  private readonly reader: FrameReader = frameReader();
  private source: FrameSource | null = null;
  private frames = 0;
  private last = 0;
  private interval = 0;
  private times: StageTimes | null = null;
  private toldAt = 0;

  constructor(
    private readonly stage: Stage,
    private readonly onTold: (told: Told) => void,
    private readonly onEnd: (error: unknown) => void,
  ) {}

  /** What to look for from the next frame on; none: frames are shown all the same. */
  look(targets: readonly Target[], extractor: Extractor | null): void {
    this.times = null;
    this.tracker =
      targets.length > 0 && extractor
        ? createTracker({ targets, extractor, maxTrack: targets.length, detection: "background" })
        : null;
  }

  start(source: FrameSource): void {
    this.stop();
    this.source = source;
    [this.frames, this.last, this.interval, this.times] = [0, 0, 0, null];
    source.frames(
      (time) => this.next(source, time),
      (error) => this.ended(source, error),
    );
    void source.ended.then((reason) => reason && this.ended(source, reason));
  }

  stop(): void {
    const { source } = this;
    this.source = null;
    source?.stop();
    this.tracker?.reset();
    this.stage.clear();
  }

  private ended(source: FrameSource, error: unknown): void {
    if (this.source !== source) return;
    this.stop();
    this.onEnd(error);
  }

  private async next(source: FrameSource, time: number): Promise<void> {
    const frame = this.reader.read(this.stage.take(source));
    const { tracker } = this;
    const seen = tracker ? await tracker.process(frame, { time }) : null;
    if (this.source !== source) return;
    // Other targets were asked for meanwhile: what was seen of the old ones is not shown.
    const isCurrent = tracker === this.tracker;
    this.stage.draw(tracker, isCurrent ? seen : null, [frame.width, frame.height]);
    this.tell(time, isCurrent ? seen : null);
  }

  private tell(time: number, seen: TrackedFrame | null): void {
    this.frames++;
    const mix = (before: number, now: number): number => (before ? before + SHARE * (now - before) : now);
    if (this.last) this.interval = mix(this.interval, time - this.last);
    this.last = time;
    if (seen) {
      const before = this.times;
      const all = Object.entries(seen.times) as [keyof StageTimes, number][];
      this.times = Object.fromEntries(
        all.map(([stage, now]) => [stage, mix(before?.[stage] ?? 0, now)]),
      ) as unknown as StageTimes;
    }
    if (performance.now() - this.toldAt < PACE) return;
    this.toldAt = performance.now();
    this.onTold({
      frames: this.frames,
      rate: this.interval ? 1000 / this.interval : 0,
      times: this.times,
      states: seen?.targets.map(({ state }) => state) ?? [],
    });
  }
}
