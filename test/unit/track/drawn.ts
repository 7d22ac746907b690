/** Posters drawn by code, frames that show them, and an extractor that needs no network: corners and their surroundings. */
import { mipImage, renderFrame } from "../../../src/bench/track/render.js";
import type { Extractor, ExtractorInfo } from "../../../src/extract/extractor.js";
import { EXTRACT_DEFAULTS } from "../../../src/extract/options.js";
import { type FloatFeatures, roomForFeatures } from "../../../src/features.js";
import type { Image } from "../../../src/image/image.js";
import { shrinkImage } from "../../../src/image/shrink.js";
import { Random } from "../../../src/random.js";
import { findCorners } from "../../../src/track/corners.js";
import { type Grey, writeGrey } from "../../../src/track/pyramid.js";

/** Rectangles of random greys over one another, another picture for every seed. */
export function drawPoster(seed: number, width = 240, height = 180, rectangles = 260): Image {
  const random = new Random(seed);
  const data = new Uint8Array(3 * width * height).fill(128);
  for (let k = 0; k < rectangles; k++) {
    const [w, h] = [4 + random.integer(width / 6), 4 + random.integer(height / 6)];
    const [left, top] = [random.integer(width), random.integer(height)];
    const colour = [0, 1, 2].map(() => 20 + random.integer(216));
    for (let y = top; y < Math.min(height, top + h); y++) {
      for (let x = left; x < Math.min(width, left + w); x++) data.set(colour, 3 * (y * width + x));
    }
  }
  return { width, height, data };
}

export interface ShowOptions {
  size?: [number, number];
  noise?: number;
  gain?: number;
  /** Share that is covered, from the left. */
  cover?: number;
  seed?: number;
}

/** A frame that shows the poster as `homography` places it, before another picture; null: the other picture alone. */
export function showPoster(
  poster: Image,
  homography: Float64Array | null,
  { size: [width, height] = [320, 240], noise = 0, gain = 1, cover = 0, seed = 0 }: ShowOptions = {},
): Image {
  const still = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
  return renderFrame({
    width,
    height,
    background: { image: mipImage(drawPoster(999, width, height, 60)), toFrame: () => still },
    picture: homography && { image: mipImage(poster), toFrame: () => homography },
    cover: cover > 0 ? { image: mipImage(drawPoster(998)), share: cover } : null,
    gain,
    noise,
    seed,
    samples: 6,
  });
}

/** A turn by degrees and a scale about the poster's middle, which lies at (x, y) of the frame. */
export function placed(poster: Image, x: number, y: number, scale = 1, degrees = 0, tilt = 0): Float64Array {
  const [c, s] = [scale * Math.cos((degrees * Math.PI) / 180), scale * Math.sin((degrees * Math.PI) / 180)];
  const [mx, my] = [(poster.width - 1) / 2, (poster.height - 1) / 2];
  // `tilt` is what depth changes by per pixel of the poster.
  const rows = [c, -s, x - c * mx + s * my, s, c, y - s * mx - c * my];
  const depth = [tilt, 0, 1 - tilt * mx];
  const matrix = Float64Array.from([...rows, ...depth]);
  for (const [k, at] of [x, y].entries()) {
    matrix[3 * k] += tilt * at;
    matrix[3 * k + 2] -= tilt * mx * at;
  }
  return matrix;
}

const SCALES = [1, 0.7];
const MOST = 300;
const GRID = 8;

/** Corners at two scales, each described by an 8 × 8 grid of greys about it: enough where nothing turns. */
export function cornerFeatures(image: Image): FloatFeatures {
  const found = SCALES.map((scale) => {
    const { image: small, step } = shrinkImage(image, scale);
    const grey: Grey = { width: small.width, height: small.height, data: new Uint8Array(small.width * small.height) };
    writeGrey(small, 3, grey.data);
    const { places, strengths } = findCorners(grey, GRID, MOST);
    return { grey, step, places, strengths };
  });
  const count = found.reduce((sum, { strengths }) => sum + strengths.length, 0);
  const features = roomForFeatures(count, GRID * GRID, [image.width, image.height]);
  let k = 0;
  for (const { grey, step, places, strengths } of found) {
    for (let i = 0; i < strengths.length; i++, k++) {
      const [x, y] = [places[2 * i], places[2 * i + 1]];
      features.keypoints[2 * k] = (x + 0.5) * step[0] - 0.5;
      features.keypoints[2 * k + 1] = (y + 0.5) * step[1] - 0.5;
      features.scores[k] = strengths[i];
      const row = features.descriptors.subarray(GRID * GRID * k, GRID * GRID * (k + 1));
      for (let v = 0; v < GRID; v++) {
        for (let u = 0; u < GRID; u++) {
          row[GRID * v + u] = grey.data[(y + 2 * v - GRID + 1) * grey.width + x + 2 * u - GRID + 1];
        }
      }
      const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
      const length = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0)) || 1;
      for (let b = 0; b < row.length; b++) row[b] = (row[b] - mean) / length;
    }
  }
  return features;
}

/** That extractor; `delay`, where given, is awaited with each image. */
export function cornerExtractor(
  delay?: () => Promise<void>,
  info: ExtractorInfo = { model: "corners", sha256: "c0", dim: GRID * GRID },
): Extractor & { extracted: number } {
  const extractor = {
    extracted: 0,
    info,
    options: EXTRACT_DEFAULTS,
    async extract(image: Image) {
      extractor.extracted++;
      await delay?.();
      return cornerFeatures(image);
    },
    extractBatch: (images: readonly Image[]) => Promise.all(images.map((image) => extractor.extract(image))),
    async dispose() {},
  };
  return extractor;
}
