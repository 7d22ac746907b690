/**
 * The parts of a jaxpr that lowering reads: equations with nested jits written out, except for those that carry a
 * `fused` name (see fused.ts). Built once per compilation, so that rewriting works on our own plain objects.
 */
import type { ClosedJaxpr, DType, Jaxpr } from "@jax-js/jax";
import { fusedCall } from "./fused.js";

export type RawEqn = Jaxpr["eqns"][number];
export type Var = RawEqn["outBinders"][number];
export type Atom = RawEqn["inputs"][number];

export interface Eqn {
  primitive: string;
  inputs: Atom[];
  params: Record<string, unknown>;
  outs: Var[];
  /** The equation as it was traced, for error messages. */
  traced: RawEqn;
  /** The jits around it, innermost first. */
  callers: readonly RawEqn[];
}

export interface Program {
  inputs: Var[];
  eqns: Eqn[];
  outputs: Atom[];
}

export const isVar = (atom: Atom): atom is Var => !("value" in atom);
export const shapeOf = (atom: Atom): readonly number[] => atom.aval.shape;
export const outShapeOf = (eqn: Eqn, i = 0): readonly number[] => shapeOf(eqn.outs[i]);
export const dtypeOf = (atom: Atom): DType => atom.aval.dtype;

/** The closed jaxpr as one flat list of equations. */
export function flattenJaxpr({ jaxpr }: ClosedJaxpr): Program {
  const eqns: Eqn[] = [];
  const outputs = inline(jaxpr, jaxpr.inBinders, eqns, []);
  return { inputs: jaxpr.inBinders, eqns, outputs };
}

/** Appends `jaxpr`'s equations with its inputs bound to `args`; returns what its outputs are. */
function inline(jaxpr: Jaxpr, args: readonly Atom[], eqns: Eqn[], callers: readonly RawEqn[]): Atom[] {
  const bound = new Map<Var, Atom>(jaxpr.inBinders.map((v, i) => [v, args[i]]));
  const resolve = (atom: Atom): Atom => (isVar(atom) ? (bound.get(atom) ?? atom) : atom);
  for (const eqn of jaxpr.eqns) {
    const inputs = eqn.inputs.map(resolve);
    const params = eqn.params as Record<string, unknown>;
    if (eqn.primitive === "jit" && !fusedCall(String(params.name))) {
      const results = inline(params.jaxpr as Jaxpr, inputs, eqns, [eqn, ...callers]);
      eqn.outBinders.forEach((out, i) => {
        bound.set(out, results[i]);
      });
      continue;
    }
    // A jit that is called twice shares its variables; each call gets its own.
    const outs = eqn.outBinders.map((out) => {
      const own = new (out.constructor as new (aval: Var["aval"]) => Var)(out.aval);
      bound.set(out, own);
      return own;
    });
    eqns.push({ primitive: eqn.primitive, inputs, params, outs, traced: eqn, callers });
  }
  return jaxpr.outs.map(resolve);
}
