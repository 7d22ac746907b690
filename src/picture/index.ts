/** Pictures of matches: pure functions from images, features, matches and a homography to text. */
export { matchesHtml } from "./html.js";
export type { PictureImage, PictureInput, PictureOptions } from "./picture.js";
export { matchesSvg } from "./svg.js";
