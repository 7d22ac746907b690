/** Images of one plane in one frame. */
export { type AlignedImages, type AlignedPart, type AlignOptions, alignImages } from "./align.js";
export { ALIGN_CROPS, type AlignCanvas, type AlignCrop } from "./canvas.js";
export { ALIGN_OVERLAYS, type AlignOverlay, type Fill } from "./compose.js";
