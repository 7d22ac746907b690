/**
 * What onnxruntime-node and onnxruntime-web have in common behind the Runtime interface: the same API, taken as an
 * argument, so that this file imports neither.
 */
import type { Env, InferenceSession, InferenceSessionFactory, OnnxValue, TensorConstructor } from "onnxruntime-common";
import { FormatError, StateError } from "../errors.js";
import type { Backend, ElementType, Session, SessionInfo, Tensor, TensorData } from "./session.js";

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
  options: InferenceSession.SessionOptions;
  /** Throws where the wanted backend is known not to be there, before the runtime is asked. */
  check?: () => void | Promise<void>;
}

/** A session on the wanted backend, or on the fallback with the reason in its info. */
export async function openOrtSession(ort: OrtModule, request: OpenRequest): Promise<Session> {
  const { runtime, model, wanted, fallback, threads, options, check } = request;
  const create = (providers: Backend[]) =>
    ort.InferenceSession.create(model, { ...options, executionProviders: providers });
  const plain = async () => {
    try {
      return await create([fallback]);
    } catch (error) {
      throw new FormatError(`${runtime} refuses the model: ${firstLine(error)}`, { cause: error });
    }
  };
  if (wanted === fallback) return new OrtSession(ort, await plain(), { runtime, backend: fallback, threads });
  try {
    await check?.();
    return new OrtSession(ort, await create([wanted, fallback]), { runtime, backend: wanted, threads });
  } catch (error) {
    const reason = `${wanted} is not to be had here (${firstLine(error)}); using ${fallback}`;
    return new OrtSession(ort, await plain(), { runtime, backend: fallback, threads, fallback: reason });
  }
}

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
    private readonly session: InferenceSession,
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
    const feeds: Record<string, OnnxValue> = {};
    for (const [name, { type, data, shape }] of Object.entries(inputs)) {
      feeds[name] = new this.ort.Tensor(type, data as Float32Array, [...shape]);
    }
    const results = await this.session.run(feeds);
    const outputs: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries(results)) {
      outputs[name] = { type: tensor.type as ElementType, shape: tensor.dims, data: plainData(tensor) };
    }
    return outputs;
  }

  async dispose(): Promise<void> {
    if (this.released) return;
    this.released = true;
    await this.session.release();
  }
}
