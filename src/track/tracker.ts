/**
 * The tracker: lost targets are looked for among a frame's features, those that are seen are followed by patches from
 * where their motion leads, and what is found is filtered and made a pose.
 */
import { checkObject } from "../check.js";
import { StateError } from "../errors.js";
import { checkIntrinsics, type Intrinsics } from "../geometry/intrinsics.js";
import type { Image } from "../image/image.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { type Arrival, bringArrivals, KeptFrames } from "./arrivals.js";
import { assumedIntrinsics } from "./camera.js";
import { checkExtractor, checkTargets } from "./check-targets.js";
import { createDetector, type DetectionResult, type Detector } from "./detector.js";
import { type Followed, follow } from "./follow.js";
import { channelsOf, type Frame, type Pyramid, rgbImage, writeGrey } from "./pyramid.js";
import { Stopwatch } from "./stopwatch.js";
import type { Target } from "./target.js";
import { TrackState } from "./track-state.js";
import { DETECTIONS, type ProcessOptions, type TrackedFrame, type TrackerOptions } from "./types.js";

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

/** Times that patches are looked for in one frame to make sure of a search's result and bring it here. */
const CATCH_UPS = 3;
/** Milliseconds between frames whose times are not told. */
const FRAME_TIME = 1000 / 30;
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

/** A search that runs beside the frames. */
interface Search {
  frame: number;
  result: DetectionResult | null;
  error: unknown;
}

class PatchTracker implements Tracker {
  camera: (Intrinsics & { assumed: boolean }) | null = null;
  private readonly states: TrackState[];
  private readonly frames = new KeptFrames();
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
    const wanted = this.wantedTargets();
    const searched = this.running === null && wanted.length > 0;
    if (searched) {
      const search = this.search(rgbImage(frame, channels), wanted);
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
      this.frames.clear();
      this.size = [width, height];
      const given = this.settings.intrinsics;
      this.camera = { ...(given ?? assumedIntrinsics(width, height)), assumed: given === null };
    }
    const pyramid = this.frames.add(this.frame, width, height);
    writeGrey(frame, channels, pyramid.levels[0].data);
    pyramid.reduce();
    return pyramid;
  }

  private followOn(state: TrackState, pyramid: Pyramid): void {
    const { source, corners } = state;
    const from = (start: Float64Array | null, radius: number): Followed | null => {
      const found = start && follow(source, corners, pyramid, start, radius, state.shape);
      return found && found.confidence >= SEEN_CONFIDENCE && found.support >= SEEN_SUPPORT ? found : null;
    };
    let found = from(state.predicted(), RADIUS);
    // Few patches agree by chance too: where it was seen well before, it may have turned back.
    if (!found || found.confidence < state.expected) {
      const other = from(state.homography, WIDE_RADIUS);
      if (!found || (other && other.confidence > found.confidence)) found = other;
    }
    if (found) state.see(found);
    else state.miss();
  }

  /**
   * Targets to search for: those that are not seen, nor on their way, where there is room for more; and those that are
   * followed, but so badly or so long that it is time for another look.
   */
  private wantedTargets(): number[] {
    const isOnItsWay = (state: TrackState) => this.arrivals.some((arrival) => arrival.state === state);
    const coming = this.states.filter((state) => !state.isSeen && isOnItsWay(state)).length;
    const hasRoom = this.seenTargets() + coming < this.settings.maxTrack;
    return this.states.flatMap((state, i) =>
      (state.isSeen ? state.isDoubtful : hasRoom) && !isOnItsWay(state) ? [i] : [],
    );
  }

  private search(image: Image, wanted: readonly number[]): Promise<void> {
    const search: Search = { frame: this.frame, result: null, error: null };
    this.running = search;
    for (const target of wanted) this.states[target].searchBegins();
    return this.detector.detect(image, wanted).then(
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

  /** Makes sure of what searches found, in the frame where they did, and brings it to the present one. */
  private catchUp(): void {
    const steps = this.settings.detection === "wait" ? Number.POSITIVE_INFINITY : CATCH_UPS;
    const hasRoom = () => this.seenTargets() < this.settings.maxTrack;
    this.arrivals = bringArrivals(this.arrivals, this.frames, this.frame, steps, hasRoom);
  }

  private seenTargets(): number {
    return this.states.filter((state) => state.isSeen).length;
  }

  /** Frames that nothing will be brought from are no longer kept. */
  private letGo(): void {
    this.frames.letGo(Math.min(this.running?.frame ?? this.frame + 1, ...this.arrivals.map(({ frame }) => frame)));
  }
}
