/**
 * Crops around a point that two images share. As in D2-Net, whose boxes these are to the pixel: positions are [row,
 * column], the point's place is cut to a whole number, half the crop lies before it, and a crop that would leave the
 * image is moved inside.
 */
import { OptionError, ShapeError } from "../../errors.js";
import type { Image } from "../../image/image.js";

/** Row and column of a crop's first pixel, for a point at `center` [row, column] of an image of `extent` [rows, columns]. */
export function cropBox(
  center: readonly [number, number],
  extent: readonly [number, number],
  size: number,
): [number, number] {
  return [start(center[0], extent[0], size), start(center[1], extent[1], size)];
}

function start(center: number, extent: number, size: number): number {
  if (extent < size) throw new ShapeError(`cropBox: a crop of ${size} pixels does not fit into ${extent}`);
  return Math.min(Math.max(Math.trunc(center) - Math.floor(size / 2), 0), extent - size);
}

/** The square of `size` pixels at `box`, copied. */
export function cropImage({ width, height, data }: Image, box: readonly [number, number], size: number): Image {
  checkInside("cropImage", [height, width], box, size);
  const out = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    const from = 3 * ((box[0] + y) * width + box[1]);
    out.set(data.subarray(from, from + 3 * size), 3 * y * size);
  }
  return { width: size, height: size, data: out };
}

/** A depth map, row-major. */
export interface DepthMap {
  width: number;
  height: number;
  data: Float32Array;
}

/** The square of `size` depths at `box`, copied; what is no depth (negative, infinite, not a number) becomes 0, unknown. */
export function cropDepth({ width, height, data }: DepthMap, box: readonly [number, number], size: number) {
  checkInside("cropDepth", [height, width], box, size);
  const out = new Float32Array(size * size);
  for (let y = 0; y < size; y++) {
    const from = (box[0] + y) * width + box[1];
    for (let x = 0; x < size; x++) {
      const depth = data[from + x];
      out[y * size + x] = depth > 0 && depth < Infinity ? depth : 0;
    }
  }
  return out;
}

function checkInside(
  where: string,
  extent: readonly [number, number],
  box: readonly [number, number],
  size: number,
): void {
  for (const axis of [0, 1]) {
    if (Number.isInteger(box[axis]) && box[axis] >= 0 && box[axis] + size <= extent[axis]) continue;
    throw new OptionError(`${where}: a crop of ${size} at [${box}] leaves the image of [${extent}] rows and columns`);
  }
}
