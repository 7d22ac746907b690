/**
 * The tracker: lost targets are looked for among a frame's features, those that are seen are followed by patches from
 * where their motion leads, and what is found is filtered and made a pose.
 */
import { checkObject } from "../check.js";
import { StateError } from "../errors.js";
import { checkIntrinsics, type Intrinsics } from "../geometry/intrinsics.js";
import type { Image } from "../image/image.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { assumedIntrinsics } from "./camera.js";
import { checkExtractor, checkTargets } from "./check-targets.js";
import { createDetector, type DetectionResult, type Detector } from "./detector.js";
import { follow } from "./follow.js";
import { channelsOf, type Frame, Pyramid, rgbImage, writeGrey } from "./pyramid.js";
import type { Target } from "./target.js";
import { TrackState } from "./track-state.js";
import { DETECTIONS, type ProcessOptions, type StageTimes, type TrackedFrame, type TrackerOptions } from "./types.js";

type Settings = Required<Omit<TrackerOptions, "targets" | "extractor" | "detector">>;

const DEFAULTS: Settings = {
  maxTrack: 1,
  warmupTolerance: 1,
  missTolerance: 3,
  filterMinCF: 1.5,
  filterBeta: 1.5,
  intrinsics: null,
  detection: "wait",
};

/** Levels of a frame's pyramid. */
const FRAME_LEVELS = 4;
/** Frames that are kept for a search beside them; of one that takes longer, the middle ones are left out. */
const KEPT_FRAMES = 12;
/** Times that patches are looked for in one frame to make sure of a search's result and bring it here. */
const CATCH_UPS = 3;
/** Milliseconds between frames whose times are not told. */
const FRAME_TIME = 1000 / 30;
/** Confidence from which on patches make sure of a detection. */
const FOUND_CONFIDENCE = 0.4;
const FOUND_SUPPORT = 10;
/** Below this confidence a followed target is no longer seen. */
const SEEN_CONFIDENCE = 0.25;
const SEEN_SUPPORT = 8;
/** Pixels of the coarsest level searched about a prediction, and about the last place where that fails. */
const RADIUS = 6;
const WIDE_RADIUS = 11;

/** Follows flat pictures through the frames of a camera or video. */
export interface Tracker {
  readonly targets: readonly Target[];
  /** The camera of the last frame (before the first: null); `assumed` where no intrinsics were given. */
  readonly camera: (Intrinsics & { assumed: boolean }) | null;
  /**
   * Where every target is in the next frame: an Image, ImageData, or grey pixels. Frames are processed one after the other, in
   * the order of the calls. Throws a ShapeError for a frame of size zero or data that do not fit it.
   */
  process(frame: Frame, options?: ProcessOptions): Promise<TrackedFrame>;
  /** Forgets what was seen; targets stay. */
  reset(): void;
}

/**
 * A tracker of `targets` over an extractor. Throws an OptionError for options that are not offered and for a target of
 * another model than the extractor's.
 */
export function createTracker(options: TrackerOptions): Tracker {
  const where = "createTracker";
  checkObject(where, "options", options);
  const { targets, extractor, detector, ...given } = options;
  if (!detector) checkExtractor(where, extractor as never);
  checkTargets(where, targets, detector ? undefined : extractor?.info);
  const settings = withDefaults(where, DEFAULTS, given, ["intrinsics"]);
  const count = { min: 1, integer: true };
  checkNumber(where, "maxTrack", settings.maxTrack, count);
  checkNumber(where, "warmupTolerance", settings.warmupTolerance, count);
  checkNumber(where, "missTolerance", settings.missTolerance, { min: 0, integer: true });
  if (settings.filterMinCF !== Number.POSITIVE_INFINITY) {
    checkNumber(where, "filterMinCF", settings.filterMinCF, { min: 1e-6 });
  }
  checkNumber(where, "filterBeta", settings.filterBeta, { min: 0 });
  checkChoice(where, "detection", settings.detection, DETECTIONS);
  const intrinsics = settings.intrinsics && checkIntrinsics(where, "intrinsics", settings.intrinsics);
  return new PatchTracker(targets, detector ?? createDetector(targets, extractor as never), {
    ...settings,
    intrinsics,
  });
}

