/**
 * Images for the coarser scales of an extraction: halved by 2×2 means as long as the scale allows, then bilinear. As
 * quick as it gets (a third of `resizeImage`'s time), the same on every platform, and written in operators that every
 * runtime has, so that an exported graph can do it too.
 */
import { OptionError } from "../errors.js";
import { type Image, newPixels } from "./image.js";
import { type ImageParts, isParts, partsOf, wholeOf } from "./parts.js";
import { fitScale } from "./resize.js";

export interface Shrunk {
  image: Image;
  /** Pixels of the original per pixel, across and down: x = (x′ + 0.5)·step − 0.5. */
  step: [number, number];
}

/** An image at a coarser scale, of which parts can be had without the whole. */
export interface Shrinking extends ImageParts {
  /** As in Shrunk. */
  readonly step: [number, number];
}

/** The image at a scale in (0, 1]; each edge keeps one pixel at least. Scale 1 is the image itself, not a copy. */
export function shrinkImage(image: Image, scale: number): Shrunk {
  const shrunk = shrinking(image, scale);
  return { image: wholeOf(shrunk), step: shrunk.step };
}

/** The image with its longer edge at most `edge` pixels; the image itself where it has no more. */
export function shrinkToEdge(image: Image, edge: number): Shrunk {
  const scale = fitScale(image.width, image.height, { maxEdge: edge });
  if (scale === 1) return shrinkImage(image, 1);
  // Halving rounds odd edges up: scaled as if they had been even, the longer one might keep a pixel too many.
  const parts = 2 ** halvingsFor(scale);
  return shrinkImage(image, edge / (parts * Math.ceil(Math.max(image.width, image.height) / parts)));
}

/** How often an image is halved before the rest of the scale is interpolated. */
function halvingsFor(scale: number): number {
  let halvings = 0;
  while (scale * 2 ** halvings <= 0.5) halvings++;
  return halvings;
}

/**
 * What `shrinkImage` gives, part by part, to the last bit. Of an image in memory the halved one is kept beside it; of one
 * that is read part by part nothing is.
 */
export function shrinking(image: Image | ImageParts, scale: number): Shrinking {
  if (!(scale > 0 && scale <= 1)) {
    throw new OptionError(`shrinkImage: the scale must be above 0 and at most 1, got ${scale}`);
  }
  let halved = image;
  const halvings = halvingsFor(scale);
  for (let i = 0; i < halvings; i++) halved = isParts(halved) ? halving(halved) : halve(halved);
  const left = scale * 2 ** halvings;
  const width = Math.max(1, Math.floor(halved.width * left + 0.5));
  const height = Math.max(1, Math.floor(halved.height * left + 0.5));
  const step: [number, number] = [(2 ** halvings * halved.width) / width, (2 ** halvings * halved.height) / height];
  const parts = partsOf(halved);
  const { bytes } = parts;
  if (width === halved.width && height === halved.height) return { ...parts, step };
  const across = placesOf(halved.width, width);
  const down = placesOf(halved.height, height);
  return { width, height, bytes, step, part: (x, y, w, h) => bilinear(parts, across, down, x, y, w, h) };
}

/** Rows of pixels that are halved at once, of an image that is read part by part. */
const BAND_PIXELS = 2 ** 19;

/** What `halve` gives, part by part. */
function halving(image: ImageParts): ImageParts {
  const [width, height] = [Math.ceil(image.width / 2), Math.ceil(image.height / 2)];
  const part = (left: number, top: number, w: number, h: number): Image => {
    const data = newPixels("shrinkImage", w, h);
    const rows = Math.max(1, Math.floor(BAND_PIXELS / (4 * w)));
    const across = Math.min(2 * w, image.width - 2 * left);
    for (let y = 0; y < h; y += rows) {
      const from = 2 * (top + y);
      const down = Math.min(2 * Math.min(rows, h - y), image.height - from);
      data.set(halve(image.part(2 * left, from, across, down)).data, 3 * y * w);
    }
    return { width: w, height: h, data };
  };
  return { width, height, bytes: image.bytes, part };
}

