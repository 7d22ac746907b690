/** What is known of one target from frame to frame: lost, found or tracked, where it is and where it goes. */

import type { Intrinsics } from "../geometry/intrinsics.js";
import { compose, imageCorners, inverse3x3 } from "../geometry/matrix3.js";
import { CornerFilter } from "./filter.js";
import { type Followed, seenShare } from "./follow.js";
import type { PatchSource } from "./patches.js";
import { homographyOfCorners, meanCornerDistance, projectInto } from "./plane.js";
import { planarPose } from "./pose.js";
import type { Pyramid } from "./pyramid.js";
import type { Shape } from "./refit.js";
import { patchSource, type Target } from "./target.js";
import type { TargetState, TrackedTarget, TrackerOptions } from "./types.js";

/** Least and first change of a shape from frame to frame, in pixels of a corner, and what is left of it a frame later. */
const LEAST_CHANGE = 0.15;
const MOST_CHANGE = 4;
const CHANGE_LEFT = 0.85;
/**
 * A followed target is searched for again where fewer patches agree than most do: after so many frames below a confidence, and
 * each time as many later. What misleads patches (a part that repeats itself, a long cover) is found so.
 */
const DOUBTS = [
  { confidence: 0.5, frames: 15 },
  { confidence: 0.8, frames: 90 },
] as const;
/** Share of its confidence that a followed target keeps from one frame to the next, but for covers and blur. */
const EXPECTED = 0.7;
/** A search corrects what is followed where its confidence is higher by this, this far away (mean of corners, in pixels). */
const HIGHER_CONFIDENCE = 0.1;
const ELSEWHERE = 3;
/** A predicted target of which the frame shows less than this share has left it. */
const LEFT = 0.25;

export class TrackState {
  readonly source: PatchSource;
  /** Of the picture that patches are taken from. */
  readonly corners: Float64Array;
  /** Image to picture, and its inverse. */
  private readonly toPicture: Float64Array;
  private readonly toImage: Float64Array;
  private readonly imageCorners: Float64Array;
  private readonly filter: CornerFilter;

  /** Picture to frame, as it was last seen or predicted; null: lost. */
  homography: Float64Array | null = null;
  /** Its corners in the frame, and in the frame before where they were seen in both. */
  private readonly now = new Float64Array(8);
  private readonly before = new Float64Array(8);
  private hasSpeed = false;
  /** How far corners move from frame to frame beside turning, moving and growing, in pixels: now or lately. */
  private change = MOST_CHANGE;
  private confidence = 0;
  /** For each of DOUBTS, frames in a row below its confidence since a search. */
  private readonly doubted = DOUBTS.map(() => 0);
  private seenFrames = 0;
  private missedFrames = 0;
  private announced = false;
  private pose: Float64Array | null = null;

  constructor(
    readonly target: Target,
    private readonly settings: Required<
      Pick<TrackerOptions, "warmupTolerance" | "missTolerance" | "filterMinCF" | "filterBeta">
    >,
  ) {
    this.source = patchSource(target);
    const { width, height } = target.picture;
    this.corners = imageCorners([width, height]);
    this.imageCorners = imageCorners(target.size);
    const [sx, sy] = [width / target.size[0], height / target.size[1]];
    this.toPicture = Float64Array.of(sx, 0, 0.5 * sx - 0.5, 0, sy, 0.5 * sy - 0.5, 0, 0, 1);
    this.toImage = inverse3x3(this.toPicture) as Float64Array;
    this.filter = new CornerFilter(settings.filterMinCF, settings.filterBeta);
  }

  /** Whether a place is known to follow it from. */
  get isFollowed(): boolean {
    return this.homography !== null;
  }

  /** Whether it is seen in this frame. */
  get isSeen(): boolean {
    return this.homography !== null && this.missedFrames === 0;
  }

  /** A homography of the target's image as one of the picture. */
  fromImage(matrix: Float64Array): Float64Array {
    return compose(matrix, this.toImage);
  }

  /** Where its motion leads in the next frame: the corners go on as they did. */
  predicted(): Float64Array | null {
    if (!this.homography || !this.hasSpeed) return this.homography;
    const next = this.now.map((value, k) => 2 * value - this.before[k]);
    return homographyOfCorners(this.corners, next);
  }

  /** Confidence below which its place in the next frame is in doubt. */
  get expected(): number {
    return EXPECTED * this.confidence;
  }

  /** Whether a search should say if it is where patches have it. */
  get isDoubtful(): boolean {
    return this.isSeen && DOUBTS.some(({ frames }, k) => this.doubted[k] >= frames);
  }

