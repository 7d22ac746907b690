/**
 * compile(fn, inputs, options): a pure function on jax-js arrays becomes an ONNX graph in a session, and from there a
 * function on typed arrays. jaxpr → flat program → views and nodes → bytes → session.
 */

import type { numpy as np } from "@jax-js/jax";
import { checkFunction, checkList, checkNumbers, checkObject, checkText, wrong } from "../check.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { bindSession, type Compiled, type Lowered, type OutputPort } from "./bind.js";
import { lowerOnto } from "./inline.js";
import { loadJax } from "./jax.js";
import { carriedType } from "./lower/lowering.js";
import { type Initializer, OnnxBuilder, type OnnxType, onnxTypeCode } from "./onnx.js";
import { buildForEverySize } from "./same.js";
import { samplesOf } from "./samples.js";
import {
  BACKENDS,
  defaultRuntime,
  ELEMENT_TYPES,
  type ElementType,
  type Runtime,
  type SessionOptions,
} from "./session.js";
import { type InputSpec, isSpec } from "./specs.js";
import { leavesOf, type Tree } from "./trace.js";
import type { ArraysOf } from "./types.js";
import { identityView, type View } from "./views.js";

export type { Compiled, CompileStats, Lowered } from "./bind.js";
export type { InputSpec } from "./specs.js";
export type { ArraysOf, Feed, Feeds, InputName, OutputName } from "./types.js";

/** Options of compile and lower. */
export interface CompileOptions extends SessionOptions {
  /** Default: the runtime that the Node or web door has set. */
  runtime?: Runtime;
  /**
   * Two or more different sample sizes for each named dimension. The function is traced at each; where the graphs are the
   * same, constants included, one graph serves every size, otherwise the error names the first operator that differs. A
   * function that behaves otherwise from some size on (`x.shape[0] > 100 ? … : …`) needs samples on both sides of it.
   */
  dims?: Readonly<Record<string, readonly number[]>>;
  /** Name of the graph. Default "strata". */
  name?: string;
}

/** An input that is fed to `run`, not stored. */
export type FedSpec = Omit<InputSpec, "data">;

/** An input of the given shape. */
export function input(shape: readonly (number | string)[], type: ElementType = "float32"): FedSpec {
  checkList("input", "shape", shape);
  checkInputs("input", { type, shape });
  return { type, shape };
}

/**
 * Traces `fn` on inputs like `inputs` (a tree of specs), lowers it and opens a session. As with jax-js's `jit`, the types of
 * the function stay: `run` knows the names of inputs and outputs.
 * Throws an UnsupportedError that names primitive, parameters and the line of `fn` for what has no ONNX form.
 */
export async function compile<const I extends Tree<InputSpec>, O extends Tree<np.Array>>(
  fn: (inputs: ArraysOf<I>) => O,
  inputs: I,
  options: CompileOptions = {},
): Promise<Compiled<I, O>> {
  // By the signature `fn` takes what `inputs` has; the compiler cannot follow a tree of unknown depth to see it.
  const graph = await lower(fn as never, inputs, options);
  const started = performance.now();
  const runtime = options.runtime ?? defaultRuntime();
  const session = await runtime.open(graph.onnx, { backend: options.backend, threads: options.threads });
  graph.stats.milliseconds.open = performance.now() - started;
  return bindSession(session, graph) as Compiled<I, O>;
}

/** The ONNX model of a function, without a session. */
export async function lower(
  fn: (inputs: never) => Tree<np.Array>,
  inputs: Tree<InputSpec>,
  options: CompileOptions = {},
): Promise<Lowered> {
  return (await lowerGraph(fn, inputs, options)).lowered;
}

