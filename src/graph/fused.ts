/**
 * A function that has both a definition on jax-js arrays and an ONNX operator of its own. `fused(...)` wraps the
 * definition in a jit whose name says which operator; lowering emits that operator, jax-js's interpreter runs the
 * definition, and a gradient (whose jit has another name) goes through the definition. So the oracle stays whole.
 */
import { jit, type numpy as np } from "@jax-js/jax";

export type FusedParams = Record<string, number | string | readonly number[]>;

/** Operators that `lower/fused.ts` knows. */
export type FusedOp =
  | "depthToSpace"
  | "resize"
  | "sample"
  | "sigmoid"
  | "softmax"
  | "softplus"
  | "topCells"
  | "windows";

const PATTERN = /^strata:(\w+):(\{.*\})$/;

/** `fn`, to be lowered to the operator `op` with `params`; `fn` is its meaning. */
export function fused<A extends np.Array[]>(
  op: FusedOp,
  params: FusedParams,
  fn: (...args: A) => np.Array,
): (...args: A) => np.Array {
  const named = (...args: A) => fn(...args);
  Object.defineProperty(named, "name", { value: `strata:${op}:${JSON.stringify(params)}` });
  return jit(named as never) as never;
}

/** Operator and parameters of a jit's name, or null where it is an ordinary jit. */
export function fusedName(name: string): { op: string; params: FusedParams } | null {
  const match = PATTERN.exec(name);
  return match ? { op: match[1], params: JSON.parse(match[2]) as FusedParams } : null;
}
