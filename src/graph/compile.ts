/**
 * compile(fn, inputs, options): a pure function on jax-js arrays becomes an ONNX graph in a session, and from there a
 * function on typed arrays. jaxpr → flat program → views and nodes → bytes → session.
 */
import { init, type numpy as np } from "@jax-js/jax";
import { OptionError, ShapeError, UnsupportedError } from "../errors.js";
import { bindSession, type Compiled, type Lowered, type OutputPort } from "./bind.js";
import { flattenJaxpr } from "./jaxpr.js";
import { LoweringError, lowerProgram } from "./lower/index.js";
import { carriedType } from "./lower/lowering.js";
import { type ConstantData, OnnxBuilder, type OnnxType, onnxTypeCode } from "./onnx.js";
import { cutSorts } from "./rewrite.js";
import { requireSameGraph } from "./same.js";
import { defaultRuntime, type ElementType, type Runtime, type SessionOptions, type TensorData } from "./session.js";
import { leavesOf, type Tree, trace } from "./trace.js";
import { identityView, sizeOf, type View } from "./views.js";

export type { Compiled, CompileStats, Feed, Lowered } from "./bind.js";

/** An input of the function. With `data` it is a constant of the graph (weights), otherwise it is fed to `run`. */
export interface InputSpec {
  /** Default "float32". */
  type?: ElementType;
  /** A name instead of a number is a size that may differ from run to run; see CompileOptions.dims. */
  shape: readonly (number | string)[];
  data?: TensorData;
}

export interface CompileOptions extends SessionOptions {
  /** Default: the runtime that the Node or web door has set. */
  runtime?: Runtime;
  /**
   * Two sample sizes for each named dimension. The function is traced at both; where the two graphs are the same, one
   * graph serves every size, otherwise the error names the first operator that differs.
   */
  dims?: Record<string, readonly [number, number]>;
  /** Name of the graph. Default "strata". */
  name?: string;
}

const isSpec = (value: unknown): value is InputSpec =>
  typeof value === "object" && value !== null && Array.isArray((value as InputSpec).shape);

/** An input of the given shape. */
export const input = (shape: readonly (number | string)[], type: ElementType = "float32"): InputSpec => ({
  type,
  shape,
});

/**
 * Traces `fn` on inputs like `inputs` (a tree of specs), lowers it and opens a session.
 * Throws an UnsupportedError that names primitive, parameters and the line of `fn` for what has no ONNX form.
 */
export async function compile(
  fn: (inputs: never) => Tree<np.Array>,
  inputs: Tree<InputSpec>,
  options: CompileOptions = {},
): Promise<Compiled> {
  const graph = await lower(fn, inputs, options);
  const started = performance.now();
  const runtime = options.runtime ?? defaultRuntime();
  const session = await runtime.open(graph.onnx, { backend: options.backend, threads: options.threads });
  graph.stats.milliseconds.open = performance.now() - started;
  return bindSession(session, graph);
}

