/**
 * From a lowered graph and its session to a function on typed arrays: names, shapes and lengths of what is fed are
 * checked here, so that a runtime's own message is never the first one to be read.
 */
import { type ArrayClass, checkArray, checkNumbers, checkObject, wrong } from "../check.js";
import { OptionError, ShapeError, StateError } from "../errors.js";
import type { ElementType, Session, SessionInfo, Tensor, TensorData } from "./session.js";
import type { Feed, Feeds, OutputName } from "./types.js";
import { sizeOf } from "./views.js";

/** What became of a function: sizes and times. */
export interface CompileStats {
  /** Equations of the jaxpr, nested jits written out. */
  equations: number;
  /** Nodes in the graph, and those made but dropped because no output needs them. */
  nodes: number;
  dropped: number;
  /** Nodes by operator. */
  operators: Record<string, number>;
  /** Size of the ONNX model in bytes. */
  bytes: number;
  /** Time for tracing, lowering and opening the session, in milliseconds. */
  milliseconds: { trace: number; lower: number; open: number };
}

/** A function as a session, with the names of its inputs `I` and outputs `O`; `Compiled` alone: of any names. */
export interface Compiled<I = unknown, O = unknown> {
  readonly info: SessionInfo;
  readonly stats: CompileStats;
  /** The ONNX model. */
  readonly onnx: Uint8Array;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the graph; inputs and outputs by their path in the function's arguments and result ("out" for a lone array).
   * Outputs named in `into` are written into those arrays (alone: vectors), which must not be fed in the same run.
   */
  run(feeds: Feeds<I>, into?: Partial<Record<OutputName<O>, Feed>>): Promise<Record<OutputName<O>, Tensor>>;
  dispose(): Promise<void>;
}

export interface Lowered {
  onnx: Uint8Array;
  stats: CompileStats;
  /** Inputs that are fed, by name. */
  fed: Map<string, { type: ElementType; shape: readonly (number | string)[] }>;
  /** Outputs in order: path in the function's result, name in the ONNX model (another where an input has that path). */
  outputs: OutputPort[];
}

export interface OutputPort {
  name: string;
  onnxName: string;
  type: ElementType;
}

/** The session as a function. */
export function bindSession(session: Session, graph: Lowered): Compiled {
  let disposed = false;
  return {
    info: session.info,
    stats: graph.stats,
    onnx: graph.onnx,
    inputNames: [...graph.fed.keys()],
    outputNames: graph.outputs.map(({ name }) => name),
    async run(feeds, into = {}) {
      if (disposed) throw new StateError("run: this compiled function was disposed");
      const results = await session.run(
        checkFeeds(feeds, graph.fed),
        targetsOf(into as Record<string, Feed>, graph.outputs),
      );
      return Object.fromEntries(graph.outputs.map(({ name, onnxName }) => [name, results[onnxName]]));
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      await session.dispose();
    },
  };
}

/** Arrays to write outputs into, by the outputs' names in the ONNX model. */
function targetsOf(into: Record<string, Feed>, outputs: readonly OutputPort[]): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(checkObject("run", "into", into) as typeof into).map(([name, feed]) => {
      const port = outputs.find((output) => output.name === name);
      if (!port)
        throw new OptionError(`run: no output "${name}"; outputs: ${outputs.map((output) => output.name).join(", ")}`);
      if (typeof feed !== "object" || feed === null)
        throw wrong("run", `into "${name}"`, "an array to write into", feed);
      const { data, shape } = "data" in feed ? feed : { data: feed, shape: [feed.length] };
      return [port.onnxName, { type: port.type, shape, data }];
    }),
  );
}

/** What values of each type come as; half floats as their bits, truth as bytes. */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  bool: Uint8Array,
} as const;

/** Feeds as tensors; names, lengths and named dimensions are checked. */
function checkFeeds(feeds: Record<string, Feed>, specs: Lowered["fed"]): Record<string, Tensor> {
  checkObject("run", "feeds", feeds);
  for (const name of Object.keys(feeds)) {
    if (!specs.has(name)) throw new OptionError(`run: no input "${name}"; inputs: ${[...specs.keys()].join(", ")}`);
  }
  const bound = new Map<string, number>();
  const tensors: Record<string, Tensor> = {};
  for (const [name, spec] of specs) {
    const feed = feeds[name];
    if (!feed) throw new OptionError(`run: the input "${name}" is missing`);
    const data = typeof feed === "object" && "data" in feed ? feed.data : feed;
    checkArray<TensorData>("run", `"${name}"`, data, ARRAYS[spec.type] as ArrayClass<TensorData>);
    const fixed = spec.shape.every((d) => typeof d === "number");
    const shape = "data" in feed ? feed.shape : (spec.shape as number[]);
    if (!("data" in feed) && !fixed)
      throw new ShapeError(`run: "${name}" has named dimensions [${spec.shape}]; give { data, shape }`);
    checkNumbers("run", `the shape of "${name}"`, shape);
    const fits = shape.length === spec.shape.length && spec.shape.every((d, i) => fitsDim(d, shape[i], bound));
    if (!fits) throw new ShapeError(`run: "${name}" must have shape [${spec.shape}], got [${shape}]`);
    if (data.length !== sizeOf(shape)) {
      throw new ShapeError(`run: "${name}" of shape [${shape}] needs ${sizeOf(shape)} values, got ${data.length}`);
    }
    tensors[name] = { type: spec.type, shape, data };
  }
  return tensors;
}

function fitsDim(wanted: number | string, got: number, bound: Map<string, number>): boolean {
  if (typeof wanted === "number") return wanted === got;
  const known = bound.get(wanted) ?? got;
  bound.set(wanted, known);
  return known === got;
}