/** What a search found in an earlier frame, on its way to the present one. */
interface Arrival {
  state: TrackState;
  homography: Float64Array;
  /** The frame where it was found, or brought to. */
  frame: number;
  isVerified: boolean;
}

/** A search that runs beside the frames. */
interface Search {
  frame: number;
  result: DetectionResult | null;
  error: unknown;
}

class PatchTracker implements Tracker {
  camera: (Intrinsics & { assumed: boolean }) | null = null;
  private readonly states: TrackState[];
  /** Pyramids of frames by number: the present one, and those since the frame of a search that runs. */
  private readonly kept = new Map<number, Pyramid>();
  private readonly spare: Pyramid[] = [];
  private frame = -1;
  private time = -FRAME_TIME;
  private size = [0, 0];
  private running: Search | null = null;
  private arrivals: Arrival[] = [];
  /** Frames overlap nowhere: each waits for the one before. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly targets: readonly Target[],
    private readonly detector: Detector,
    private readonly settings: Omit<Settings, "intrinsics"> & { intrinsics: Intrinsics | null },
  ) {
    this.states = targets.map((target) => new TrackState(target, settings));
  }

  process(frame: Frame, options: ProcessOptions = {}): Promise<TrackedFrame> {
    const processed = this.last.then(() => this.next(frame, options));
    this.last = processed.catch(() => undefined);
    return processed;
  }

  reset(): void {
    for (const state of this.states) state.lose();
    this.arrivals = [];
    this.running = null;
  }

  private async next(frame: Frame, options: ProcessOptions): Promise<TrackedFrame> {
    const where = "process";
    const channels = channelsOf(where, frame);
    const { time = this.time + FRAME_TIME } = withDefaults<ProcessOptions>(where, { time: undefined }, options);
    checkNumber(where, "time", time);
    const watch = new Stopwatch();
    const pyramid = this.read(frame, channels);
    this.time = time;
    watch.lap("read");
    for (const state of this.states) if (state.isFollowed) this.followOn(state, pyramid);
    watch.lap("track");
    this.takeResult(watch);
    this.catchUp();
    watch.lap("verify");
    const lost = this.lostTargets();
    const searched = this.running === null && lost.length > 0;
    if (searched) {
      const search = this.search(rgbImage(frame, channels), lost);
      if (this.settings.detection === "wait") {
        await search;
        watch.skip();
        this.takeResult(watch);
        this.catchUp();
        watch.lap("verify");
      }
    }
    const targets = this.states.map((state, target) => state.result(target, this.time / 1000, pyramid, this.camera));
    watch.lap("filter");
    this.letGo();
    const times = watch.done();
    return { frame: this.frame, targets, searched, times };
  }

  private read(frame: Frame, channels: 1 | 3 | 4): Pyramid {
    const { width, height } = frame;
    this.frame++;
    if (width !== this.size[0] || height !== this.size[1]) {
      // A turned device, another camera: nothing of before holds.
      this.reset();
      this.kept.clear();
      this.spare.length = 0;
      this.size = [width, height];
      const given = this.settings.intrinsics;
      this.camera = { ...(given ?? assumedIntrinsics(width, height)), assumed: given === null };
    }
    const pyramid = this.spare.pop() ?? new Pyramid(width, height, FRAME_LEVELS);
    this.kept.set(this.frame, pyramid);
    writeGrey(frame, channels, pyramid.levels[0].data);
    pyramid.reduce();
    return pyramid;
  }

  private followOn(state: TrackState, pyramid: Pyramid): void {
    const { source, corners } = state;
    const seen = (start: Float64Array | null, radius: number) => {
      const found = start && follow(source, corners, pyramid, start, radius, state.shape);
      return found && found.confidence >= SEEN_CONFIDENCE && found.support >= SEEN_SUPPORT ? found : null;
    };
    const found = seen(state.predicted(), RADIUS) ?? seen(state.homography, WIDE_RADIUS);
    if (found) state.see(found);
    else state.miss();
  }

  /** Targets to search for: those that are not seen, nor on their way, where there is room for more. */
  private lostTargets(): number[] {
    const seen = this.states.filter((state) => state.isSeen).length;
    if (seen + this.arrivals.length >= this.settings.maxTrack) return [];
    return this.states.flatMap((state, i) =>
      state.isSeen || this.arrivals.some((arrival) => arrival.state === state) ? [] : [i],
    );
  }

