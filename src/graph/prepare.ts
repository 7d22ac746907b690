/** Makes prepared graphs (prepared.ts): what is lowered here is opened without tracing. */
import type { numpy as np } from "@jax-js/jax";
import { type CompileOptions, lowerGraph } from "./compile.js";
import type { Initializer } from "./onnx.js";
import { type GraphKey, writePrepared } from "./prepared.js";
import { type InputSpec, isSpec } from "./specs.js";
import { leavesOf, type Tree } from "./trace.js";

/** Smaller constants are shared by their values and stay in the graph. */
const LEAST = 65;

/** The prepared graph of a function on `inputs`, as the bytes of its file; `key` is what it is made of. */
export async function prepareGraph(
  fn: (inputs: never) => Tree<np.Array>,
  inputs: Tree<InputSpec>,
  key: GraphKey,
  options: CompileOptions,
): Promise<Uint8Array> {
  const paths = new Map<unknown, string>();
  for (const [path, { data }] of leavesOf(inputs, isSpec)) {
    if (data instanceof Float32Array && data.length >= LEAST) paths.set(data, path);
  }
  const isWeight = ({ type, data }: Initializer) => type === "float32" && paths.has(data);
  const { lowered, builder } = await lowerGraph(fn, inputs, options, isWeight);
  const weights = builder
    .live()
    .initializers.filter(isWeight)
    .map(({ name, shape, data }) => ({ path: paths.get(data) as string, name, shape }));
  const { onnx, fed, outputs, stats } = lowered;
  return writePrepared(onnx, { key, fed: [...fed], outputs, weights, stats });
}
