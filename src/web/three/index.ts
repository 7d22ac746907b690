/** `strata-features/three`: pictures tracked in front of a three.js scene, in the words of MindAR. three.js is a peer. */
export { type Anchor, type ImageSource, ImageTracker, type ImageTrackerOptions } from "./image-tracker.js";
