/**
 * Images through a homography, with own code like resizing, so that every platform gets the same pixels. Each pixel of
 * the result is looked up in the source by the inverse map: one bilinear sample where the map keeps or enlarges, the
 * mean of a grid of them over the pixel's area where it shrinks, so that fine texture greys instead of aliasing. The
 * grid follows the local scale along x and along y, since a perspective map shrinks one place and enlarges another.
 */
import { checkNumbers, checkSize as checkSourceSize, described } from "../check.js";
import { OptionError, ShapeError } from "../errors.js";
import { inverse3x3, type Matrix3 } from "../geometry/matrix3.js";
import { checkNumber, withDefaults } from "../options.js";
import { checkImage, checkPixelLimit, type Image, newPixels } from "./image.js";

/** How an image is warped. */
export interface WarpOptions {
  /** Size of the result in pixels. */
  width: number;
  height: number;
  /** What lies beyond the source: its border pixels going on, or a colour (r, g, b, 0..255). Default "replicate". */
  fill?: "replicate" | readonly [number, number, number];
  /** Average over a pixel's area where the map shrinks; false: one bilinear sample everywhere. Default true. */
  antialias?: boolean;
}

/** Pixels of a row that share one sampling grid. */
const RUN = 16;
/** Most samples of a pixel along one axis: shrinking to less than 1/16 begins to alias. */
const MOST_SAMPLES = 16;
/** Depths below this (of 1 at the source's centre) are at the horizon of a perspective map or behind it. */
const HORIZON = 1e-6;

/**
 * `image` as `homography` (row-major 3×3, pixels of the source to pixels of the result, pixel centres on integers)
 * places it on a canvas of width × height, in new memory. Throws a ShapeError for a matrix or an image of the wrong size,
 * an OptionError for a homography without an inverse.
 */
export function warpImage(image: Image, homography: Matrix3, options: WarpOptions): Image {
  checkImage("warpImage", image);
  const { width, height, fill, antialias } = checkOptions(options);
  const inverse = inverseMap("warpImage", homography, image.width, image.height);
  const colour = fill === "replicate" ? null : fill;
  const result: Image = { width, height, data: newPixels("warpImage", width, height) };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x += RUN) {
      const end = Math.min(width, x + RUN);
      let across = 1;
      let down = 1;
      if (antialias) {
        across = samplesFor(Math.max(scaleAt(inverse, x, y, 0), scaleAt(inverse, end - 1, y, 0)));
        down = samplesFor(Math.max(scaleAt(inverse, x, y, 1), scaleAt(inverse, end - 1, y, 1)));
      }
      warpRun(image, inverse, colour, result, y, x, end, across, down);
    }
  }
  return result;
}

/**
 * 1 for every pixel of the result of `warpImage` whose centre comes from inside the source's pixels (within half a
 * pixel of their centres), 0 elsewhere; row-major width × height. `size` = [width, height] of the source.
 */
export function warpMask(
  size: readonly [number, number],
  homography: Matrix3,
  options: Pick<WarpOptions, "width" | "height">,
): Uint8Array {
  const { width, height } = withDefaults("warpMask", { width: 0, height: 0 }, options);
  checkSize("warpMask", width, height);
  checkSourceSize("warpMask", "size", size);
  const [right, bottom] = [size[0] - 0.5, size[1] - 0.5];
  const [a, b, c, d, e, f, g, h, i] = inverseMap("warpMask", homography, size[0], size[1]);
  const mask = new Uint8Array(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const w = g * x + (h * y + i);
      const sx = (a * x + (b * y + c)) / w;
      const sy = (d * x + (e * y + f)) / w;
      mask[at] = w > HORIZON && sx >= -0.5 && sy >= -0.5 && sx <= right && sy <= bottom ? 1 : 0;
    }
  }
  return mask;
}

