/** What two images with a homography between them both see: the rest of their keypoints cannot be matched by anyone. */

import { ShapeError } from "../errors.js";
import { type Features, takeFeatures } from "../features.js";
import { inverse3x3, type Matrix3, projectPoints } from "../geometry/matrix3.js";

/**
 * Both images' features without the keypoints that `homography` (pixels of a to pixels of b) sends out of the other
 * image, in their order. Inside is within half a pixel of a pixel's centre.
 */
export function covisibleFeatures(a: Features, b: Features, homography: Matrix3): [Features, Features] {
  const inverse = inverse3x3(homography);
  if (!inverse) throw new ShapeError(`covisibleFeatures: the homography has no inverse: ${Array.from(homography)}`);
  return [
    takeFeatures(a, landing(a.keypoints, homography, b.imageSize)),
    takeFeatures(b, landing(b.keypoints, inverse, a.imageSize)),
  ];
}

/** Indices of the points that land in an image of `size` = [width, height]. */
function landing(points: Float32Array, homography: Matrix3, size: readonly [number, number]): Uint32Array {
  const projected = projectPoints(homography, points);
  return Uint32Array.from({ length: points.length / 2 }, (_, i) => i).filter((i) => {
    return isInside(projected[2 * i], projected[2 * i + 1], size);
  });
}

/** Whether (x, y) lies on a pixel of an image of that size: within half a pixel of a pixel's centre. */
export function isInside(x: number, y: number, [width, height]: readonly [number, number]): boolean {
  return x >= -0.5 && y >= -0.5 && x <= width - 0.5 && y <= height - 0.5;
}
