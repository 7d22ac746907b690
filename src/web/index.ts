/** The web door: the core with images from a page, models by fetch, and onnxruntime-web as the runtime. */
import { setDefaultRuntime } from "../graph/session.js";
import { webRuntime } from "./runtime.js";

setDefaultRuntime(webRuntime);

export * from "../index.js";
export type { BackendChoice, WebBackend } from "./backend.js";
export { type Camera, type CameraFrame, type CameraOptions, camera } from "./camera.js";
export { directoryStore } from "./directory-store.js";
export {
  type OpenOptions,
  openExtractor,
  type WebExtractOptions,
  type WebExtractor,
  type WebExtractorInfo,
} from "./extractor.js";
export { type FrameReader, frameReader } from "./frames.js";
export { type ImageSource, type LoadImageOptions, loadImage } from "./images.js";
export type { ModelProgress } from "./model-files.js";
export { webRuntime } from "./runtime.js";
export { setWasmPaths } from "./sessions.js";
export { SHIPPED_MODELS, type ShippedModel } from "./shipped.js";
export { showMatches } from "./show-matches.js";
