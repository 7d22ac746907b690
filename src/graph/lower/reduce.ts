/** Reductions: sum, product, minimum, maximum over any axes; over windows they become pooling. */
import type { DType } from "@jax-js/jax";
import { dtypeOf } from "../jaxpr.js";
import { sizeOf, type View } from "../views.js";
import type { Lowering, Rule } from "./lowering.js";
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
  if (dtype === "uint32" && (op === "Add" || op === "Mul")) {
    result = ctx.elementwise("BitwiseAnd", [result, ctx.scalar(dtype, 0xffffffff)]);
  }
  return result;
}

export const reduceRules: Record<string, Rule> = { reduce };
