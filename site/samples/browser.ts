import { loadImage, matchImages, openExtractor } from "strata-features/web";

// Works in a worker of its own; the model is fetched once and kept.
const extractor = await openExtractor({
  model: "strata-xs",
  onProgress: ({ loaded, total }) => console.log(`model: ${loaded} of ${total ?? "?"} bytes`),
});

/** Two files of a picker, or anything else a page can draw. */
export async function compare(first: Blob, second: Blob): Promise<string> {
  const [a, b] = [await loadImage(first), await loadImage(second)];
  const { homography, verdict } = await matchImages(extractor, a, b);
  return `${verdict?.verdict}: ${homography.inliers.length} points agree`;
}
