/**
 * Sorting along the last axis by TopK, which keeps the lower index first among equals. Where only the first or last k
 * of a sort are read (a shrink follows, see rewrite.ts), TopK makes only those.
 * Among the largest, jax-js puts NaN first; ONNX Runtime leaves its place open. Ascending sorts put it last in both.
 */
import type { DType } from "@jax-js/jax";
import { dtypeOf, type Eqn } from "../jaxpr.js";
import { onnxTypeCode } from "../onnx.js";
import { identityView, sizeOf, type View } from "../views.js";
import type { Lowering, Rule } from "./lowering.js";
import { flipView, sliceView } from "./movement.js";

/** The `k` smallest (ascending) of the last axis: values and int32 indices. */
function smallest(ctx: Lowering, view: View, k: number, largest: boolean): [View, View] {
  const { builder } = ctx;
  const stored = ctx.materialise(view, true);
  if (sizeOf(view.shape) === 0) {
    // ONNX Runtime's TopK divides by the number of rows: without any the process would end.
    const none = sliceView(
      ctx,
      identityView(stored),
      view.shape.map((size, i): [number, number] => [0, i === view.shape.length - 1 ? k : size]),
    );
    return [none, ctx.unary(none, "Cast", { to: onnxTypeCode("int32") })];
  }
  const attributes = { axis: stored.shape.length - 1, largest: largest ? 1 : 0, sorted: 1 };
  const [values, indices] = builder.nodeMany("TopK", [stored.name, builder.ints([k])], attributes, 2);
  const shape = [...stored.shape.slice(0, -1), k];
  const narrow = builder.node("Cast", [indices], { to: onnxTypeCode("int32") });
  return [identityView({ name: values, shape }), identityView({ name: narrow, shape })];
}

/** bool has no TopK: it is sorted as int32. */
function sortable(ctx: Lowering, eqn: Eqn): { view: View; back: (values: View) => View } {
  const dtype = dtypeOf(eqn.inputs[0]);
  const int32 = "int32" as DType;
  if (dtype !== "bool") return { view: ctx.view(eqn.inputs[0]), back: (values) => values };
  return { view: ctx.cast(ctx.view(eqn.inputs[0]), dtype, int32), back: (values) => ctx.cast(values, int32, dtype) };
}

const sort: Rule = (ctx, eqn) => {
  const { view, back } = sortable(ctx, eqn);
  return [back(smallest(ctx, view, view.shape[view.shape.length - 1], false)[0])];
};

/** argsort; `params.cut` (from rewrite.ts) says which end of the result is read. */
const argsort: Rule = (ctx, eqn) => {
  const { view, back } = sortable(ctx, eqn);
  const last = view.shape.length - 1;
  const n = view.shape[last];
  const cut = (eqn.params.cut as [number, number] | undefined) ?? [0, n];
  if (cut[0] === 0) {
    const [values, indices] = smallest(ctx, view, cut[1], false);
    return [back(values), indices];
  }
  // The last k in ascending order are the first k in descending order, reversed; reversing the input as well keeps
  // equal values in the order of a stable sort.
  const k = n - cut[0];
  const [values, indices] = smallest(ctx, flipView(ctx, view, [last]), k, true);
  const position = ctx.elementwise("Sub", [ctx.scalar("int32" as DType, n - 1), indices]);
  return [back(flipView(ctx, values, [last])), flipView(ctx, position, [last])];
};

export const sortRules: Record<string, Rule> = { sort, argsort };
