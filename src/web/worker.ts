/** The script of a worker whose runtime is onnxruntime-web/wasm; the build makes it whole in itself (build/web.mjs). */
import * as ort from "onnxruntime-web/wasm";
import { haveBuild } from "./builds.js";
import { serve } from "./serve.js";

haveBuild("wasm", ort);
serve();
