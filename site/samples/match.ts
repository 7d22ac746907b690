import { loadImage, matchImages, openExtractor, saveMatches } from "strata-features/node";

const extractor = await openExtractor(); // strata-s, the default model
const paths = ["a.jpg", "b.jpg"] as const;
const images = [await loadImage(paths[0]), await loadImage(paths[1])] as const;
const result = await matchImages(extractor, ...images);

const { matches, homography, verdict } = result;
console.log(`${matches.count} matches, ${homography.inliers.length} of them in one plane`);
console.log(verdict?.verdict, verdict?.probability); // "same", "uncertain" or "different"
console.log(homography.matrix); // row-major 3×3 from pixels of a.jpg to pixels of b.jpg, or null

await saveMatches("matches.svg", { ...result, paths, images, info: { ...extractor.info } });
await extractor.dispose();
