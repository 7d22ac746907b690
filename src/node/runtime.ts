/** ONNX Runtime for Node behind the Runtime interface: cpu always, webgpu and cuda when asked for and present. */
import { availableParallelism } from "node:os";
import { UnsupportedError } from "../errors.js";
import { openOrtSession } from "../graph/ort.js";
import type { Runtime } from "../graph/session.js";

/** onnxruntime-node on this machine. */
export const nodeRuntime: Runtime = {
  name: "onnxruntime-node",
  async open(model, options = {}) {
    // Loaded with the first session: importing it costs a tenth of a second that `--help` should not pay.
    const ort = await import("onnxruntime-node");
    // What goes wrong comes as an exception; the native library would print it as well.
    ort.env.logLevel = "fatal";
    const threads = options.threads ?? availableParallelism();
    const wanted = options.backend ?? "cpu";
    return openOrtSession(ort, {
      runtime: `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`,
      model,
      wanted,
      fallback: "cpu",
      threads,
      writesInto: true,
      // A memory pattern is planned per shape; one graph serves all sizes, and without it the peak is a quarter lower.
      options: {
        intraOpNumThreads: threads,
        graphOptimizationLevel: "all",
        enableMemPattern: false,
        logSeverityLevel: 4,
      },
      check: () => {
        const offered = ort.listSupportedBackends().map(({ name }) => name);
        if (!offered.includes(wanted)) throw new UnsupportedError(`onnxruntime-node offers ${offered.join(", ")}`);
      },
    });
  },
};