  private search(image: Image, lost: readonly number[]): Promise<void> {
    const search: Search = { frame: this.frame, result: null, error: null };
    this.running = search;
    return this.detector.detect(image, lost).then(
      (result) => {
        search.result = result;
      },
      (error: unknown) => {
        search.error = error ?? new StateError("process: the search failed");
      },
    );
  }

  /** What a search that has ended found; its error, which is then this frame's. */
  private takeResult(watch: Stopwatch): void {
    const search = this.running;
    if (!search || (!search.result && search.error === null)) return;
    this.running = null;
    if (search.error !== null) throw search.error;
    const { detections, times } = search.result as DetectionResult;
    watch.add("extract", times.extract);
    watch.add("search", times.search);
    for (const { target, homography } of detections) {
      const state = this.states[target];
      this.arrivals.push({ state, homography: state.fromImage(homography), frame: search.frame, isVerified: false });
    }
  }

  /** Makes sure of what searches found, in the frame where they did, and brings it to the present one, hop by hop. */
  private catchUp(): void {
    let left = this.settings.detection === "wait" ? Number.POSITIVE_INFINITY : CATCH_UPS;
    const waiting: Arrival[] = [];
    for (const arrival of this.arrivals) {
      let isThere = !arrival.state.isSeen && this.seenTargets() < this.settings.maxTrack;
      while (isThere && left > 0 && (arrival.frame < this.frame || !arrival.isVerified)) {
        left--;
        isThere = this.hop(arrival, left);
      }
      if (!isThere) continue;
      if (arrival.frame < this.frame || !arrival.isVerified) waiting.push(arrival);
    }
    this.arrivals = waiting;
  }

  private seenTargets(): number {
    return this.states.filter((state) => state.isSeen).length;
  }

  /** One step of an arrival, as far as the steps that are left need; false where it is not there. */
  private hop(arrival: Arrival, left: number): boolean {
    const { state, homography, isVerified } = arrival;
    const behind = this.frame - arrival.frame;
    const wanted = isVerified ? this.frame - Math.floor((behind * left) / (left + 1)) : arrival.frame;
    const at = [...this.kept.keys()].find((frame) => frame >= wanted) ?? this.frame;
    const radius = at === arrival.frame ? RADIUS : WIDE_RADIUS;
    const found = follow(state.source, state.corners, this.kept.get(at) as Pyramid, homography, radius);
    if (!found || found.confidence < FOUND_CONFIDENCE || found.support < FOUND_SUPPORT) return false;
    arrival.homography = found.homography;
    arrival.frame = at;
    arrival.isVerified = true;
    if (at === this.frame) state.find(found);
    return true;
  }

  /** Frames that nothing will be brought from are no longer kept. */
  private letGo(): void {
    const oldest = Math.min(this.running?.frame ?? this.frame + 1, ...this.arrivals.map(({ frame }) => frame));
    const give = (frame: number) => {
      this.spare.push(this.kept.get(frame) as Pyramid);
      this.kept.delete(frame);
    };
    for (const frame of [...this.kept.keys()]) if (frame < oldest) give(frame);
    // The frame of the search stays; of those after it every other one goes.
    if (this.kept.size > KEPT_FRAMES) for (const frame of [...this.kept.keys()].filter((_, k) => k & 1)) give(frame);
  }
}

/** Milliseconds by stage. */
class Stopwatch {
  private before = performance.now();
  private readonly start = this.before;
  private readonly times: StageTimes = { read: 0, track: 0, extract: 0, search: 0, verify: 0, filter: 0, total: 0 };

  lap(stage: keyof StageTimes): void {
    const now = performance.now();
    this.times[stage] += now - this.before;
    this.before = now;
  }

  /** Time that another stage has told already. */
  skip(): void {
    this.before = performance.now();
  }

  add(stage: keyof StageTimes, time: number): void {
    this.times[stage] += time;
  }

  done(): StageTimes {
    this.times.total = this.before - this.start;
    return this.times;
  }
}
