/** Where an exported file can be tried: onnxruntime-node on the CPU, onnxruntime-web's WebAssembly, onnxruntime-node's WebGPU. */
export const CHECK_RUNTIMES = ["node", "web", "webgpu"] as const;
export type CheckRuntime = (typeof CHECK_RUNTIMES)[number];

/** Which answers of the library it is held against: those of onnxruntime-node on the CPU, or of the runtime it runs on. */
export const CHECK_AGAINST = ["node", "same"] as const;
export type CheckAgainst = (typeof CHECK_AGAINST)[number];
