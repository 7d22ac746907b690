/** A pair of drawn images with matches of which it is known which are right; for the tests of pictures. */
import sharp from "sharp";
import type { Features } from "../../../src/features.js";
import { projectPoints } from "../../../src/geometry/matrix3.js";
import type { PictureInput } from "../../../src/picture/index.js";
import { Random } from "../../../src/random.js";

export const SIZE_A = [160, 120] as const;
export const SIZE_B = [200, 120] as const;
/** Turned, smaller, tilted. */
export const TRUTH = Float64Array.of(0.9, -0.2, 30, 0.15, 0.8, 8, 2e-4, 3e-4, 1);

/** A chequered image of two colours as a data URI. */
export async function drawn([width, height]: readonly [number, number], light: number, dark: number): Promise<string> {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, k) => {
    const pixel = Math.floor(k / 3);
    return (((pixel % width) >> 4) + (Math.floor(pixel / width) >> 4)) & 1 ? light : dark;
  });
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return `data:image/png;base64,${png.toString("base64")}`;
}

export function featuresOf(keypoints: Float32Array, [width, height]: readonly [number, number]): Features {
  const count = keypoints.length / 2;
  return {
    count,
    dim: 0,
    imageSize: [width, height],
    keypoints,
    scores: new Float32Array(count),
    descriptors: new Float32Array(0),
  };
}

/**
 * `right` matches on the truth and then `wrong` ones anywhere, and as many unmatched keypoints; match m joins keypoints
 * m and m, and similarities from 0.99 down in steps of 0.005 are spread over right and wrong ones alike.
 */
export async function pair(right = 30, wrong = 12): Promise<PictureInput> {
  const random = new Random(5);
  const count = right + wrong;
  const a = Float32Array.from({ length: 4 * count }, (_, k) => random.uniform(20, SIZE_A[k & 1] - 20));
  const b = Float32Array.from(projectPoints(TRUTH, a));
  for (let k = 2 * right; k < b.length; k++) b[k] = random.uniform(5, SIZE_B[k & 1] - 5);
  return {
    imageA: { href: await drawn(SIZE_A, 130, 110), width: SIZE_A[0], height: SIZE_A[1], name: "left.png" },
    imageB: { href: await drawn(SIZE_B, 130, 110), width: SIZE_B[0], height: SIZE_B[1], name: "right.png" },
    featuresA: featuresOf(a, SIZE_A),
    featuresB: featuresOf(b, SIZE_B),
    matches: {
      count,
      pairs: Uint32Array.from({ length: 2 * count }, (_, k) => k >> 1),
      scores: Float32Array.from({ length: count }, (_, m) => 0.99 - 0.005 * ((m * 5) % count)),
    },
    homography: { matrix: TRUTH.slice(), inliers: Uint32Array.from({ length: right }, (_, m) => m) },
  };
}
