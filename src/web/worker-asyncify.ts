/** The script of a worker whose runtime is onnxruntime-web/webgpu; the build makes it whole in itself (build/web.mjs). */
import * as ort from "onnxruntime-web/webgpu";
import { haveBuild } from "./builds.js";
import { serve } from "./serve.js";

haveBuild("asyncify", ort);
serve();
