/**
 * Grey pictures, each level half as large as the one before. A level's pixel is the mean of four: x of level 0 lies at
 * (x + 0.5) / 2ˡ − 0.5 of level l.
 */
import { checkObject, described } from "../check.js";
import { ShapeError } from "../errors.js";
import { checkPixelLimit, type Image } from "../image/image.js";

/** A grey picture, row-major, 8 bits. */
export interface Grey {
  width: number;
  height: number;
  data: Uint8Array;
}

/** A frame: pixels with one (grey), three (RGB) or four values (RGBA, as a canvas gives them), row-major. */
export interface Frame {
  width: number;
  height: number;
  data: Uint8Array | Uint8ClampedArray;
}

/** Edges below this say nothing: a pyramid ends before. */
const LEAST_EDGE = 12;

/** Levels of a picture, level 0 first; the memory is kept for the next picture of that size. */
export class Pyramid {
  readonly levels: Grey[] = [];

  constructor(width: number, height: number, most: number) {
    const room = (w: number, h: number) => this.levels.push({ width: w, height: h, data: new Uint8Array(w * h) });
    room(width, height);
    while (this.levels.length < most) {
      [width, height] = [width >> 1, height >> 1];
      if (Math.min(width, height) < LEAST_EDGE) break;
      room(width, height);
    }
  }

  /** Writes the coarser levels from level 0. */
  reduce(): void {
    for (let l = 1; l < this.levels.length; l++) halve(this.levels[l - 1], this.levels[l]);
  }
}

function halve(from: Grey, to: Grey): void {
  const { width: stride, data } = from;
  const { width, height, data: out } = to;
  for (let y = 0, at = 0; y < height; y++) {
    let top = 2 * y * stride;
    for (let x = 0; x < width; x++, at++, top += 2) {
      out[at] = (data[top] + data[top + 1] + data[top + stride] + data[top + stride + 1] + 2) >> 2;
    }
  }
}

/** Values per pixel of a frame: 1, 3 or 4. A ShapeError for a frame of size zero, or one whose data do not fit. */
export function channelsOf(where: string, frame: Frame): 1 | 3 | 4 {
  checkObject(where, "the frame", "data" in Object(frame) ? { ...frame } : frame);
  const { width, height, data } = frame;
  if (width === 0 || height === 0) {
    throw new ShapeError(
      `${where}: the frame is ${width}×${height}; a camera or video that has not begun gives no pixels`,
    );
  }
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new ShapeError(
      `${where}: a frame's size must be whole and positive, got ${described(width)}×${described(height)}`,
    );
  }
  checkPixelLimit(where, width, height);
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new ShapeError(
      `${where}: a frame's data must be bytes (a Uint8Array or Uint8ClampedArray), got ${described(data)}`,
    );
  }
  const channels = data.length / (width * height);
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw new ShapeError(
      `${where}: ${width}×${height} pixels have 1, 3 or 4 values each (grey, RGB, RGBA), got ${data.length} bytes`,
    );
  }
  return channels;
}

/** Writes the frame's luma (0.3, 0.59, 0.11) to `out`. */
export function writeGrey({ data }: Frame, channels: 1 | 3 | 4, out: Uint8Array): void {
  if (channels === 1) {
    out.set(data);
    return;
  }
  for (let i = 0, at = 0; i < out.length; i++, at += channels) {
    out[i] = (77 * data[at] + 150 * data[at + 1] + 29 * data[at + 2] + 128) >> 8;
  }
}

/** The frame as an RGB image, which extractors read; its own memory where it is one already. */
export function rgbImage({ width, height, data }: Frame, channels: 1 | 3 | 4): Image {
  if (channels === 3) return { width, height, data: data instanceof Uint8Array ? data : new Uint8Array(data) };
  const out = new Uint8Array(3 * width * height);
  const step = channels === 1 ? 0 : 1;
  for (let at = 0, to = 0; to < out.length; at += channels, to += 3) {
    out[to] = data[at];
    out[to + 1] = data[at + step];
    out[to + 2] = data[at + 2 * step];
  }
  return { width, height, data: out };
}
