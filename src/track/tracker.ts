/**
 * The tracker: lost targets are looked for among a frame's features, those that are seen are followed by patches from
 * where their motion leads, and what is found is filtered and made a pose.
 */
import { checkList, checkObject } from "../check.js";
import { OptionError } from "../errors.js";
import type { FloatFeatures } from "../features.js";
import { checkIntrinsics, type Intrinsics } from "../geometry/intrinsics.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { assumedIntrinsics } from "./camera.js";
import { detectTarget } from "./detect.js";
import { follow } from "./follow.js";
import { channelsOf, type Frame, Pyramid, rgbImage, writeGrey } from "./pyramid.js";
import { checkExtractor, type Target } from "./target.js";
import { TrackState } from "./track-state.js";
import { DETECTIONS, type ProcessOptions, type StageTimes, type TrackedFrame, type TrackerOptions } from "./types.js";

type Settings = Required<TrackerOptions>;

const DEFAULTS: Omit<Settings, "targets" | "extractor"> = {
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
  const { targets, extractor, ...given } = options;
  checkExtractor(where, extractor);
  checkTargets(where, targets, extractor.info);
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
  return new PatchTracker({ ...settings, targets, extractor, intrinsics });
}

function checkTargets(where: string, targets: readonly Target[], info: { model: string; sha256: string }): void {
  checkList(where, "targets", targets);
  if (targets.length === 0) throw new OptionError(`${where}: "targets" is empty; give one target at least`);
  for (const [i, target] of targets.entries()) {
    const { model, features } = checkObject(where, `targets[${i}]`, target) as Partial<Target> as Target;
    if (!model || !features) {
      throw new OptionError(`${where}: targets[${i}] is no target; compileTarget and readTarget give them`);
    }
    if (model.sha256 === info.sha256) continue;
    throw new OptionError(
      `${where}: target ${i}${target.name && ` (${target.name})`} was compiled with the model ${model.name} ` +
        `(SHA-256 ${model.sha256.slice(0, 12)}…), the extractor is ${info.model} (${info.sha256.slice(0, 12)}…); ` +
        "open that model, or compile the target again",
    );
  }
}

class PatchTracker implements Tracker {
  readonly targets: readonly Target[];
  camera: (Intrinsics & { assumed: boolean }) | null = null;
  private readonly states: TrackState[];
  private pyramid: Pyramid | null = null;
  private frames = 0;
  private time = -FRAME_TIME;
  /** Frames overlap nowhere: each waits for the one before. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly settings: Omit<Settings, "intrinsics"> & { intrinsics: Intrinsics | null }) {
    this.targets = settings.targets;
    this.states = settings.targets.map((target) => new TrackState(target, settings));
  }

  process(frame: Frame, options: ProcessOptions = {}): Promise<TrackedFrame> {
    const processed = this.last.then(() => this.next(frame, options));
    this.last = processed.catch(() => undefined);
    return processed;
  }

  reset(): void {
    for (const state of this.states) state.lose();
  }

  private async next(frame: Frame, options: ProcessOptions): Promise<TrackedFrame> {
    const where = "process";
    const channels = channelsOf(where, frame);
    const { time = this.time + FRAME_TIME } = withDefaults<ProcessOptions>(where, { time: undefined }, options);
    this.time = checkNumber(where, "time", time);
    const watch = new Stopwatch();
    const pyramid = this.read(frame, channels);
    watch.lap("read");
    for (const state of this.states) if (state.isFollowed) this.followOn(state, pyramid);
    watch.lap("track");
    const lost = this.states.filter((state) => !state.isSeen);
    const room = this.settings.maxTrack - (this.states.length - lost.length);
    const searched = room > 0 && lost.length > 0;
    if (searched) {
      const features = await this.settings.extractor.extract(rgbImage(frame, channels));
      watch.lap("extract");
      await this.search(features, lost, room, pyramid);
      watch.lap("search");
    }
    const targets = this.states.map((state, target) => state.result(target, this.time / 1000, pyramid, this.camera));
    watch.lap("filter");
    return { frame: this.frames++, targets, searched, times: watch.done() };
  }

  private read(frame: Frame, channels: 1 | 3 | 4): Pyramid {
    const { width, height } = frame;
    const level = this.pyramid?.levels[0];
    if (!this.pyramid || level?.width !== width || level?.height !== height) {
      // A turned device, another camera: nothing of before holds.
      this.reset();
      this.pyramid = new Pyramid(width, height, FRAME_LEVELS);
      const given = this.settings.intrinsics;
      this.camera = { ...(given ?? assumedIntrinsics(width, height)), assumed: given === null };
    }
    writeGrey(frame, channels, this.pyramid.levels[0].data);
    this.pyramid.reduce();
    return this.pyramid;
  }

  private followOn(state: TrackState, pyramid: Pyramid): void {
    const { source, corners } = state;
    const seen = (start: Float64Array | null, radius: number) => {
      const found = start && follow(source, corners, pyramid, start, radius);
      return found && found.confidence >= SEEN_CONFIDENCE && found.support >= SEEN_SUPPORT ? found : null;
    };
    const found = seen(state.predicted(), RADIUS) ?? seen(state.homography, WIDE_RADIUS);
    if (found) state.see(found);
    else state.miss();
  }

  private async search(features: FloatFeatures, lost: TrackState[], room: number, pyramid: Pyramid): Promise<void> {
    for (const state of lost) {
      if (room === 0) return;
      const matrix = await detectTarget(features, state.target);
      const found = matrix && follow(state.source, state.corners, pyramid, state.fromImage(matrix), RADIUS);
      if (!found || found.confidence < FOUND_CONFIDENCE || found.support < FOUND_SUPPORT) continue;
      state.find(found);
      room--;
    }
  }
}

/** Milliseconds by stage. */
class Stopwatch {
  private readonly start = performance.now();
  private before = this.start;
  private readonly times: StageTimes = { read: 0, track: 0, extract: 0, search: 0, filter: 0, total: 0 };

  lap(stage: keyof StageTimes): void {
    const now = performance.now();
    this.times[stage] += now - this.before;
    this.before = now;
  }

  done(): StageTimes {
    this.times.total = this.before - this.start;
    return this.times;
  }
}
