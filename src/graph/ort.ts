/**
 * What onnxruntime-node and onnxruntime-web have in common behind the Runtime interface: the same API, taken as an
 * argument, so that this file imports neither.
 */
import type { Env, InferenceSession, InferenceSessionFactory, OnnxValue, TensorConstructor } from "onnxruntime-common";
import { FormatError, StateError } from "../errors.js";
import { asLimit, withinLimits } from "../limits.js";
import type { Backend, ElementType, FedTensor, Session, SessionInfo, Tensor, TensorData } from "./session.js";

/** The part of onnxruntime's module that is used. */
export interface OrtModule {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  readonly env: Env;
}

export interface OpenRequest {
  /** e.g. "onnxruntime-node 1.30.0". */
  runtime: string;
  model: Uint8Array;
  /** What is asked for, and what always works. */
  wanted: Backend;
  fallback: Backend;
  threads: number;
  /** Whether the runtime writes outputs into arrays that it is given; otherwise they are copied there. */
  writesInto: boolean;
  options: InferenceSession.SessionOptions;
  /** Throws where the wanted backend is known not to be there, before the runtime is asked. */
  check?: () => void | Promise<void>;
  /** How the wanted backend is asked for; default: by its name. */
  provider?: InferenceSession.ExecutionProviderConfig;
}

/** A session on the wanted backend, or on the fallback with the reason in its info. */
export async function openOrtSession(ort: OrtModule, request: OpenRequest): Promise<Session> {
  const { runtime, model, wanted, fallback, threads, writesInto, options, check } = request;
  const create = (providers: InferenceSession.ExecutionProviderConfig[]) =>
    ort.InferenceSession.create(model, { ...options, executionProviders: providers });
  const plain = async () => {
    try {
      return await create([wanted === fallback ? (request.provider ?? fallback) : fallback]);
    } catch (error) {
      const limit = asLimit(error);
      if (limit !== error) throw limit;
      throw new FormatError(`${runtime} refuses the model: ${firstLine(error)}`, { cause: error });
    }
  };
  if (wanted === fallback)
    return new OrtSession(ort, writesInto, await plain(), { runtime, backend: fallback, threads });
  try {
    await check?.();
    return new OrtSession(ort, writesInto, await create([request.provider ?? wanted, fallback]), {
      runtime,
      backend: wanted,
      threads,
    });
  } catch (error) {
    const reason = `${wanted} is not to be had here (${firstLine(error)}); using ${fallback}`;
    return new OrtSession(ort, writesInto, await plain(), { runtime, backend: fallback, threads, fallback: reason });
  }
}

/** What goes wrong in a run comes as an exception; the native library would print it as well. */
const QUIET: InferenceSession.RunOptions = { logSeverityLevel: 4 };

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split("\n")[0];

/** Half floats as their bits: where JavaScript has Float16Array, onnxruntime-web answers with that. */
function plainData({ type, data }: OnnxValue): TensorData {
  if (type !== "float16" || data instanceof Uint16Array) return data as TensorData;
  const { buffer, byteOffset, length } = data as ArrayLike<number> & ArrayBufferView;
  return new Uint16Array(buffer, byteOffset, length);
}

class OrtSession implements Session {
  private released = false;

  constructor(
    private readonly ort: OrtModule,
    private readonly writesInto: boolean,
    private readonly session: InferenceSession,
    readonly info: SessionInfo,
  ) {}

  get inputNames(): readonly string[] {
    return this.session.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.session.outputNames;
  }

  get inputs(): Session["inputs"] {
    return this.session.inputMetadata?.map((one) => (one.isTensor ? one : { type: "no tensor", shape: [] }));
  }

  async run(inputs: Record<string, FedTensor>, into: Record<string, Tensor> = {}): Promise<Record<string, Tensor>> {
    if (this.released) throw new StateError("run: this session was disposed");
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, this.value(tensor)]));
    const results = await withinLimits(() =>
      this.writesInto && Object.keys(into).length > 0
        ? this.session.run(feeds, this.fetches(into), QUIET)
        : this.session.run(feeds, QUIET),
    );
    const outputs: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries(results)) {
      const output = { type: tensor.type as ElementType, shape: tensor.dims, data: plainData(tensor) };
      const target = into[name]?.data;
      if (target && target !== output.data) target.set(output.data as Float32Array);
      outputs[name] = target ? { ...output, data: target } : output;
    }
    return outputs;
  }

  private value({ type, data, shape }: FedTensor): OnnxValue {
    return new this.ort.Tensor(type, data as Float32Array, [...shape]);
  }

  /** All outputs by name, with the tensor to write into or null. */
  private fetches(into: Record<string, Tensor>): Record<string, OnnxValue | null> {
    const { outputNames } = this.session;
    return Object.fromEntries(outputNames.map((name) => [name, into[name] ? this.value(into[name]) : null]));
  }

  async dispose(): Promise<void> {
    if (this.released) return;
    this.released = true;
    await this.session.release();
  }
}
