/** The canvas that aligned images are drawn on: the reference's frame, what all of them show, or all that any shows. */
import { LimitError, OptionError } from "../errors.js";
import { cutToConvex } from "../geometry/convex-polygon.js";
import { compose, imageCorners, type Matrix3, projectPoints } from "../geometry/matrix3.js";
import { DEFAULT_PIXEL_LIMIT } from "../image/image.js";

/** "frame": the reference as it is; "overlap": the part of it that every image shows; "all": whatever an image shows. */
export const ALIGN_CROPS = ["frame", "overlap", "all"] as const;
/** What of the plane is drawn. */
export type AlignCrop = (typeof ALIGN_CROPS)[number];

/** A rectangle of whole pixels in the reference's frame: pixel (0, 0) of the canvas is its pixel (left, top). */
export interface AlignCanvas {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** An image's size and where it lies: its homography to the reference's pixels. */
export interface Placed {
  size: readonly [number, number];
  homography: Matrix3;
}

/** A canvas must not be more than so many times the pixels of all images together: the map is wrong, or nearly edge on. */
const MOST_GROWTH = 8;

/**
 * The canvas for images that are placed on a reference of that size. OptionError for "overlap" where nothing is shared, and
 * for "all" where an image reaches the horizon; LimitError for a canvas out of all proportion.
 */
export function alignCanvas(size: readonly [number, number], placed: readonly Placed[], crop: AlignCrop): AlignCanvas {
  const [width, height] = size;
  const frame = { left: 0, top: 0, width, height };
  if (crop === "frame") return frame;
  if (crop === "overlap") return overlapOf(frame, placed);
  let [left, top, right, bottom] = [0, 0, width - 1, height - 1];
  for (const image of placed) {
    const corners = cornersOf(image);
    if (!corners) {
      throw new OptionError('alignImages: an image reaches the horizon of the reference\'s plane; take crop "frame"');
    }
    for (let i = 0; i < 8; i += 2) {
      [left, right] = [Math.min(left, corners[i]), Math.max(right, corners[i])];
      [top, bottom] = [Math.min(top, corners[i + 1]), Math.max(bottom, corners[i + 1])];
    }
  }
  [left, top] = [Math.floor(left), Math.floor(top)];
  const canvas = { left, top, width: Math.ceil(right) - left + 1, height: Math.ceil(bottom) - top + 1 };
  checkGrowth(canvas, size, placed);
  return canvas;
}

/** The homography of an image to the canvas's pixels. */
export function toCanvas({ left, top }: AlignCanvas, homography: Matrix3): Float64Array {
  return compose(Float64Array.of(1, 0, -left, 0, 1, -top, 0, 0, 1), homography);
}

/** Corners in the reference's frame, or null where they do not all lie before the horizon. */
function cornersOf({ size, homography }: Placed): Float64Array | null {
  const corners = imageCorners(size);
  const [g, h, i] = [homography[6], homography[7], homography[8]];
  let sign = 0;
  for (let k = 0; k < 8; k += 2) {
    const depth = g * corners[k] + h * corners[k + 1] + i;
    if (depth === 0 || (sign !== 0 && Math.sign(depth) !== sign)) return null;
    sign = Math.sign(depth);
  }
  return projectPoints(homography, corners);
}

/**
 * The bounding box, within the frame, of what every image shows. Quadrangles are cut one by another: their intersection's
 * box can be smaller than that of each.
 */
function overlapOf(frame: AlignCanvas, placed: readonly Placed[]): AlignCanvas {
  const { width, height } = frame;
  let polygon = [0, 0, width - 1, 0, width - 1, height - 1, 0, height - 1];
  for (const image of placed) {
    const corners = cornersOf(image);
    if (corners) polygon = cutToConvex(polygon, corners);
  }
  const [xs, ys] = [0, 1].map((axis) => polygon.filter((_, i) => i % 2 === axis));
  const [left, top] = [Math.ceil(Math.min(...xs)), Math.ceil(Math.min(...ys))];
  const [right, bottom] = [Math.floor(Math.max(...xs)), Math.floor(Math.max(...ys))];
  if (!(right >= left && bottom >= top)) throw new OptionError("alignImages: there is no part that every image shows");
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

function checkGrowth({ width, height }: AlignCanvas, size: readonly [number, number], placed: readonly Placed[]): void {
  const own = placed.reduce((sum, { size: [w, h] }) => sum + w * h, size[0] * size[1]);
  const most = Math.min(DEFAULT_PIXEL_LIMIT, MOST_GROWTH * own);
  if (width * height <= most) return;
  throw new LimitError(
    `alignImages: the canvas of all images would have ${width} × ${height} pixels, the images have ${own}; ` +
      'take crop "frame" or "overlap"',
  );
}
