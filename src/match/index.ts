/** Matching: from the descriptors of two images to pairs of keypoints. */
export { type MatchOptions, matchFeatures } from "./mutual.js";
export { matchedPoints } from "./points.js";
export { disposeMatching } from "./product.js";
