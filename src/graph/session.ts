/**
 * The one interface behind which every ONNX runtime hides: bytes of a model in, typed arrays out. `src/node` and
 * `src/web` implement it; nothing else knows which runtime is there.
 */
import { wrong } from "../check.js";
import { StateError } from "../errors.js";

/** Element types that a graph's inputs and outputs can have (jax-js's names; bool travels as one byte an element). */
export const ELEMENT_TYPES = ["float32", "int32", "uint32", "bool", "float16", "float64"] as const;
export type ElementType = (typeof ELEMENT_TYPES)[number];

/** The typed array of each element type; float16 is carried as its bits. */
export type TensorData = Float32Array | Int32Array | Uint32Array | Uint8Array | Uint16Array | Float64Array;

/** Typed values and their shape. */
export interface Tensor {
  /** uint8 in graphs that take pixels; none that is compiled here does. */
  type: ElementType | "uint8";
  shape: readonly number[];
  data: TensorData;
}

/** What a session is fed: a file for other programs may ask for whole numbers of 64 bits, which no graph here gives. */
export type FedTensor = Tensor | { type: "int64"; shape: readonly number[]; data: BigInt64Array };

/** Where a session should run: `cpu` everywhere, the others where the machine has them. */
export const BACKENDS = ["cpu", "webgpu", "cuda", "wasm"] as const;
/** Where a session computes. */
export type Backend = (typeof BACKENDS)[number];

/** Backend and threads of a session. */
export interface SessionOptions {
  /** Wanted backend; default: the runtime's own first choice (cpu in Node, wasm in a browser). */
  backend?: Backend;
  /** Threads for one operator; default: one per core. */
  threads?: number;
}

/** What really runs, for results and logs. */
export interface SessionInfo {
  /** e.g. "onnxruntime-node 1.30.0". */
  runtime: string;
  backend: Backend;
  threads: number;
  /** Said when the wanted backend was not to be had and another took its place. */
  fallback?: string;
}

/** A model opened by a runtime. */
export interface Session {
  readonly info: SessionInfo;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Element type and shape that each input is declared with (names stand for sizes that are open), where the runtime says it. */
  readonly inputs?: readonly { type: string; shape: readonly (number | string)[] }[];
  /**
   * Runs the graph once; inputs by name, all outputs by name. An output named in `into` is written into that tensor's
   * data, which must not be an input's.
   */
  run(inputs: Record<string, FedTensor>, into?: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  /** Frees native memory; a second call does nothing. */
  dispose(): Promise<void>;
}

/** What opens ONNX models: onnxruntime-node or -web. */
export interface Runtime {
  /** e.g. "onnxruntime-node". */
  readonly name: string;
  /** A session over the bytes of an ONNX model. */
  open(model: Uint8Array, options?: SessionOptions): Promise<Session>;
}

let current: Runtime | undefined;

/** Makes `runtime` the one that is used when none is named; the Node and web doors call it when imported. */
export function setDefaultRuntime(runtime: Runtime): void {
  if (typeof (runtime as Runtime | null | undefined)?.open !== "function") {
    throw wrong("setDefaultRuntime", "runtime", "an object with the method open", runtime);
  }
  current = runtime;
}

/** The runtime that a door has set. */
export function defaultRuntime(): Runtime {
  if (!current) {
    throw new StateError('no ONNX runtime is set: import "strata-features/node" or "strata-features/web", or pass one');
  }
  return current;
}