/** The ONNX model of a function, without a session. */
export async function lower(
  fn: (inputs: never) => Tree<np.Array>,
  inputs: Tree<InputSpec>,
  options: CompileOptions = {},
): Promise<Lowered> {
  await init("cpu");
  const specs = leavesOf(inputs, isSpec);
  const names = new Set(specs.flatMap(([, spec]) => spec.shape.filter((d): d is string => typeof d === "string")));
  for (const name of names) {
    if (!options.dims?.[name])
      throw new OptionError(`compile: dimension "${name}" needs two sample sizes in options.dims`);
  }
  const sample = (which: 0 | 1) =>
    build(fn, inputs, (d) => (typeof d === "number" ? d : options.dims![d][which]), options);
  const first = sample(0);
  if (names.size) requireSameGraph(first.builder, sample(1).builder);
  const started = performance.now();
  const onnx = first.builder.toBytes(options.name ?? "strata");
  const { nodes } = first.builder.live();
  const operators: Record<string, number> = {};
  for (const node of nodes) operators[node.op] = (operators[node.op] ?? 0) + 1;
  return {
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
  const describe = (spec: InputSpec) => ({ type: spec.type ?? ("float32" as const), shape: spec.shape.map(size) });
  const t0 = performance.now();
  const { closed, outputPaths, lineOf } = trace(fn, inputs, isSpec, describe);
  const t1 = performance.now();
  const builder = new OnnxBuilder();
  const program = cutSorts(flattenJaxpr(closed));
  const specs = leavesOf(inputs, isSpec);
  // Fed inputs first: they keep their names, whatever the stored ones are called in the graph.
  const views = new Map<string, View>();
  for (const stored of [false, true]) {
    for (const [path, spec] of specs.filter(([, s]) => (s.data !== undefined) === stored)) {
      views.set(path, inputView(builder, path || "in", spec, describe(spec).shape));
    }
  }
  const arguments_ = specs.map(([path]) => views.get(path) as View);
  // Differentiation leaves zeros as large as its operands that nothing reads; their values are never made.
  const read = new Set([...program.eqns.flatMap((eqn) => eqn.inputs), ...program.outputs]);
  const constants = closed.consts.map((array, i) =>
    read.has(program.inputs[i])
      ? constantView(builder, array as unknown as np.Array)
      : identityView({ name: "", shape: [...array.shape] }),
  );
  let lowered: ReturnType<typeof lowerProgram>;
  try {
    lowered = lowerProgram(builder, program, [...constants, ...arguments_]);
  } catch (error) {
    if (!(error instanceof LoweringError)) throw error;
    const { traced, callers } = error.eqn;
    const line = [traced, ...callers].map(lineOf).find((found) => found !== undefined);
    throw new UnsupportedError(`${error.message}${line ? `\n  made ${line}` : ""}`, { cause: error });
  } finally {
    closed.dispose();
  }
  const outputs = lowered.views.map((view, i) => {
    const type = program.outputs[i].aval.dtype as ElementType;
    const stored = lowered.ctx.materialise(view, true);
    const name = type === "uint32" ? builder.node("Cast", [stored.name], { to: onnxTypeCode("uint32") }) : stored.name;
    const onnxName = builder.output(
      outputPaths[i],
      name,
      type,
      options.dims ? stored.shape.map((_, d) => `${outputPaths[i]}_${d}`) : stored.shape,
    );
    return { name: outputPaths[i], onnxName, type };
  });
  return {
    builder,
    equations: program.eqns.length,
    outputs,
    milliseconds: { trace: t1 - t0, lower: performance.now() - t1 },
  };
}

/** uint32 is carried as int64 inside; its inputs are cast once. */
function inputView(builder: OnnxBuilder, name: string, spec: InputSpec, shape: number[]) {
  const type = (spec.type ?? "float32") as OnnxType;
  if (spec.data) {
    if (spec.data.length !== sizeOf(shape)) {
      throw new ShapeError(
        `compile: "${name}" has ${spec.data.length} values, its shape [${shape}] needs ${sizeOf(shape)}`,
      );
    }
    return identityView({ name: builder.constant(type, shape, spec.data as ConstantData, name), shape });
  }
  const fed = builder.input(name, type, spec.shape);
  const carried = carriedType(type as never);
  if (carried === type) return identityView({ name: fed, shape });
  return identityView({ name: builder.node("Cast", [fed], { to: onnxTypeCode(carried) }), shape });
}

/** A value that the function closed over. */
function constantView(builder: OnnxBuilder, array: np.Array) {
  const type = array.dtype as ElementType;
  const shape = [...array.shape];
  const values = array.ref.dataSync();
  let data = values as ConstantData;
  if (type === "uint32") data = BigInt64Array.from(values as Uint32Array, (v) => BigInt(v));
  else if (type === "bool") data = Uint8Array.from(values as Int32Array, Number);
  else if (type === "float16") data = new Uint16Array((values as unknown as Float32Array).buffer as ArrayBuffer);
  return identityView({ name: builder.constant(carriedType(type as never), shape, data, "const"), shape });
}
