/** Where the runtime's WebAssembly lies, seen from the page: a worker's script is found by it, not the other way round. */
import { type Build, WASM_FILES } from "./builds.js";
import { wasmAddress } from "./sessions.js";

/** Bundlers copy these files beside the scripts and put their new addresses here. */
const BUNDLED: Readonly<Record<Build, () => URL>> = {
  wasm: () => new URL("onnxruntime-web/ort-wasm-simd-threaded.wasm", import.meta.url),
  jspi: () => new URL("onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm", import.meta.url),
  asyncify: () => new URL("onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm", import.meta.url),
};

/** What an import map that knows the runtime says: pages without a bundler have one. */
const MAPPED: Readonly<Record<Build, string>> = {
  wasm: "onnxruntime-web/wasm",
  jspi: "onnxruntime-web/jspi",
  asyncify: "onnxruntime-web/webgpu",
};

/** An absolute address: that of setWasmPaths, of the page's import map, or of the bundler. */
export function wasmForWorker(build: Build): string {
  const own = wasmAddress(build);
  if (own !== undefined) return new URL(own, globalThis.document?.baseURI ?? globalThis.location.href).href;
  const bundled = BUNDLED[build]();
  return mapped(build) ?? beside(bundled, build) ?? bundled.href;
}

/**
 * Where nobody put a new address in (Vite's development server serves files as they are) packages lie beside each other:
 * node_modules/onnxruntime-web, seen from node_modules/strata-features/dist/web.
 */
function beside({ href, pathname }: URL, build: Build): string | undefined {
  const file = WASM_FILES[build];
  return pathname.endsWith(`/dist/web/onnxruntime-web/${file}`)
    ? new URL(`../../../../onnxruntime-web/dist/${file}`, href).href
    : undefined;
}

function mapped(build: Build): string | undefined {
  try {
    return new URL(WASM_FILES[build], import.meta.resolve(MAPPED[build])).href;
  } catch {
    // No import map, none that knows it, or a bundler's own meaning of import.meta.
    return undefined;
  }
}