/** Means of 2×2 pixels; an odd last row or column counts twice. */
function halve({ width, height, data }: Image): Image {
  const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const out = new Uint8Array(3 * w * h);
  const pairs = width >> 1;
  for (let y = 0, to = 0; y < h; y++) {
    let top = 6 * y * width;
    let bottom = 2 * y + 1 < height ? top + 3 * width : top;
    for (let x = 0; x < pairs; x++, to += 3, top += 6, bottom += 6) {
      out[to] = (data[top] + data[top + 3] + data[bottom] + data[bottom + 3] + 2) >> 2;
      out[to + 1] = (data[top + 1] + data[top + 4] + data[bottom + 1] + data[bottom + 4] + 2) >> 2;
      out[to + 2] = (data[top + 2] + data[top + 5] + data[bottom + 2] + data[bottom + 5] + 2) >> 2;
    }
    if (pairs < w) for (let c = 0; c < 3; c++) out[to++] = (2 * (data[top + c] + data[bottom + c]) + 2) >> 2;
  }
  return { width: w, height: h, data: out };
}

/** Linear interpolation between the four nearest pixel centres: w × h pixels of the result, from (x0, y0) on. */
function bilinear(
  image: ImageParts,
  across: Places,
  down: Places,
  x0: number,
  y0: number,
  w: number,
  h: number,
): Image {
  const [firstX, firstY] = [across.low[x0], down.low[y0]];
  const { width, data } = image.part(
    firstX,
    firstY,
    across.high[x0 + w - 1] + 1 - firstX,
    down.high[y0 + h - 1] + 1 - firstY,
  );
  const out = new Uint8Array(3 * w * h);
  const left = across.low.map((x) => 3 * (x - firstX));
  const right = across.high.map((x) => 3 * (x - firstX));
  const fractions = across.fraction;
  for (let y = 0, to = 0; y < h; y++) {
    const top = 3 * width * (down.low[y0 + y] - firstY);
    const bottom = 3 * width * (down.high[y0 + y] - firstY);
    const fy = down.fraction[y0 + y];
    for (let x = x0; x < x0 + w; x++, to += 3) {
      const fx = fractions[x];
      const tl = top + left[x];
      const tr = top + right[x];
      const bl = bottom + left[x];
      const br = bottom + right[x];
      // Three channels written out: a loop over them takes a quarter longer.
      let upper = data[tl] + fx * (data[tr] - data[tl]);
      let lower = data[bl] + fx * (data[br] - data[bl]);
      out[to] = (upper + fy * (lower - upper) + 0.5) | 0;
      upper = data[tl + 1] + fx * (data[tr + 1] - data[tl + 1]);
      lower = data[bl + 1] + fx * (data[br + 1] - data[bl + 1]);
      out[to + 1] = (upper + fy * (lower - upper) + 0.5) | 0;
      upper = data[tl + 2] + fx * (data[tr + 2] - data[tl + 2]);
      lower = data[bl + 2] + fx * (data[br + 2] - data[bl + 2]);
      out[to + 2] = (upper + fy * (lower - upper) + 0.5) | 0;
    }
  }
  return { width: w, height: h, data: out };
}

/** Indices are signed: the engine adds those without a detour over floating point. */
interface Places {
  low: Int32Array;
  high: Int32Array;
  fraction: Float64Array;
}

/** For each new pixel: the old ones on both sides, and how far it lies from the first to the second. */
function placesOf(from: number, to: number): Places {
  const low = new Int32Array(to);
  const high = new Int32Array(to);
  const fraction = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const place = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    low[i] = Math.floor(place);
    high[i] = Math.min(low[i] + 1, from - 1);
    fraction[i] = place - low[i];
  }
  return { low, high, fraction };
}