/** The same, with what the model was written from; stored inputs named in `leaveOut` are not in its bytes. */
export async function lowerGraph(
  fn: (inputs: never) => Tree<np.Array>,
  inputs: Tree<InputSpec>,
  options: CompileOptions = {},
  leaveOut: (weight: Initializer) => boolean = () => false,
): Promise<{ lowered: Lowered; builder: OnnxBuilder }> {
  checkArguments(fn, inputs, options);
  await loadJax();
  const specs = leavesOf(inputs, isSpec);
  const names = new Set(specs.flatMap(([, spec]) => spec.shape.filter((d): d is string => typeof d === "string")));
  const first = await buildForEverySize(samplesOf([...names], options.dims), (sample) =>
    build(fn, inputs, (d) => (typeof d === "number" ? d : sample[d]), options),
  );
  const started = performance.now();
  const onnx = first.builder.toBytes(options.name ?? "strata", {}, leaveOut);
  const { nodes } = first.builder.live();
  const operators: Record<string, number> = {};
  for (const node of nodes) operators[node.op] = (operators[node.op] ?? 0) + 1;
  const lowered: Lowered = {
    onnx,
    stats: {
      equations: first.equations,
      nodes: nodes.length,
      dropped: first.builder.nodes.length - nodes.length,
      operators,
      bytes: onnx.length,
      milliseconds: { ...first.milliseconds, lower: first.milliseconds.lower + performance.now() - started, open: 0 },
    },
    fed: new Map(
      specs
        .filter(([, s]) => !s.data)
        .map(([path, s]) => [path || "in", { type: s.type ?? "float32", shape: s.shape }]),
    ),
    outputs: first.outputs,
  };
  return { lowered, builder: first.builder };
}

function checkArguments(fn: unknown, inputs: unknown, given: CompileOptions): void {
  checkFunction("compile", "the first argument", fn);
  checkInputs("inputs", inputs);
  const defaults: CompileOptions = {
    ...{ runtime: undefined, dims: undefined, name: undefined, backend: undefined, threads: undefined },
  };
  const { runtime, dims, name, backend, threads } = withDefaults("compile", defaults, given);
  if (runtime !== undefined && typeof runtime?.open !== "function") {
    throw wrong("compile", '"runtime"', "an object with the method open", runtime);
  }
  if (dims !== undefined) checkObject("compile", '"dims"', dims);
  if (name !== undefined) checkText("compile", '"name"', name);
  if (backend !== undefined) checkChoice("compile", "backend", backend, BACKENDS);
  if (threads !== undefined) checkNumber("compile", "threads", threads, { min: 1, max: 256, integer: true });
}

/** Specs at the leaves of objects and lists. */
function checkInputs(path: string, value: unknown): void {
  if (isSpec(value)) {
    const { shape, type, data } = value;
    for (const size of shape) {
      const fits = typeof size === "string" ? size !== "" : Number.isSafeInteger(size) && size >= 0;
      if (!fits) throw wrong("compile", `a size in ${path}.shape`, "a whole number or a name", size);
    }
    if (type !== undefined) checkChoice("compile", `${path}.type`, type, ELEMENT_TYPES);
    if (data !== undefined) checkNumbers("compile", `${path}.data`, data);
    return;
  }
  const inner = Array.isArray(value) ? value : checkObject("compile", path, value);
  for (const [key, one] of Object.entries(inner)) checkInputs(`${path}.${key}`, one);
}

interface Built {
  builder: OnnxBuilder;
  equations: number;
  outputs: OutputPort[];
  milliseconds: { trace: number; lower: number };
}

/** Traces and lowers at one choice of sizes. */
function build(
  fn: (inputs: never) => unknown,
  inputs: Tree<InputSpec>,
  size: (d: number | string) => number,
  options: CompileOptions,
): Built {
  const builder = new OnnxBuilder();
  const { values, equations, milliseconds } = lowerOnto(builder, fn, inputs, size, (name, spec, shape) =>
    fedView(builder, name, spec, shape),
  );
  const outputs = values.map(({ path, name, type, shape }) => {
    const dims = options.dims ? shape.map((_, d) => `${path}_${d}`) : shape;
    return { name: path, onnxName: builder.output(path, name, type, dims), type };
  });
  return { builder, equations, outputs, milliseconds };
}

/** An input of the graph; uint32 is carried as int64 inside, so it is cast once. */
function fedView(builder: OnnxBuilder, name: string, spec: InputSpec, shape: number[]): View {
  const type = (spec.type ?? "float32") as OnnxType;
  const fed = builder.input(name, type, spec.shape);
  const carried = carriedType(type as never);
  if (carried === type) return identityView({ name: fed, shape });
  return identityView({ name: builder.node("Cast", [fed], { to: onnxTypeCode(carried) }), shape });
}
