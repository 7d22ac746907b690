/** Where an exported file can be tried: onnxruntime-node on the CPU, onnxruntime-web's WebAssembly, onnxruntime-node's WebGPU. */
export const CHECK_RUNTIMES = ["node", "web", "webgpu"] as const;
export type CheckRuntime = (typeof CHECK_RUNTIMES)[number];
