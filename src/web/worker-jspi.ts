/** The script of a worker whose runtime is onnxruntime-web/jspi; the build makes it whole in itself (build/web.mjs). */
import * as ort from "onnxruntime-web/jspi";
import { haveBuild } from "./builds.js";
import { serve } from "./serve.js";

haveBuild("jspi", ort);
serve();