  /** A search for it begins. */
  searchBegins(): void {
    this.doubted.fill(0);
  }

  /** It was found by a search: nothing is known of its motion. Where it is followed already, the better place counts. */
  find(found: Followed): void {
    if (this.isSeen && !this.isBetter(found)) return;
    // What was lost for a moment goes on; its filter need not begin anew.
    this.hasSpeed = false;
    this.change = MOST_CHANGE;
    this.place(found);
  }

  private isBetter({ homography, confidence }: Followed): boolean {
    if (confidence < this.confidence + HIGHER_CONFIDENCE) return false;
    const corners = projectInto(homography, this.corners, new Float64Array(8));
    return meanCornerDistance(corners, this.now) > ELSEWHERE;
  }

  /** It was followed into this frame. */
  see(found: Followed): void {
    this.before.set(this.now);
    this.hasSpeed = this.missedFrames === 0;
    this.place(found);
    this.change = Math.max(LEAST_CHANGE, CHANGE_LEFT * this.change, shapeChange(this.before, this.now));
  }

  /** Its shape in the last frame. */
  get shape(): Shape | null {
    return this.homography && { homography: this.homography, change: this.change };
  }

  private place({ homography, confidence }: Followed): void {
    this.homography = homography;
    projectInto(homography, this.corners, this.now);
    this.confidence = confidence;
    this.seenFrames++;
    this.missedFrames = 0;
    for (const [k, doubt] of DOUBTS.entries())
      this.doubted[k] = confidence < doubt.confidence ? this.doubted[k] + 1 : 0;
  }

  /** It is not seen in this frame. */
  miss(): void {
    this.seenFrames = 0;
    this.confidence = 0;
    if (++this.missedFrames > this.settings.missTolerance || !this.announced) {
      this.lose();
      return;
    }
    const next = this.predicted();
    if (!next) return;
    this.before.set(this.now);
    projectInto(next, this.corners, this.now);
    this.homography = next;
  }

  lose(): void {
    this.homography = null;
    this.hasSpeed = false;
    this.announced = false;
    this.confidence = 0;
    this.seenFrames = 0;
    this.missedFrames = 0;
    this.pose = null;
    this.doubted.fill(0);
    this.filter.reset();
  }

  /** What is told of it in a frame taken at `time` (seconds). */
  result(target: number, time: number, pyramid: Pyramid, camera: Intrinsics | null): TrackedTarget {
    const { name } = this.target;
    const lost = { target, name, predicted: false, homography: null, corners: null, pose: null, confidence: 0 };
    if (this.homography && !this.isSeen && seenShare(this.corners, pyramid, this.homography) < LEFT) this.lose();
    if (!this.homography) return { ...lost, state: "lost" };
    if (!this.announced && this.seenFrames < this.settings.warmupTolerance) return { ...lost, state: "lost" };
    const state: TargetState = this.announced ? "tracked" : "found";
    this.announced = true;
    const corners = projectInto(compose(this.homography, this.toPicture), this.imageCorners, new Float64Array(8));
    this.filter.apply(corners, time);
    const homography = homographyOfCorners(this.imageCorners, corners);
    if (camera) {
      const { size, physicalWidth } = this.target;
      // Corners are centres of pixels: the printed picture is a pixel wider.
      const scale = physicalWidth / size[0];
      this.pose = planarPose(corners, [scale * (size[0] - 1), scale * (size[1] - 1)], camera, this.pose);
    }
    return {
      target,
      name,
      state,
      predicted: !this.isSeen,
      homography,
      corners,
      pose: this.pose?.slice() ?? null,
      confidence: this.confidence,
    };
  }
}

/** Root mean square distance of four corners from where the best similarity takes those before. */
function shapeChange(before: Float64Array, now: Float64Array): number {
  let [bx, by, nx, ny] = [0, 0, 0, 0];
  for (let k = 0; k < 8; k += 2) {
    bx += before[k] / 4;
    by += before[k + 1] / 4;
    nx += now[k] / 4;
    ny += now[k + 1] / 4;
  }
  let [square, along, across, all] = [0, 0, 0, 0];
  for (let k = 0; k < 8; k += 2) {
    const [ux, uy, vx, vy] = [before[k] - bx, before[k + 1] - by, now[k] - nx, now[k + 1] - ny];
    square += ux * ux + uy * uy;
    along += ux * vx + uy * vy;
    across += ux * vy - uy * vx;
    all += vx * vx + vy * vy;
  }
  return Math.sqrt(Math.max(0, all - (along * along + across * across) / square) / 4);
}
