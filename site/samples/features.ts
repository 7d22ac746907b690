import { loadImage, openExtractor, saveFeatures } from "strata-features/node";

const extractor = await openExtractor({ model: "strata-xs", maxFeatures: 500 });
const features = await extractor.extract(await loadImage("a.jpg"));

// Flat typed arrays: x0, y0, x1, y1, …; the best keypoint comes first.
const [x, y] = features.keypoints;
console.log(`${features.count} keypoints, the best one at ${x.toFixed(1)}, ${y.toFixed(1)}`);
console.log(`its descriptor: ${features.descriptors.subarray(0, features.dim).length} numbers of length 1 together`);

await saveFeatures("features.h5", new Map([["a.jpg", features]])); // as hloc reads it
await extractor.dispose();
