/** Elementwise primitives: arithmetic, comparison, choice, cast. Broadcasting is left to the operators themselves. */
import type { DType } from "@jax-js/jax";
import { UnsupportedError } from "../../errors.js";
import { dtypeOf, type Eqn, isVar } from "../jaxpr.js";
import { onnxTypeCode } from "../onnx.js";
import type { View } from "../views.js";
import { foldProduct } from "./fold.js";
import { type Lowering, promote, type Rule } from "./lowering.js";

export const isFloat = (dtype: DType): boolean => dtype.startsWith("float");
const UINT32_MASK = 0xffffffff;

/** uint32 is carried as int64: arithmetic wraps around by cutting to the low 32 bits. */
export function wrap(ctx: Lowering, view: View, dtype: DType): View {
  return dtype === "uint32" ? ctx.elementwise("BitwiseAnd", [view, ctx.scalar("uint32" as DType, UINT32_MASK)]) : view;
}

/** The smaller or larger of two. Runtimes compare 64-bit numbers by their low halves here, so uint32 goes through Less. */
export function extremum(ctx: Lowering, op: "Min" | "Max", a: View, b: View, dtype: DType): View {
  if (dtype !== "uint32") return ctx.elementwise(op, [a, b]);
  return ctx.elementwise("Where", [ctx.elementwise("Less", [a, b]), ...(op === "Min" ? [a, b] : [b, a])]);
}

const operands = (ctx: Lowering, eqn: Eqn, dtype: DType): View[] => eqn.inputs.map((atom) => ctx.viewAs(atom, dtype));

/** A binary primitive by its operator for numbers and, where it has one, for bools. */
const binary =
  (op: string, boolOp?: string): Rule =>
  (ctx, eqn) => {
    const dtype = dtypeOf(eqn.outs[0]);
    const views = operands(ctx, eqn, dtype);
    if (dtype === "bool") {
      if (!boolOp) throw new UnsupportedError(`${eqn.primitive} of bool has no ONNX operator`);
      return [ctx.elementwise(boolOp, views)];
    }
    return [wrap(ctx, ctx.elementwise(op, views), dtype)];
  };

const extreme =
  (op: "Min" | "Max", boolOp: string): Rule =>
  (ctx, eqn) => {
    const dtype = dtypeOf(eqn.outs[0]);
    const [a, b] = operands(ctx, eqn, dtype);
    return [dtype === "bool" ? ctx.elementwise(boolOp, [a, b]) : extremum(ctx, op, a, b, dtype)];
  };

const unary =
  (op: string): Rule =>
  (ctx, eqn) => [ctx.unary(ctx.view(eqn.inputs[0]), op)];

/** x·(1/y) becomes one division where the reciprocal has no other reader; constant factors are gathered (fold.ts). */
const mul: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  if (dtype === "float32") {
    const folded = foldProduct(ctx, operands(ctx, eqn, dtype), dtype);
    if (folded) return [folded];
  }
  for (const [x, y] of [eqn.inputs, [...eqn.inputs].reverse()]) {
    const maker = isVar(y) && ctx.reads.get(y) === 1 ? ctx.definedBy.get(y) : undefined;
    if (maker?.primitive === "reciprocal" && isFloat(dtypeOf(eqn.outs[0])) && dtypeOf(y) === dtypeOf(eqn.outs[0])) {
      return [ctx.elementwise("Div", [ctx.viewAs(x, dtypeOf(y)), ctx.view(maker.inputs[0])])];
    }
  }
  return binary("Mul", "And")(ctx, eqn);
};

/** max(x, 0) is a ReLU, which runtimes fuse into the convolution before it. */
const max: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  const zero = eqn.inputs.findIndex((atom) => ctx.literal(atom) === 0);
  const other = eqn.inputs[1 - zero];
  if (zero >= 0 && dtype === "float32" && isVar(other)) return [ctx.unary(ctx.viewAs(other, dtype), "Relu")];
  return extreme("Max", "Or")(ctx, eqn);
};

/**
 * Division towards zero, and the remainder that goes with it (the sign of the dividend, as in C and JavaScript).
 * Whole numbers divided by zero give 0 as in jax-js; ONNX Runtime would end the process. int32 is divided as int64,
 * because −2³¹ / −1 would end it too.
 */
