/** ONNX Runtime for Node behind the Runtime interface: cpu always, webgpu and cuda when asked for and present. */
import { availableParallelism } from "node:os";
import type * as Ort from "onnxruntime-node";
import { FormatError, StateError, UnsupportedError } from "../errors.js";
import type {
  Backend,
  ElementType,
  Runtime,
  Session,
  SessionInfo,
  SessionOptions,
  Tensor,
  TensorData,
} from "../graph/session.js";

/** Loaded when the first session is opened: importing it costs a tenth of a second that `--help` should not pay. */
async function load(): Promise<typeof Ort> {
  return await import("onnxruntime-node");
}

/** onnxruntime-node on this machine. */
export const nodeRuntime: Runtime = {
  name: "onnxruntime-node",
  async open(model: Uint8Array, options: SessionOptions = {}): Promise<Session> {
    const ort = await load();
    const threads = options.threads ?? availableParallelism();
    const wanted = options.backend ?? "cpu";
    const { session, backend, fallback } = await create(ort, model, wanted, threads);
    const runtime = `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`;
    return new NodeSession(ort, session, { runtime, backend, threads, ...(fallback ? { fallback } : {}) });
  },
};

interface Created {
  session: Ort.InferenceSession;
  backend: Backend;
  fallback?: string;
}

async function create(ort: typeof Ort, model: Uint8Array, wanted: Backend, threads: number): Promise<Created> {
  const common: Ort.InferenceSession.SessionOptions = {
    intraOpNumThreads: threads,
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
  };
  if (wanted !== "cpu") {
    try {
      const offered = ort.listSupportedBackends().map(({ name }) => name);
      if (!offered.includes(wanted)) throw new UnsupportedError(`onnxruntime-node offers ${offered.join(", ")}`);
      const session = await ort.InferenceSession.create(model, { ...common, executionProviders: [wanted, "cpu"] });
      return { session, backend: wanted };
    } catch (error) {
      const session = await ort.InferenceSession.create(model, { ...common, executionProviders: ["cpu"] });
      return { session, backend: "cpu", fallback: `${wanted} is not to be had here (${firstLine(error)}); using cpu` };
    }
  }
  try {
    return {
      session: await ort.InferenceSession.create(model, { ...common, executionProviders: ["cpu"] }),
      backend: "cpu",
    };
  } catch (error) {
    throw new FormatError(`onnxruntime-node refuses the model: ${firstLine(error)}`, { cause: error });
  }
}

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split("\n")[0];

class NodeSession implements Session {
  private released = false;
  constructor(
    private readonly ort: typeof Ort,
    private readonly session: Ort.InferenceSession,
    readonly info: SessionInfo,
  ) {}

  get inputNames(): readonly string[] {
    return this.session.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.session.outputNames;
  }

  async run(inputs: Record<string, Tensor>): Promise<Record<string, Tensor>> {
    if (this.released) throw new StateError("run: this session was disposed");
    const feeds: Record<string, Ort.Tensor> = {};
    for (const [name, { type, data, shape }] of Object.entries(inputs)) {
      feeds[name] = new this.ort.Tensor(type, data as Float32Array, [...shape]);
    }
    const results = await this.session.run(feeds);
    const outputs: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries(results)) {
      outputs[name] = { type: tensor.type as ElementType, shape: tensor.dims, data: tensor.data as TensorData };
    }
    return outputs;
  }

  async dispose(): Promise<void> {
    if (this.released) return;
    this.released = true;
    await this.session.release();
  }
}
