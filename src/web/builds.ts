/**
 * onnxruntime-web comes in three builds: WebAssembly alone, and two with WebGPU, of which one waits for the GPU by
 * JavaScript Promise Integration (JSPI) and the other by rewriting its own code (asyncify), which is half as large again.
 * A page loads one of them. None of them needs relaxed SIMD, which Safari refuses.
 */
import { UnsupportedError } from "../errors.js";
import type { OrtModule } from "../graph/ort.js";

export const BUILDS = ["wasm", "jspi", "asyncify"] as const;
export type Build = (typeof BUILDS)[number];

/** The file of each build that is WebAssembly. */
export const WASM_FILES: Readonly<Record<Build, string>> = {
  wasm: "ort-wasm-simd-threaded.wasm",
  jspi: "ort-wasm-simd-threaded.jspi.wasm",
  asyncify: "ort-wasm-simd-threaded.asyncify.wasm",
};

type Loaders = Partial<Record<Build, () => Promise<OrtModule>>>;
const loaders: Loaders = {};

/** Makes a build known that the script has, or can load: a worker has one, a page loads what it needs (page-builds.ts). */
export function haveBuild(build: Build, ort: OrtModule | (() => Promise<OrtModule>)): void {
  loaders[build] = typeof ort === "function" ? ort : async () => ort;
}

export function loadBuild(build: Build): Promise<OrtModule> {
  const load = loaders[build];
  if (!load) throw new UnsupportedError(`this script has no onnxruntime-web of the build "${build}"`);
  return load();
}

/** The build with WebGPU for this browser. */
export const gpuBuild = (): Build => ("Suspending" in WebAssembly ? "jspi" : "asyncify");

/** A module of one function that splats a byte: what every build needs at least. */
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
];

/** Throws an UnsupportedError where the runtime cannot run at all. */
export function checkWebAssembly(): void {
  const has = typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(SIMD));
  if (has) return;
  throw new UnsupportedError(
    "this browser has no WebAssembly with SIMD, which strata needs; Chrome and Edge have it from version 91 on, " +
      "Firefox from 89, Safari from 16.4, unless a setting (lockdown mode, JIT off) forbids it",
  );
}
