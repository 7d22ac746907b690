/**
 * A function that has both a definition on jax-js arrays and an ONNX operator of its own; whoever defines it says both, in
 * one place. `fused(...)` wraps the definition in a jit whose name says which operator; lowering emits that operator,
 * jax-js's interpreter runs the definition, and a gradient (whose jit has another name) goes through the definition. So
 * the oracle stays whole.
 */
import type { numpy as np } from "@jax-js/jax";
import { StateError } from "../errors.js";
import { jit } from "./jax.js";
import type { OnnxBuilder } from "./onnx.js";

export type FusedParams = Record<string, number | string | readonly number[]>;

/** One call of a fused function, being lowered. */
export interface FusedCall {
  builder: OnnxBuilder;
  params: FusedParams;
  /** The name of the i-th argument's value, laid out in full. */
  argument(i: number): string;
}

/** An elementwise ONNX operator of one argument, or what makes nodes and returns the name of the result. */
export type FusedLowering = string | ((call: FusedCall) => string);

export interface FusedOperator<A extends np.Array[]> {
  /** Letters and digits; no two operators share one. */
  name: string;
  /** What the lowering has to know beside the arguments. */
  params?: FusedParams;
  definition: (...args: A) => np.Array;
  lower: FusedLowering;
}

/** Operators by name. A graph can only hold those whose module has been loaded, so none is missing here. */
const lowerings = new Map<string, FusedLowering>();

const PATTERN = /^strata:(\w+):(\{.*\})$/;

/** The definition, to be lowered as its operator. */
export function fused<A extends np.Array[]>({ name, params = {}, definition, lower }: FusedOperator<A>) {
  const known = lowerings.get(name) ?? lower;
  if (known !== lower) throw new StateError(`graph: two fused operators have the name "${name}"`);
  lowerings.set(name, lower);
  const named = (...args: A) => definition(...args);
  Object.defineProperty(named, "name", { value: `strata:${name}:${JSON.stringify(params)}` });
  let jitted: ((...args: A) => np.Array) | undefined;
  return (...args: A): np.Array => {
    jitted ??= jit(named as never) as unknown as (...args: A) => np.Array;
    return jitted(...args);
  };
}

/** Lowering and parameters of a jit's name, or null where it is an ordinary jit. */
export function fusedCall(name: string): { lower: FusedLowering; params: FusedParams } | null {
  const [, operator, params] = PATTERN.exec(name) ?? [];
  const lower = lowerings.get(operator);
  return lower === undefined ? null : { lower, params: JSON.parse(params) as FusedParams };
}
