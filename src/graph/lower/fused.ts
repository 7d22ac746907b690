/** Functions with an ONNX operator of their own, as their definitions say it (graph/fused.ts). */
import { StateError } from "../../errors.js";
import { fusedCall } from "../fused.js";
import { type Atom, outShapeOf } from "../jaxpr.js";
import { identityView } from "../views.js";
import type { Rule } from "./lowering.js";

const jit: Rule = (ctx, eqn) => {
  const call = fusedCall(String(eqn.params.name));
  // Every other jit was written out before.
  if (!call) throw new StateError(`the jit "${eqn.params.name}" is no fused operator`);
  // Before the first argument come the constants that the definition closed over.
  const argument = (i: number): Atom => eqn.inputs[Number(eqn.params.numConsts) + i];
  const { lower, params } = call;
  if (typeof lower === "string") return [ctx.unary(ctx.view(argument(0)), lower)];
  const name = lower({ builder: ctx.builder, params, argument: (i) => ctx.full(argument(i)).name });
  return [identityView({ name, shape: outShapeOf(eqn) })];
};

export const fusedRules: Record<string, Rule> = { jit };
