/**
 * Resizing with own code, so that every platform gets the same pixels (canvas, libvips and OpenCV all differ): the
 * triangle filter, separable, widened by the scale when the image shrinks (that is antialiased) and plain bilinear
 * interpolation when it grows. Whole-number arithmetic: 14-bit weights that sum to exactly one, 8 + 8 bits between
 * the two passes. Pixel centres move by (p + 0.5)·s − 0.5.
 */
import { checkObject, described } from "../check.js";
import { ShapeError } from "../errors.js";
import { checkNumber } from "../options.js";
import { checkImage, checkPixelLimit, type Image, newPixels } from "./image.js";
import { type ImageParts, partsOf, wholeOf } from "./parts.js";

/** Limits on the size of an image that is worked on. */
export interface EdgeLimits {
  /** Longest edge, pixels; default: no limit. */
  maxEdge?: number;
  /** Width plus height, pixels; default: no limit. */
  maxSumEdges?: number;
}

/** The scale ≤ 1 by which an image must shrink so that both limits hold; 1 where they hold already. */
export function fitScale(width: number, height: number, limits: EdgeLimits): number {
  checkNumber("fitSize", "width", width, { min: 1 });
  checkNumber("fitSize", "height", height, { min: 1 });
  const { maxEdge, maxSumEdges } = checkObject("fitSize", "limits", limits) as EdgeLimits;
  const edge = checkLimit("maxEdge", maxEdge);
  const sum = checkLimit("maxSumEdges", maxSumEdges);
  return Math.min(1, edge / Math.max(width, height), sum / (width + height));
}

/** The whole size nearest below `fitScale`'s, never below one pixel and never above the limits (of 2 or more). */
export function fitSize(width: number, height: number, limits: EdgeLimits): [width: number, height: number] {
  const scale = fitScale(width, height, limits);
  // A product that is whole but for rounding (49 · (1600 / 49)) must not lose a pixel.
  const shrink = (edge: number) => Math.max(1, Math.floor(edge * scale + 1e-6));
  return [shrink(width), shrink(height)];
}

function checkLimit(name: string, limit: number | undefined): number {
  return limit === undefined || limit === Infinity ? Infinity : checkNumber("fitScale", name, limit, { min: 1 });
}

/** The image at another size, in new memory. Throws a ShapeError for sizes that are not whole and positive. */
export function resizeImage(image: Image, width: number, height: number): Image {
  return resizeParts(partsOf(checkImage("resizeImage", image)), width, height);
}

/** The same of an image that is read part by part: rows of it, from top to bottom. */
export function resizeParts(image: ImageParts, width: number, height: number): Image {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new ShapeError(
      `resizeImage: the new size must be whole and positive, got ${described(width)}×${described(height)}`,
    );
  }
  checkPixelLimit("resizeImage", width, height);
  if (width === image.width && height === image.height) {
    return { width, height, data: wholeOf(image).data.slice() };
  }
  const across = tapsOf(image.width, width);
  const down = tapsOf(image.height, height);
  const stride = 3 * width;
  // Horizontally resized rows are kept in a ring just large enough for one output row, so that memory stays small.
  const ring = new Uint16Array(Math.min(image.height, down.most) * stride);
  const rows = ring.length / stride;
  const data = newPixels("resizeImage", width, height);
  const sums = new Int32Array(stride);
  let ready = 0; // input rows resized so far
  const bandRows = Math.max(1, Math.floor(BAND_PIXELS / image.width));
  let band: Image | undefined;
  let bandEnd = 0;
  for (let y = 0; y < height; y++) {
    const first = down.first[y];
    const count = down.start[y + 1] - down.start[y];
    for (; ready < first + count; ready++) {
      if (ready < first) continue;
      if (!band || ready >= bandEnd) {
        band = image.part(0, ready, image.width, Math.min(bandRows, image.height - ready));
        bandEnd = ready + band.height;
      }
      const line = 3 * image.width * (ready - bandEnd + band.height);
      resizeRow(band.data, line, across, width, ring, (ready % rows) * stride);
    }
    sums.fill(1 << 21);
    for (let k = 0; k < count; k++) {
      const weight = down.weights[down.start[y] + k];
      const from = ((first + k) % rows) * stride;
      for (let i = 0; i < stride; i++) sums[i] += weight * ring[from + i];
    }
    for (let i = 0, to = y * stride; i < stride; i++, to++) data[to] = sums[i] >> 22;
  }
  return { width, height, data };
}

/** Pixels of rows that are read at once. */
const BAND_PIXELS = 2 ** 20;

/** Which input samples make each output sample, and how much each counts, in 1/16384. */
interface Taps {
  /** First input sample of each output sample. */
  first: Uint32Array;
  /** Where each output sample's weights begin; one entry more than there are samples. */
  start: Uint32Array;
  weights: Uint16Array;
  /** Most taps of one output sample. */
  most: number;
}

function tapsOf(from: number, to: number): Taps {
  const scale = from / to;
  const radius = Math.max(1, scale);
  const first = new Uint32Array(to);
  const start = new Uint32Array(to + 1);
  let weights = new Uint16Array(Math.ceil(to * (2 * radius + 1)));
  let most = 0;
  let used = 0;
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale - 0.5;
    const low = Math.max(0, Math.floor(centre - radius) + 1);
    const high = Math.min(from - 1, Math.ceil(centre + radius) - 1);
    let total = 0;
    for (let j = low; j <= high; j++) total += 1 - Math.abs(j - centre) / radius;
    // Rounding the running sum, not each weight, makes the weights sum to exactly 16384 however many there are.
    let sum = 0;
    let rounded = 0;
    for (let j = low; j <= high; j++) {
      sum += 1 - Math.abs(j - centre) / radius;
      const next = j === high ? 16384 : Math.floor((sum / total) * 16384 + 0.5);
      weights[used++] = next - rounded;
      rounded = next;
    }
    first[i] = low;
    start[i + 1] = used;
    most = Math.max(most, high - low + 1);
  }
  weights = weights.subarray(0, used);
  return { first, start, weights, most };
}

/** The input row that begins at `line`, resized across, times 256, into `out` at `to`. */
function resizeRow(data: Uint8Array, line: number, taps: Taps, width: number, out: Uint16Array, to: number): void {
  const { first, start, weights } = taps;
  let at = to;
  for (let x = 0; x < width; x++) {
    let from = line + 3 * first[x];
    const end = start[x + 1];
    let r = 32;
    let g = 32;
    let b = 32;
    for (let k = start[x]; k < end; k++, from += 3) {
      const weight = weights[k];
      r += weight * data[from];
      g += weight * data[from + 1];
      b += weight * data[from + 2];
    }
    out[at] = r >> 6;
    out[at + 1] = g >> 6;
    out[at + 2] = b >> 6;
    at += 3;
  }
}
