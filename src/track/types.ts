/** What a tracker takes and gives. */
import type { IntrinsicsLike } from "../geometry/intrinsics.js";
import type { Detector, DetectorSource } from "./detector.js";
import type { Target } from "./target.js";

/** How a lost target is looked for: before `process` ends, or beside the frames that go on. */
export const DETECTIONS = ["wait", "background"] as const;

/** Options of createTracker. */
export interface TrackerOptions {
  /** The pictures to look for, as compileTarget or readTarget gives them; results name them by their index. */
  targets: readonly Target[];
  /**
   * Gives a frame's features: the model that the targets were compiled with. One in a page's worker looks for lost targets
   * there as well. Not needed beside a detector.
   */
  extractor?: DetectorSource;
  /** Looks for lost targets, in the place of the extractor. See createDetector. */
  detector?: Detector;
  /** Most targets that are followed at once; further ones are not looked for. Default 1. */
  maxTrack?: number;
  /** Frames in a row that a picture must be seen in before it is found. Default 1. */
  warmupTolerance?: number;
  /** Frames in a row without sight of the picture during which its place is predicted, before it is lost. Default 3. */
  missTolerance?: number;
  /**
   * Cutoff frequency of the One-Euro filter on a picture at rest, in hertz: lower is stiller. Default 1.5; Infinity turns
   * the filter off.
   */
  filterMinCF?: number;
  /**
   * How fast the cutoff grows with the corners' speed, in hertz per pixel a second: higher lags less. A picture in motion
   * lags by at most 1 / (2π · filterBeta) pixels. Default 1.5.
   */
  filterBeta?: number;
  /** The camera, in pixels of a frame. Default null: 60° across the longer edge, principal point in the middle. */
  intrinsics?: IntrinsicsLike | null;
  /**
   * "wait" (default): `process` looks for a lost picture in the frame itself, and ends when that is done. "background": it
   * never waits; what a search finds is brought from its frame to the present one by patches.
   */
  detection?: (typeof DETECTIONS)[number];
}

/** What `process` is told of a frame. */
export interface ProcessOptions {
  /** When the frame was taken, in milliseconds from any origin. Default: a thirtieth of a second after the last one. */
  time?: number;
}

/** States of a target. */
export const TARGET_STATES = ["lost", "found", "tracked"] as const;
/** "lost": not seen; "found": in this frame for the first time since; "tracked": since before. */
export type TargetState = (typeof TARGET_STATES)[number];

/** A target in a frame. */
export interface TrackedTarget {
  /** Its index among the tracker's targets, and its name. */
  target: number;
  name: string;
  state: TargetState;
  /**
   * Whether its place is predicted: the picture is not seen in this frame, but was a few frames before
   * (`missTolerance`). Its confidence then is 0.
   */
  predicted: boolean;
  /** Row-major 3×3 from pixels of the target's image to those of the frame; null where it is lost. */
  homography: Float64Array | null;
  /** Its image's corners in the frame, clockwise from the image's top left: x0, y0, …, x3, y3; null where it is lost. */
  corners: Float64Array | null;
  /**
   * Column-major 4×4 from the target's coordinates to the camera's, as WebGL and three.js have them; null where it is
   * lost. The target's origin is its middle, x to the right, y up, z towards the viewer, its width `physicalWidth`;
   * the camera looks along −z, x to the right, y up.
   */
  pose: Float64Array | null;
  /** 0 to 1: how well its patches agree with the frame. */
  confidence: number;
}

/** Milliseconds that a frame took, by stage. */
export interface StageTimes {
  /** To grey, and halved. */
  read: number;
  /** Following targets that were seen before. */
  track: number;
  /** The features of a frame. "background": of the search that ended with this frame, and no part of the total. */
  extract: number;
  /** Finding lost targets among them. "background": as `extract`. */
  search: number;
  /** Making sure of what was found, and bringing it to this frame, by patches. */
  verify: number;
  /** Filter and poses. */
  filter: number;
  total: number;
}

/** What a tracker sees in a frame. */
export interface TrackedFrame {
  /** Frames before it. */
  frame: number;
  /** Every target, in the order of `targets`. */
  targets: TrackedTarget[];
  /** Whether this frame was (or, of "background", began to be) searched for lost targets. */
  searched: boolean;
  times: StageTimes;
}
