/** A rendered video of one picture: its frames on demand, each with the truth. */

import type { Intrinsics } from "../../geometry/intrinsics.js";
import { imageCorners, projectPoints } from "../../geometry/matrix3.js";
import type { Image } from "../../image/image.js";
import { Random } from "../../random.js";
import { assumedIntrinsics } from "../../track/camera.js";
import { chapters, framesOf, momentHomography } from "./motion.js";
import { mipImage, renderFrame } from "./render.js";

/** What is true of a frame. */
export interface FrameTruth {
  chapter: string;
  /** Corners of the picture, as TrackedTarget has them; null where it is not there or out of sight. */
  corners: Float64Array | null;
  /** Share of the picture that is seen: in the frame and not covered. */
  seen: number;
  /** Square root of the area it would cover, in pixels. */
  extent: number;
  tilt: number;
}

export interface Video {
  size: [number, number];
  intrinsics: Intrinsics;
  truths: FrameTruth[];
  render(frame: number): Image;
}

export interface VideoOptions {
  width?: number;
  height?: number;
  seed?: number;
  /** Noise of the camera in levels. Default 3. */
  noise?: number;
}

const GRID = 24;

/** The video of `picture` before `background`; `cover` is the texture of what covers it. */
export function makeVideo(
  picture: Image,
  background: Image,
  cover: Image,
  { width = 640, height = 480, seed = 0, noise = 3 }: VideoOptions = {},
): Video {
  const intrinsics = assumedIntrinsics(width, height);
  const plan = chapters(width, height, seed);
  const frames = framesOf(plan.start, plan.chapters);
  const layers = [picture, background, cover].map(mipImage);
  const size: [number, number] = [picture.width, picture.height];
  const random = new Random(seed + 1);
  const drift = [random.uniform(-0.2, 0.2), random.uniform(-0.2, 0.2)];
  const truths = frames.map(({ chapter, shown, moment }): FrameTruth => {
    const homography = momentHomography(moment, size, width, intrinsics);
    const corners = projectPoints(homography, imageCorners(size));
    const seen = shown ? seenShare(homography, size, [width, height], moment.cover) : 0;
    return { chapter, corners: seen > 0 ? corners : null, seen, extent: Math.sqrt(areaOf(corners)), tilt: moment.tilt };
  });
  return {
    size: [width, height],
    intrinsics,
    truths,
    render(frame) {
      const { shown, moment, opens, closes } = frames[frame];
      const moves = opens.x !== closes.x || opens.y !== closes.y || opens.turn !== closes.turn;
      const at = (time: number) => {
        const mixed = { ...moment };
        for (const key of Object.keys(mixed) as (keyof typeof mixed)[]) {
          mixed[key] = opens[key] + time * (closes[key] - opens[key]);
        }
        return momentHomography(mixed, size, width, intrinsics);
      };
      const still = momentHomography(moment, size, width, intrinsics);
      // The background fills the frame and more, and drifts.
      const zoom = 1.25 * Math.max(width / background.width, height / background.height);
      const shift = [0, 1].map((k) => {
        const room = zoom * [background.width, background.height][k] - [width, height][k];
        return -room / 2 + (room / 2) * Math.sin(0.02 * frame * drift[k] * 5);
      });
      const behind = Float64Array.of(zoom, 0, shift[0], 0, zoom, shift[1], 0, 0, 1);
      return renderFrame({
        width,
        height,
        background: { image: layers[1], toFrame: () => behind },
        picture: shown ? { image: layers[0], toFrame: moves ? at : () => still } : null,
        cover: moment.cover > 0 ? { image: layers[2], share: moment.cover } : null,
        gain: moment.gain,
        noise,
        seed: seed * 100_003 + frame,
        samples: moves ? 17 : 6,
      });
    },
  };
}

function seenShare(
  h: Float64Array,
  [width, height]: readonly [number, number],
  [frameWidth, frameHeight]: readonly [number, number],
  cover: number,
): number {
  let seen = 0;
  for (let j = 0; j < GRID; j++) {
    for (let i = 0; i < GRID; i++) {
      if ((i + 0.5) / GRID < cover) continue;
      const [x, y] = projectPoints(h, [((i + 0.5) / GRID) * width - 0.5, ((j + 0.5) / GRID) * height - 0.5]);
      if (x >= -0.5 && y >= -0.5 && x <= frameWidth - 0.5 && y <= frameHeight - 0.5) seen++;
    }
  }
  return seen / GRID ** 2;
}

function areaOf(corners: ArrayLike<number>): number {
  let area = 0;
  for (let k = 0; k < 4; k++) {
    const [i, j] = [2 * k, 2 * ((k + 1) % 4)];
    area += (corners[i] * corners[j + 1] - corners[j] * corners[i + 1]) / 2;
  }
  return Math.abs(area);
}
