/**
 * A function on jax-js arrays as nodes of a graph that may have others already: jaxpr → flat program → views and nodes.
 * `compile` makes whole graphs of one function; an export puts several, and nodes of its own, into one.
 */
import type { numpy as np } from "@jax-js/jax";
import { ShapeError, StateError, UnsupportedError } from "../errors.js";
import { loadJax } from "./jax.js";
import { flattenJaxpr } from "./jaxpr.js";
import { LoweringError, lowerProgram } from "./lower/index.js";
import { carriedType } from "./lower/lowering.js";
import { type ConstantData, type OnnxBuilder, type OnnxType, onnxTypeCode } from "./onnx.js";
import { cutSorts } from "./rewrite.js";
import type { ElementType } from "./session.js";
import { type InputSpec, isSpec } from "./specs.js";
import { leavesOf, type Tree, trace } from "./trace.js";
import { identityView, sizeOf, type View } from "./views.js";

/** What the function returned, as values of the graph. */
export interface LoweredValue {
  /** In the function's result, e.g. "scores"; "out" for a lone array. */
  path: string;
  name: string;
  type: ElementType;
  /** At the sizes it was traced with. */
  shape: readonly number[];
}

export interface LoweredBody {
  values: LoweredValue[];
  equations: number;
  milliseconds: { trace: number; lower: number };
}

/**
 * Traces `fn` at the sizes that `size` gives to named dimensions, and lowers it into `builder`. Stored inputs become
 * constants; `fed` says which value stands for each other one.
 */
export function lowerOnto(
  builder: OnnxBuilder,
  fn: (inputs: never) => unknown,
  inputs: Tree<InputSpec>,
  size: (d: number | string) => number,
  fed: (path: string, spec: InputSpec, shape: number[]) => View,
): LoweredBody {
  const describe = (spec: InputSpec) => ({ type: spec.type ?? ("float32" as const), shape: spec.shape.map(size) });
  const t0 = performance.now();
  const { closed, outputPaths, lineOf } = trace(fn, inputs, isSpec, describe);
  const t1 = performance.now();
  const program = cutSorts(flattenJaxpr(closed));
  const specs = leavesOf(inputs, isSpec);
  // Fed inputs first: they keep their names, whatever the stored ones are called in the graph.
  const views = new Map<string, View>();
  for (const stored of [false, true]) {
    for (const [path, spec] of specs.filter(([, s]) => (s.data !== undefined) === stored)) {
      const { shape } = describe(spec);
      views.set(path, stored ? storedView(builder, path || "in", spec, shape) : fed(path || "in", spec, shape));
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
  const values = lowered.views.map((view, i) => {
    const type = program.outputs[i].aval.dtype as ElementType;
    const { name, shape } = lowered.ctx.materialise(view, true);
    const own = type === "uint32" ? builder.node("Cast", [name], { to: onnxTypeCode("uint32") }) : name;
    return { path: outputPaths[i], name: own, type, shape };
  });
  return { values, equations: program.eqns.length, milliseconds: { trace: t1 - t0, lower: performance.now() - t1 } };
}

/**
 * `fn` put into `builder` with values of the graph as its inputs (`given`, by path): the names of its results by path.
 * `size` says at which sizes named dimensions are traced; the graph must not depend on them (same.ts).
 */
export async function inline(
  builder: OnnxBuilder,
  fn: (inputs: never) => unknown,
  inputs: Tree<InputSpec>,
  given: Readonly<Record<string, string>>,
  size: (d: number | string) => number,
): Promise<Record<string, string>> {
  await loadJax();
  const { values } = lowerOnto(builder, fn, inputs, size, (path, _, shape) => {
    const name = given[path];
    if (name === undefined) throw new StateError(`graph: no value is given for the input "${path}"`);
    return identityView({ name, shape });
  });
  return Object.fromEntries(values.map(({ path, name }) => [path, name]));
}

function storedView(builder: OnnxBuilder, name: string, spec: InputSpec, shape: number[]): View {
  const { data, type = "float32" } = spec;
  if (data?.length !== sizeOf(shape)) {
    throw new ShapeError(`compile: "${name}" has ${data?.length} values, its shape [${shape}] needs ${sizeOf(shape)}`);
  }
  const stored = builder.constant(type as OnnxType, shape, data as ConstantData, name);
  const carried = carriedType(type as never);
  return identityView({
    name: carried === type ? stored : builder.node("Cast", [stored], { to: onnxTypeCode(carried) }),
    shape,
  });
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
