/** Reductions: sum, product, minimum, maximum over any axes; over windows they become pooling. */
import type { DType } from "@jax-js/jax";
import { dtypeOf } from "../jaxpr.js";
import { onnxTypeCode } from "../onnx.js";
import { sizeOf, type View } from "../views.js";
import { wrap } from "./elementwise.js";
import type { Lowering, Rule } from "./lowering.js";
import { concatViews, sliceView } from "./movement.js";
import { reducePool } from "./pool.js";

const OPERATORS: Record<string, string> = { Add: "ReduceSum", Mul: "ReduceProd", Min: "ReduceMin", Max: "ReduceMax" };

const reduce: Rule = (ctx, eqn) => {
  const [x] = eqn.inputs;
  const axis = eqn.params.axis as number[];
  const op = eqn.params.op as string;
  const pool = ctx.pool(x);
  if (pool) {
    const pooled = reducePool(ctx, pool, axis, op, dtypeOf(x));
    if (pooled) return [pooled];
  }
  return [reduceView(ctx, ctx.view(x), axis, op, dtypeOf(x))];
};

/** Reduces logical axes of a view without laying it out; repeated axes are counted, not added up. */
export function reduceView(ctx: Lowering, view: View, axis: readonly number[], op: string, dtype: DType): View {
  if (dtype === "bool") {
    const int32 = "int32" as DType;
    return ctx.cast(reduceView(ctx, ctx.cast(view, dtype, int32), axis, op, int32), int32, dtype);
  }
  if (dtype === "uint32" && (op === "Min" || op === "Max")) return reduceUnsigned(ctx, view, axis, op);
  if (op === "Mul" && !dtype.startsWith("float")) return multiplyWhole(ctx, view, axis, dtype);
  const reduced = new Set(axis);
  const sources = axis.map((i) => view.axes[i]).filter((a): a is number => a !== null);
  const repeats = sizeOf(axis.filter((i) => view.axes[i] === null).map((i) => view.shape[i]));
  const keptSources = view.source.shape.map((_, a) => a).filter((a) => !sources.includes(a));
  const kept = view.shape.map((_, i) => i).filter((i) => !reduced.has(i));
  const { builder } = ctx;
  let name = view.source.name;
  if (sources.length) {
    name = builder.node(OPERATORS[op], [name, builder.ints([...sources].sort((a, b) => a - b))], { keepdims: 0 });
  }
  let result: View = {
    source: { name, shape: keptSources.map((a) => view.source.shape[a]) },
    shape: kept.map((i) => view.shape[i]),
    axes: kept.map((i) => (view.axes[i] === null ? null : keptSources.indexOf(view.axes[i] as number))),
  };
  if (repeats !== 1 && op === "Add") result = ctx.elementwise("Mul", [result, ctx.scalar(dtype, repeats)]);
  if (repeats !== 1 && op === "Mul") result = ctx.elementwise("Pow", [result, ctx.scalar(dtype, repeats)]);
  if (dtype === "uint32" && op === "Add") {
    result = ctx.elementwise("BitwiseAnd", [result, ctx.scalar(dtype, 0xffffffff)]);
  }
  return result;
}

/** Minimum or maximum of uint32 as int32 moved by −2³¹: the order is the same, and runtimes compare 64 bits wrongly. */
function reduceUnsigned(ctx: Lowering, view: View, axis: readonly number[], op: string): View {
  const [uint32, int32] = ["uint32", "int32"] as DType[];
  const moved = ctx.unary(ctx.elementwise("Sub", [view, ctx.scalar(uint32, 2 ** 31)]), "Cast", {
    to: onnxTypeCode("int32"),
  });
  const found = ctx.unary(reduceView(ctx, moved, axis, op, int32), "Cast", { to: onnxTypeCode("int64") });
  return ctx.elementwise("Add", [found, ctx.scalar(uint32, 2 ** 31)]);
}

/** The product of whole numbers wraps around at every step, which ReduceProd does not: halves are multiplied instead. */
function multiplyWhole(ctx: Lowering, view: View, axis: readonly number[], dtype: DType): View {
  let product = view;
  for (const i of axis) {
    while (product.shape[i] > 1) {
      const half = product.shape[i] >> 1;
      const part = (from: number, to: number) =>
        sliceView(
          ctx,
          product,
          product.shape.map((size, k): [number, number] => (k === i ? [from, to] : [0, size])),
        );
      const multiply = (a: View, b: View) => wrap(ctx, ctx.elementwise("Mul", [a, b]), dtype);
      const pairs = multiply(part(0, half), part(half, 2 * half));
      // An odd one out waits for the next round.
      if (product.shape[i] % 2 === 0) product = pairs;
      else if (half === 1) product = multiply(pairs, part(2, 3));
      else product = concatViews(ctx, [pairs, part(2 * half, 2 * half + 1)], i);
    }
  }
  return sliceOff(product, axis);
}

/** The view without the given axes, all of length 1. */
function sliceOff(view: View, axis: readonly number[]): View {
  const kept = view.shape.map((_, i) => i).filter((i) => !axis.includes(i));
  return { source: view.source, shape: kept.map((i) => view.shape[i]), axes: kept.map((i) => view.axes[i]) };
}

export const reduceRules: Record<string, Rule> = { reduce };
