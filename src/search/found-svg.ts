/** The drawing of a find: the indexed picture, the query, and the points that fit together. */
import type { FloatFeatures } from "../features.js";
import { matchesSvg, type PictureImage } from "../picture/index.js";
import type { FoundPoints } from "./verify.js";

/** An SVG of both pictures and the points that fit together, as a search with `points` gives them; `matrix` is that of its geometry. */
export function foundSvg(
  image: PictureImage,
  query: PictureImage,
  points: FoundPoints,
  matrix: ArrayLike<number>,
): string {
  const count = points.image.length / 2;
  const every = Uint32Array.from({ length: count }, (_, i) => i);
  const features = (keypoints: Float32Array, { width, height }: PictureImage): FloatFeatures => ({
    ...{ count, dim: 0, imageSize: [width, height], keypoints },
    ...{ scores: new Float32Array(count), descriptors: new Float32Array(0) },
  });
  return matchesSvg({
    ...{ imageA: image, imageB: query },
    ...{ featuresA: features(points.image, image), featuresB: features(points.query, query) },
    matches: {
      count,
      pairs: Uint32Array.from({ length: 2 * count }, (_, k) => k >> 1),
      scores: new Float32Array(count).fill(1),
    },
    homography: { matrix: Float64Array.from(matrix), inliers: every },
  });
}
