/**
 * Keypoints in places where there is nothing to see. A network scores blank paper as well: rounding, and the edge of the
 * image at which its convolutions begin, give it maxima, and two blank images then have matches. A keypoint is kept only
 * if the pixels around it are not a plane: one colour or an even gradient, but for a level of noise.
 */
import { type FloatFeatures, takeFeatures } from "../features.js";
import type { Image } from "../image/image.js";
import type { Shrinking } from "../image/shrink.js";

/** Pixels from a keypoint, along each axis, that are looked at. */
const RADIUS = 24;
/**
 * Largest distance of a pixel from the plane, in levels of 255: rounding gives half, noise of the last bit one. Of 36 images
 * of hseq none of the best 2000 keypoints is lost, nor one of a photograph at night that the first model's card lists.
 */
const TOLERANCE = 1.25;

/** The features without those around which `image` is flat; their keypoints are in its pixels. */
export function withoutFlat(features: FloatFeatures, image: Image): FloatFeatures {
  return without(features, (x, y) => isFlat(image, windowAt(image, x, y)));
}

/** The same for an image that is not there as a whole. */
export function withoutFlatParts(features: FloatFeatures, image: Shrinking): FloatFeatures {
  return without(features, (x, y) => {
    const { left, top, right, bottom } = windowAt(image, x, y);
    const [width, height] = [right - left + 1, bottom - top + 1];
    return isFlat(image.part(left, top, width, height), { left: 0, top: 0, right: width - 1, bottom: height - 1 });
  });
}

function without(features: FloatFeatures, flatAt: (x: number, y: number) => boolean): FloatFeatures {
  const { count, keypoints } = features;
  const kept = new Uint32Array(count);
  let n = 0;
  for (let i = 0; i < count; i++) {
    if (!flatAt(Math.round(keypoints[2 * i]), Math.round(keypoints[2 * i + 1]))) kept[n++] = i;
  }
  return n === count ? features : (takeFeatures(features, kept.slice(0, n)) as FloatFeatures);
}

/** The pixels around (x, y) that the image has, the last ones included. */
function windowAt({ width, height }: Pick<Image, "width" | "height">, x: number, y: number) {
  return {
    left: Math.max(0, x - RADIUS),
    right: Math.min(width - 1, x + RADIUS),
    top: Math.max(0, y - RADIUS),
    bottom: Math.min(height - 1, y + RADIUS),
  };
}

/** Whether the pixels of a window are one plane in each channel. */
function isFlat(image: Image, { left, right, top, bottom }: ReturnType<typeof windowAt>): boolean {
  for (let channel = 0; channel < 3; channel++) {
    if (!isPlane(image, channel, left, right, top, bottom)) return false;
  }
  return true;
}

/**
 * Whether one channel is a plane there. Pixels that lie opposite each other about the middle add up to the same on a
 * plane: most windows fail by the first few, the others are fitted.
 */
function isPlane(
  { data, width }: Image,
  channel: number,
  left: number,
  right: number,
  top: number,
  bottom: number,
): boolean {
  const at = (x: number, y: number): number => data[3 * (y * width + x) + channel];
  const twice = at(left, top) + at(right, bottom);
  let [sum, alongX, alongY, squareX, squareY] = [0, 0, 0, 0, 0];
  const [middleX, middleY] = [(left + right) / 2, (top + bottom) / 2];
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const value = at(x, y);
      if (Math.abs(value + at(left + right - x, top + bottom - y) - twice) > 4 * TOLERANCE) return false;
      const [dx, dy] = [x - middleX, y - middleY];
      sum += value;
      alongX += dx * value;
      alongY += dy * value;
      squareX += dx * dx;
      squareY += dy * dy;
    }
  }
  const mean = sum / ((right - left + 1) * (bottom - top + 1));
  // An image of one row or column has no slope across it.
  const slopeX = squareX > 0 ? alongX / squareX : 0;
  const slopeY = squareY > 0 ? alongY / squareY : 0;
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const plane = mean + slopeX * (x - middleX) + slopeY * (y - middleY);
      if (Math.abs(at(x, y) - plane) > TOLERANCE) return false;
    }
  }
  return true;
}
