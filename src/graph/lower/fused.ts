/** Functions with an ONNX operator of their own, by the name that fused.ts gives them. */
import { UnsupportedError } from "../../errors.js";
import { fusedName } from "../fused.js";
import { type Atom, type Eqn, outShapeOf } from "../jaxpr.js";
import { identityView } from "../views.js";
import type { Lowering, Rule } from "./lowering.js";

/** The argument of a fused function; before it come the constants that its definition closed over. */
const argument = (eqn: Eqn): Atom => eqn.inputs[Number(eqn.params.numConsts)];

/** Bilinear resizing of the last two axes by whole factors; scales, not sizes, so that any map size fits. */
const resize: Rule = (ctx, eqn) => {
  const { params } = fusedName(String(eqn.params.name)) as { params: Record<string, unknown> };
  const [sy, sx] = params.scales as number[];
  const scales = ctx.builder.constant("float32", [4], Float32Array.of(1, 1, sy, sx), "scales");
  const name = ctx.builder.node("Resize", [ctx.full(argument(eqn)).name, "", scales], {
    mode: "linear",
    coordinate_transformation_mode: String(params.coordinates),
  });
  return [identityView({ name, shape: outShapeOf(eqn) })];
};

const unary =
  (op: string): Rule =>
  (ctx, eqn) => [ctx.unary(ctx.view(argument(eqn)), op)];

const softmax: Rule = (ctx, eqn) => {
  const { params } = fusedName(String(eqn.params.name)) as { params: Record<string, unknown> };
  const operand = ctx.full(argument(eqn));
  return [
    identityView({
      name: ctx.builder.node("Softmax", [operand.name], { axis: Number(params.axis) }),
      shape: operand.shape,
    }),
  ];
};

const RULES: Record<string, Rule> = { resize, sigmoid: unary("Sigmoid"), softplus: unary("Softplus"), softmax };

const jit: Rule = (ctx: Lowering, eqn) => {
  const op = fusedName(String(eqn.params.name))?.op ?? "";
  const rule = RULES[op];
  if (!rule)
    throw new UnsupportedError(`the fused operator "${op}" is not known; known: ${Object.keys(RULES).join(", ")}`);
  return rule(ctx, eqn);
};

export const fusedRules: Record<string, Rule> = { jit };
