/** Matching: from the descriptors of two images to pairs of keypoints. */
export { type GuidedMatchOptions, type GuidingGeometry, matchGuided } from "./guided.js";
export { type MatchOptions, matchFeatures } from "./mutual.js";
export { type NamePair, PAIR_RULES, type PairRule, pairsByRule } from "./pairs.js";
export { matchedPoints } from "./points.js";
export { disposeMatching } from "./product.js";
