/** The web door: the core with images from a page, models by fetch, and onnxruntime-web as the runtime. */
import { setDefaultRuntime } from "../graph/session.js";
import { webRuntime } from "./runtime.js";

setDefaultRuntime(webRuntime);

export * from "../index.js";
export { type OpenOptions, openExtractor } from "./extractor.js";
export { type ImageSource, type LoadImageOptions, loadImage } from "./images.js";
export { setWasmPaths, webRuntime } from "./runtime.js";
