/** ONNX Runtime for browsers (and Node) behind the Runtime interface: wasm always, webgpu when asked for and present. */
import { UnsupportedError } from "../errors.js";
import type { Backend, Runtime } from "../graph/session.js";
import { gpuBuild, haveBuild } from "./builds.js";
import { findAdapter } from "./gpu.js";
import { openInBuild, openOnGpu } from "./sessions.js";

// Each build is a script of its own, loaded when it is used.
haveBuild("wasm", () => import("onnxruntime-web/wasm"));
haveBuild("jspi", () => import("onnxruntime-web/jspi"));
haveBuild("asyncify", () => import("onnxruntime-web/webgpu"));

/** onnxruntime-web in this page. `threads` counts for the first session; pages that are not isolated have one. */
export const webRuntime: Runtime = {
  name: "onnxruntime-web",
  async open(model, { backend, threads } = {}) {
    if (backend !== "webgpu") return openInBuild("wasm", model, { threads, fallback: notHere(backend) });
    // The builds with WebGPU are larger; they are fetched only by those who ask for it.
    try {
      if (!(await findAdapter())) throw new UnsupportedError("this browser has no WebGPU adapter");
      return await openOnGpu(gpuBuild(), model, { threads });
    } catch (error) {
      const reason = String(error instanceof Error ? error.message : error).split("\n")[0];
      return openInBuild("wasm", model, {
        threads,
        fallback: `webgpu is not to be had here (${reason}); using wasm`,
      });
    }
  },
};

function notHere(backend: Backend | undefined): string | undefined {
  if (backend !== "cuda") return undefined;
  return "cuda is not to be had here (onnxruntime-web offers wasm and webgpu); using wasm";
}
