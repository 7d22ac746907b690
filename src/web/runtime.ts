/** ONNX Runtime for browsers (and Node) behind the Runtime interface: wasm always, webgpu when asked for and present. */
import { checkText } from "../check.js";
import { UnsupportedError } from "../errors.js";
import { openOrtSession } from "../graph/ort.js";
import type { Runtime } from "../graph/session.js";

/** Where onnxruntime-web finds its .wasm and .mjs files; unset, it looks beside its own script. */
let wasmPaths: string | undefined;

/** Sets the folder (a URL with a trailing slash) of onnxruntime-web's wasm files; call it before the first session. */
export function setWasmPaths(folder: string): void {
  wasmPaths = checkText("setWasmPaths", "folder", folder);
}

/** Threads need shared memory, which browsers give to cross-origin isolated pages only. */
const mayUseThreads = (): boolean =>
  typeof SharedArrayBuffer !== "undefined" && globalThis.crossOriginIsolated !== false;

/** Threads that onnxruntime-web started with; it keeps them for every later session of the page. */
let started: number | undefined;

const cores = (): number => globalThis.navigator?.hardwareConcurrency ?? 1;

/** onnxruntime-web in this page. `threads` counts for the first session; pages that are not isolated have one. */
export const webRuntime: Runtime = {
  name: "onnxruntime-web",
  async open(model, options = {}) {
    const wanted = options.backend === "webgpu" || options.backend === "cuda" ? options.backend : "wasm";
    // The WebGPU build is larger; it is fetched only by those who ask for it.
    const ort = wanted === "webgpu" ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm");
    started ??= mayUseThreads() ? (options.threads ?? cores()) : 1;
    const threads = started;
    ort.env.wasm.numThreads = threads;
    if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
    return openOrtSession(ort, {
      runtime: `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common}`,
      model,
      wanted,
      fallback: "wasm",
      threads,
      writesInto: false,
      options: { graphOptimizationLevel: "all", logSeverityLevel: 4 },
      check: async () => {
        if (wanted !== "webgpu") throw new UnsupportedError("onnxruntime-web offers wasm and webgpu");
        const gpu = (globalThis.navigator as { gpu?: { requestAdapter(): Promise<unknown> } } | undefined)?.gpu;
        if (!(await gpu?.requestAdapter())) throw new UnsupportedError("this browser has no WebGPU adapter");
      },
    });
  },
};
