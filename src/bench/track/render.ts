/**
 * Frames of a video of a flat picture before a background, drawn with many samples a pixel, each at its own moment of the
 * exposure, so that edges and motion are as a camera sees them and the truth is exact.
 */
import { inverse3x3 } from "../../geometry/matrix3.js";
import type { Image } from "../../image/image.js";
import { shrinkImage } from "../../image/shrink.js";
import { Random } from "../../random.js";

/** What a frame shows. */
export interface FrameScene {
  width: number;
  height: number;
  /** Behind everything; `toFrame` takes its pixels to the frame's at a moment from 0 (shutter opens) to 1. */
  background: Layer;
  /** The picture; null: not there. */
  picture: Layer | null;
  /** In front of the picture, from its left border to this share of its width; texture of its own. */
  cover: { image: MipImage; share: number } | null;
  gain: number;
  /** Standard deviation of a pixel's noise in levels. */
  noise: number;
  seed: number;
  /** Samples per pixel. */
  samples: number;
}

export interface Layer {
  image: MipImage;
  /** Row-major 3×3 from its pixels to the frame's, from 0 to 1 of the exposure. */
  toFrame(time: number): Float64Array;
}

/** An image and its halves. */
export interface MipImage {
  levels: readonly Image[];
}

export function mipImage(image: Image): MipImage {
  const levels = [image];
  while (Math.min(levels[levels.length - 1].width, levels[levels.length - 1].height) > 16) {
    levels.push(shrinkImage(levels[levels.length - 1], 0.5).image);
  }
  return { levels };
}

/** The frame. */
export function renderFrame(scene: FrameScene): Image {
  const { width, height, background, picture, cover, gain, noise, seed, samples } = scene;
  const sum = new Float32Array(3 * width * height);
  // A rank-1 lattice in the pixel about its centre; moments in another order, so that place and time do not go together.
  const lattice = (step: number) => {
    const places = Array.from({ length: samples }, (_, k) => (k * step) % 1);
    const mean = places.reduce((total, place) => total + place, 0) / samples;
    return places.map((place) => place - mean);
  };
  const [across, down] = [lattice(0.754877666), lattice(0.569840296)];
  for (let k = 0; k < samples; k++) {
    const [dx, dy] = [across[k], down[k]];
    const time = (((k * 5) % samples) + 0.5) / samples;
    const behind = sampler(background, time, width, height);
    const front = picture && sampler(picture, time, width, height);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at += 3) {
        if (front?.place(x + dx, y + dy)) {
          if (cover && front.shareX < cover.share) {
            read(cover.image.levels[0], x % cover.image.levels[0].width, y % cover.image.levels[0].height, sum, at);
          } else front.add(sum, at);
        } else {
          behind.place(x + dx, y + dy);
          behind.add(sum, at);
        }
      }
    }
  }
  const random = new Random(seed);
  const data = new Uint8Array(sum.length);
  for (let at = 0; at < data.length; at++) {
    const value = (gain * sum[at]) / samples + (noise > 0 ? noise * random.normal() : 0);
    data[at] = Math.min(255, Math.max(0, Math.round(value)));
  }
  return { width, height, data };
}

/** Reads a layer at a moment: `place` says whether it is there at a place of the frame, `add` adds its colour. */
function sampler({ image, toFrame }: Layer, time: number, width: number, height: number) {
  const full = image.levels[0];
  const inverse = inverse3x3(toFrame(time)) as Float64Array;
  const depth = (x: number, y: number) => inverse[6] * x + inverse[7] * y + inverse[8];
  // Towards the picture's middle depths are positive.
  const forward = toFrame(time);
  const [mx, my] = [(full.width - 1) / 2, (full.height - 1) / 2];
  const w = forward[6] * mx + forward[7] * my + forward[8];
  const [cx, cy] = [
    (forward[0] * mx + forward[1] * my + forward[2]) / w,
    (forward[3] * mx + forward[4] * my + forward[5]) / w,
  ];
  const sign = depth(cx, cy) < 0 ? -1 : 1;
  const h = inverse.map((value) => sign * value);
  // Its pixels per pixel of the frame, where the frame shows its middle (or near there).
  const [vx, vy] = [Math.min(width, Math.max(0, cx)), Math.min(height, Math.max(0, cy))];
  const wv = h[6] * vx + h[7] * vy + h[8];
  const [u, v] = [(h[0] * vx + h[1] * vy + h[2]) / wv, (h[3] * vx + h[4] * vy + h[5]) / wv];
  const area = Math.abs((h[0] - u * h[6]) * (h[4] - v * h[7]) - (h[1] - u * h[7]) * (h[3] - v * h[6])) / (wv * wv);
  const level = Math.min(image.levels.length - 1, Math.max(0, Math.round(Math.log2(Math.sqrt(area)) - 0.3)));
  const source = image.levels[level];
  const shrunk = [source.width / full.width, source.height / full.height];
  let [px, py] = [0, 0];
  return {
    shareX: 0,
    place(x: number, y: number): boolean {
      const w = h[6] * x + h[7] * y + h[8];
      const fx = (h[0] * x + h[1] * y + h[2]) / w;
      const fy = (h[3] * x + h[4] * y + h[5]) / w;
      px = (fx + 0.5) * shrunk[0] - 0.5;
      py = (fy + 0.5) * shrunk[1] - 0.5;
      this.shareX = (fx + 0.5) / full.width;
      return w > 0 && fx >= -0.5 && fy >= -0.5 && fx <= full.width - 0.5 && fy <= full.height - 0.5;
    },
    add(sum: Float32Array, at: number): void {
      read(source, px, py, sum, at);
    },
  };
}

/** Adds the colour at a place, bilinear, the border going on. */
function read({ width, height, data }: Image, x: number, y: number, sum: Float32Array, at: number): void {
  const cx = Math.min(Math.max(x, 0), width - 1);
  const cy = Math.min(Math.max(y, 0), height - 1);
  const column = Math.min(cx | 0, width - 2);
  const row = Math.min(cy | 0, height - 2);
  const [u, v] = [cx - column, cy - row];
  const top = 3 * (row * width + column);
  const below = top + 3 * width;
  const w11 = u * v;
  const w10 = v - w11;
  const w01 = u - w11;
  const w00 = 1 - u - w10;
  for (let c = 0; c < 3; c++) {
    sum[at + c] += w00 * data[top + c] + w01 * data[top + 3 + c] + w10 * data[below + c] + w11 * data[below + 3 + c];
  }
}
