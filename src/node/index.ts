/** The Node door: the core with files, images by sharp, and onnxruntime-node as the runtime. */
import { setDefaultRuntime } from "../graph/session.js";
import { nodeRuntime } from "./runtime.js";

setDefaultRuntime(nodeRuntime);

export * from "../index.js";
export { readFileChecked, writeFileAtomic } from "./atomic.js";
export { DEFAULT_MODEL, describeModel, type ModelDescription, type OpenOptions, openExtractor } from "./extractor.js";
export { encodeJpeg, encodePng, loadImage, renderSvg, saveImage } from "./images.js";
export { listImages } from "./list-images.js";
export { nodeRuntime };