/** Pixels x to end − 1 of row y, each the mean of across × down samples spread evenly over its area. */
function warpRun(
  { width, height, data }: Image,
  inverse: Float64Array,
  colour: readonly [number, number, number] | null,
  result: Image,
  y: number,
  first: number,
  end: number,
  across: number,
  down: number,
): void {
  const [lastX, lastY] = [width - 1, height - 1];
  const stride = 3 * width;
  const out = result.data;
  const share = 1 / (across * down);
  const a = inverse[0];
  const d = inverse[3];
  const g = inverse[6];
  for (let x = first, to = 3 * (y * result.width + first); x < end; x++, to += 3) {
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let j = 0; j < down; j++) {
      const py = y + (2 * j + 1 - down) / (2 * down);
      const rowX = inverse[1] * py + inverse[2];
      const rowY = inverse[4] * py + inverse[5];
      const rowW = inverse[7] * py + inverse[8];
      for (let i = 0; i < across; i++) {
        const px = x + (2 * i + 1 - across) / (2 * across);
        // Behind the horizon there is no source; the last direction before it goes on.
        const w = Math.max(g * px + rowW, HORIZON);
        const sx = (a * px + rowX) / w;
        const sy = (d * px + rowY) / w;
        if (colour !== null) {
          const inside = sx >= -0.5 && sy >= -0.5 && sx <= lastX + 0.5 && sy <= lastY + 0.5 && w > HORIZON;
          if (!inside) {
            red += colour[0];
            green += colour[1];
            blue += colour[2];
            continue;
          }
        }
        const cx = sx < 0 ? 0 : sx > lastX ? lastX : sx;
        const cy = sy < 0 ? 0 : sy > lastY ? lastY : sy;
        const column = cx | 0;
        const row = cy | 0;
        const u = cx - column;
        const v = cy - row;
        const at = row * stride + 3 * column;
        const right = column < lastX ? 3 : 0;
        const below = at + (row < lastY ? stride : 0);
        const w11 = u * v;
        const w10 = v - w11;
        const w01 = u - w11;
        const w00 = 1 - u - w10;
        red += w00 * data[at] + w01 * data[at + right] + w10 * data[below] + w11 * data[below + right];
        green +=
          w00 * data[at + 1] + w01 * data[at + right + 1] + w10 * data[below + 1] + w11 * data[below + right + 1];
        blue += w00 * data[at + 2] + w01 * data[at + right + 2] + w10 * data[below + 2] + w11 * data[below + right + 2];
      }
    }
    out[to] = red * share + 0.5;
    out[to + 1] = green * share + 0.5;
    out[to + 2] = blue * share + 0.5;
  }
}

/** Pixels of the source that one step of the result along an axis (0: x, 1: y) covers at (x, y); 0 behind the horizon. */
function scaleAt(inverse: Float64Array, x: number, y: number, axis: 0 | 1): number {
  const w = inverse[6] * x + inverse[7] * y + inverse[8];
  if (w <= HORIZON) return 0;
  const sx = (inverse[0] * x + inverse[1] * y + inverse[2]) / w;
  const sy = (inverse[3] * x + inverse[4] * y + inverse[5]) / w;
  const dx = inverse[axis] - sx * inverse[6 + axis];
  const dy = inverse[3 + axis] - sy * inverse[6 + axis];
  return Math.sqrt(dx * dx + dy * dy) / w;
}

/** A turn's scale is 1 but for rounding, and takes one sample. */
function samplesFor(scale: number): number {
  return Math.min(MOST_SAMPLES, Math.max(1, Math.ceil(scale - 1e-3)));
}

/** The map from the result back to the source, scaled so that its depth is 1 where the source's centre lies. */
function inverseMap(where: string, homography: Matrix3, width: number, height: number): Float64Array {
  checkNumbers(where, "the homography", homography);
  if (homography.length !== 9) {
    throw new ShapeError(`${where}: a homography has 9 numbers, row by row, got ${homography.length}`);
  }
  const numbers = Array.from(homography);
  const inverse = numbers.every(Number.isFinite) ? inverse3x3(homography) : null;
  if (!inverse?.every(Number.isFinite)) {
    throw new OptionError(`${where}: the homography must be finite and invertible, got ${numbers.join(", ")}`);
  }
  const [x, y] = [(width - 1) / 2, (height - 1) / 2];
  const [X, Y, W] = [0, 3, 6].map((row) => numbers[row] * x + numbers[row + 1] * y + numbers[row + 2]);
  const depth = inverse[6] * (X / W) + inverse[7] * (Y / W) + inverse[8];
  if (!Number.isFinite(depth) || depth === 0) {
    throw new OptionError(`${where}: the homography sends the image's centre to infinity: ${numbers.join(", ")}`);
  }
  return inverse.map((value) => value / depth);
}

function checkOptions(options: WarpOptions): Required<WarpOptions> {
  const where = "warpImage";
  const defaults: WarpOptions = { width: 0, height: 0, fill: undefined, antialias: true };
  const { width, height, fill = "replicate", antialias = true } = withDefaults<WarpOptions>(where, defaults, options);
  checkSize(where, width, height);
  if (fill !== "replicate") {
    if (!Array.isArray(fill) || fill.length !== 3) {
      throw new OptionError(`${where}: "fill" must be "replicate" or a colour [r, g, b], got ${described(fill)}`);
    }
    for (const value of fill) checkNumber(where, "fill", value, { min: 0, max: 255 });
  }
  return { width, height, fill, antialias };
}

function checkSize(where: string, width: number, height: number): void {
  checkNumber(where, "width", width, { min: 1, integer: true });
  checkNumber(where, "height", height, { min: 1, integer: true });
  checkPixelLimit(where, width, height);
}
