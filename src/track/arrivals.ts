/**
 * What searches found, on its way from the frame where they looked to the present one: patches make sure of it there and
 * bring it here, over frames that are kept so long.
 */
import { follow } from "./follow.js";
import { Pyramid } from "./pyramid.js";
import type { TrackState } from "./track-state.js";

/** Levels of a frame's pyramid. */
const FRAME_LEVELS = 4;
/** Frames that are kept for a search beside them; of one that takes longer, the middle ones are left out. */
const KEPT_FRAMES = 12;
/** Confidence from which on patches make sure of a detection, and how many must agree. */
const FOUND_CONFIDENCE = 0.4;
const FOUND_SUPPORT = 10;
/** Pixels of the coarsest level that are searched where the search looked, and in a later frame. */
const RADIUS = 6;
const WIDE_RADIUS = 11;

/** Pyramids of frames by number: the present one, and those since the frame of a search that runs. */
export class KeptFrames {
  private readonly kept = new Map<number, Pyramid>();
  private readonly spare: Pyramid[] = [];

  /** Forgets all; frames of another size follow. */
  clear(): void {
    this.kept.clear();
    this.spare.length = 0;
  }

  /** Room for a frame of that size. */
  add(frame: number, width: number, height: number): Pyramid {
    const pyramid = this.spare.pop() ?? new Pyramid(width, height, FRAME_LEVELS);
    this.kept.set(frame, pyramid);
    return pyramid;
  }

  /** The first frame from `wanted` on that is kept. */
  from(wanted: number): [number, Pyramid] | undefined {
    return [...this.kept].find(([frame]) => frame >= wanted);
  }

  /** Frames before `oldest` are no longer needed. */
  letGo(oldest: number): void {
    const give = (frame: number) => {
      this.spare.push(this.kept.get(frame) as Pyramid);
      this.kept.delete(frame);
    };
    for (const frame of [...this.kept.keys()]) if (frame < oldest) give(frame);
    // The frame of the search stays; of those after it every other one goes.
    if (this.kept.size > KEPT_FRAMES) for (const frame of [...this.kept.keys()].filter((_, k) => k & 1)) give(frame);
  }
}

/** A target that a search found. */
export interface Arrival {
  state: TrackState;
  /** Picture to frame. */
  homography: Float64Array;
  /** The frame where it was found, or brought to. */
  frame: number;
  isVerified: boolean;
}

/** Whether an arrival is one step from the present frame, at most. */
const isHere = (arrival: Arrival, present: number): boolean => arrival.isVerified && arrival.frame === present;

/**
 * Brings arrivals towards the frame `present` in at most `steps` searches for patches; returns those that are still on their
 * way. What arrives is told to its state, what is not there is dropped. `hasRoom`: whether one more target may be followed.
 */
export function bringArrivals(
  arrivals: readonly Arrival[],
  frames: KeptFrames,
  present: number,
  steps: number,
  hasRoom: () => boolean,
): Arrival[] {
  const waiting: Arrival[] = [];
  for (const arrival of arrivals) {
    let isThere = arrival.state.isSeen || hasRoom();
    while (isThere && steps > 0 && !isHere(arrival, present)) isThere = hop(arrival, frames, present, --steps);
    if (isThere && !isHere(arrival, present)) waiting.push(arrival);
  }
  return waiting;
}

/** One step of an arrival, as far as the steps that are left need; false where it is not there. */
function hop(arrival: Arrival, frames: KeptFrames, present: number, left: number): boolean {
  const { state, homography, isVerified } = arrival;
  const behind = present - arrival.frame;
  const wanted = isVerified ? present - Math.floor((behind * left) / (left + 1)) : arrival.frame;
  const [at, pyramid] = frames.from(wanted) as [number, Pyramid];
  const radius = at === arrival.frame ? RADIUS : WIDE_RADIUS;
  const found = follow(state.source, state.corners, pyramid, homography, radius);
  if (!found || found.confidence < FOUND_CONFIDENCE || found.support < FOUND_SUPPORT) return false;
  arrival.homography = found.homography;
  arrival.frame = at;
  arrival.isVerified = true;
  if (at === present) state.find(found);
  return true;
}