const divide =
  (op: "Div" | "Mod"): Rule =>
  (ctx, eqn) => {
    const dtype = dtypeOf(eqn.outs[0]);
    const [x, y] = operands(ctx, eqn, dtype);
    const attributes = op === "Mod" ? { fmod: 1 } : undefined;
    if (isFloat(dtype)) {
      const result = ctx.elementwise(op, [x, y], attributes);
      return [op === "Div" ? truncate(ctx, result) : result];
    }
    const literal = ctx.literal(eqn.inputs[1]);
    if (literal && Math.trunc(literal) > 0) return [ctx.elementwise(op, [x, y], attributes)];
    const uint32 = "uint32" as DType;
    const [a, b] = [x, y].map((view) =>
      dtype === uint32 ? view : ctx.unary(view, "Cast", { to: onnxTypeCode("int64") }),
    );
    const zero = ctx.elementwise("Equal", [b, ctx.scalar(uint32, 0)]);
    const safe = ctx.elementwise("Where", [zero, ctx.scalar(uint32, 1), b]);
    const quotient = ctx.elementwise(op, [a, safe], attributes);
    const result = ctx.elementwise("Where", [zero, ctx.scalar(uint32, 0), quotient]);
    return [dtype === uint32 ? result : narrow(ctx, result)];
  };

/** The low 32 bits of an int64 as a signed number. */
function narrow(ctx: Lowering, view: View): View {
  const uint32 = "uint32" as DType;
  return ctx.cast(ctx.elementwise("BitwiseAnd", [view, ctx.scalar(uint32, UINT32_MASK)]), uint32, "int32" as DType);
}

export function truncate(ctx: Lowering, view: View): View {
  return ctx.elementwise("Mul", [ctx.unary(view, "Sign"), ctx.unary(ctx.unary(view, "Abs"), "Floor")]);
}

const neg: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  const view = ctx.view(eqn.inputs[0]);
  return [wrap(ctx, ctx.unary(view, "Neg"), dtype)];
};

/** Rounding primitives leave whole numbers alone. */
const rounding =
  (op: string): Rule =>
  (ctx, eqn) => {
    const view = ctx.view(eqn.inputs[0]);
    return [isFloat(dtypeOf(eqn.inputs[0])) ? ctx.unary(view, op) : view];
  };

/** erfc(x) to about 1e-7 of itself, also where 1 − erf(x) would cancel (Chebyshev fit of Numerical Recipes, §6.2). */
const ERFC = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
  0.17087277,
];
const erfc: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.inputs[0]);
  const x = ctx.view(eqn.inputs[0]);
  const number = (value: number) => ctx.scalar(dtype, value);
  const z = ctx.unary(x, "Abs");
  const t = ctx.elementwise("Div", [
    number(1),
    ctx.elementwise("Add", [number(1), ctx.elementwise("Mul", [number(0.5), z])]),
  ]);
  let sum = number(ERFC[9]);
  for (let i = 8; i >= 0; i--) sum = ctx.elementwise("Add", [number(ERFC[i]), ctx.elementwise("Mul", [t, sum])]);
  const exponent = ctx.elementwise("Sub", [sum, ctx.elementwise("Mul", [z, z])]);
  const right = ctx.elementwise("Mul", [t, ctx.unary(exponent, "Exp")]);
  const left = ctx.elementwise("Sub", [number(2), right]);
  return [ctx.elementwise("Where", [ctx.elementwise("Less", [x, number(0)]), left, right])];
};

/** Comparisons, by operator and whether the answer is turned round. */
const COMPARISONS: Record<string, [string, boolean]> = {
  less: ["Less", false],
  less_equal: ["LessOrEqual", false],
  equal: ["Equal", false],
  not_equal: ["Equal", true],
};

const compare: Rule = (ctx, eqn) => {
  const [op, negate] = COMPARISONS[eqn.params.op as string];
  const [a, b] = eqn.inputs;
  let dtype = promote(a, b);
  if (dtype === "bool" && op !== "Equal") dtype = "int32" as DType;
  const result = ctx.elementwise(op, [ctx.viewAs(a, dtype), ctx.viewAs(b, dtype)]);
  return [negate ? ctx.unary(result, "Not") : result];
};

const where: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  const [condition, a, b] = eqn.inputs;
  const views = [a, b].map((atom) => ctx.viewAs(atom, dtype));
  const choice = ctx.elementwise("Where", [ctx.view(condition), ...views]);
  return [choice];
};

const cast: Rule = (ctx, eqn) => [ctx.viewAs(eqn.inputs[0], eqn.params.dtype as DType)];

const identity: Rule = (ctx, eqn) => [ctx.view(eqn.inputs[0])];

export const elementwiseRules: Record<string, Rule> = {
  add: binary("Add", "Or"),
  mul,
  idiv: divide("Div"),
  mod: divide("Mod"),
  min: extreme("Min", "And"),
  max,
  neg,
  reciprocal: unary("Reciprocal"),
  floor: rounding("Floor"),
  ceil: rounding("Ceil"),
  stop_gradient: identity,
  cast,
  sin: unary("Sin"),
  cos: unary("Cos"),
  asin: unary("Asin"),
  atan: unary("Atan"),
  exp: unary("Exp"),
  log: unary("Log"),
  erf: unary("Erf"),
  erfc,
  sqrt: unary("Sqrt"),
  compare,
  where,
};
