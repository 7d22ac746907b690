/** Pictures of pages about searches: small, and inside of the page. */
import type { FloatFeatures } from "../../features.js";
import type { Image } from "../../image/image.js";
import { fitSize, resizeImage } from "../../image/resize.js";
import { matchesSvg, type PictureImage } from "../../picture/index.js";
import { DOCUMENT_STYLE } from "../../report/document-style.js";
import type { FoundPoints } from "../../search/verify.js";
import { encodeJpeg } from "../images.js";

/** The image as it is embedded, no longer edge above `edge`. */
export async function embedded(image: Image, name: string, edge: number): Promise<PictureImage> {
  const { width, height } = image;
  const jpeg = await encodeJpeg(resizeImage(image, ...fitSize(width, height, { maxEdge: edge })), 75);
  return { href: dataUri("image/jpeg", jpeg), width, height, name };
}

export function dataUri(type: string, content: Uint8Array | string): string {
  return `data:${type};base64,${Buffer.from(content).toString("base64")}`;
}

/** A drawing of points that fit together, as the source of an `img`. */
export function drawnMatches(
  imageA: PictureImage,
  imageB: PictureImage,
  { image, query }: FoundPoints,
  matrix: readonly number[],
): string {
  const count = image.length / 2;
  const every = Uint32Array.from({ length: count }, (_, i) => i);
  const features = (keypoints: Float32Array, { width, height }: PictureImage): FloatFeatures => ({
    ...{ count, dim: 0, imageSize: [width, height], keypoints },
    ...{ scores: new Float32Array(count), descriptors: new Float32Array(0) },
  });
  const svg = matchesSvg({
    ...{ imageA, imageB, featuresA: features(image, imageA), featuresB: features(query, imageB) },
    matches: {
      count,
      pairs: Uint32Array.from({ length: 2 * count }, (_, k) => k >> 1),
      scores: new Float32Array(count).fill(1),
    },
    homography: { matrix: Float64Array.from(matrix), inliers: every },
  });
  return dataUri("image/svg+xml", svg);
}

export const PAGE_STYLE = `${DOCUMENT_STYLE}
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; } .row { display: flex; flex-wrap: wrap; gap: .5rem; } .row img { max-height: 14rem; }`;
