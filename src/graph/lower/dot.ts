/** `dot`: sum(x·y) over the last axis, batched over the others by broadcasting, as one MatMul. */
import type { DType } from "@jax-js/jax";
import { dtypeOf, outShapeOf } from "../jaxpr.js";
import { alignView, sizeOf, type View } from "../views.js";
import { broadcastShapes, carriedType, type Lowering, type Rule } from "./lowering.js";
import { reshapeTo } from "./movement.js";
import { reduceView } from "./reduce.js";

const dot: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  const [x, y] = eqn.inputs.map((atom) => ctx.viewAs(atom, dtype));
  return [dotViews(ctx, x, y, outShapeOf(eqn), dtype)];
};

/** sum over the last axis of x·y, whose other axes broadcast; `shape` is the result's. */
export function dotViews(ctx: Lowering, x: View, y: View, shape: readonly number[], dtype: DType): View {
  const joint = broadcastShapes([x.shape, y.shape]);
  const [a, b] = [alignView(x, joint), alignView(y, joint)];
  const last = joint.length - 1;
  if (sizeOf(joint) === 0) {
    // A sum over nothing, or no sums at all; ONNX Runtime's WebGPU crashes over empty matrices.
    return { source: ctx.scalar(dtype, 0).source, shape, axes: shape.map(() => null) };
  }
  const real = (view: View, axis: number) => view.axes[axis] !== null && joint[axis] !== 1;
  if (!real(a, last) || !real(b, last) || dtype === "bool") {
    // Nothing to contract against: sum what there is and multiply, which also counts a repeated axis.
    const [ra, rb] = [a, b].map((view) =>
      real(view, last) ? reduceView(ctx, view, [last], "Add", dtype) : drop(view),
    );
    const product = ctx.elementwise("Mul", [ra, rb]);
    if (real(a, last) || real(b, last)) return product;
    return ctx.elementwise("Mul", [product, ctx.scalar(dtype, joint[last])]);
  }
  const leading = shape.map((_, i) => i);
  const batch = leading.filter((i) => real(a, i) && real(b, i));
  const left = leading.filter((i) => real(a, i) && !real(b, i));
  const right = leading.filter((i) => !real(a, i) && real(b, i));
  const product = matmul(ctx, a, b, { batch, left, right, last, joint }, dtype);
  // Axes of the product: batch, then left, then right; everything else is of length 1 or repeated.
  const order = [...batch, ...left, ...right];
  return {
    source: product,
    shape,
    axes: shape.map((_, i) => (order.includes(i) ? order.indexOf(i) : null)),
  };
}

interface Roles {
  batch: number[];
  left: number[];
  right: number[];
  last: number;
  joint: readonly number[];
}

function matmul(ctx: Lowering, a: View, b: View, { batch, left, right, last, joint }: Roles, dtype: DType) {
  const pick = (view: View, axes: readonly number[]): View => ({
    source: view.source,
    shape: axes.map((i) => joint[i]),
    axes: axes.map((i) => view.axes[i]),
  });
  const sizes = (axes: readonly number[]) => axes.map((i) => joint[i]);
  const lengths = { l: sizeOf(sizes(left)), r: sizeOf(sizes(right)), k: joint[last] };
  let lhs = ctx.materialise(pick(a, [...batch, ...left, last])).name;
  // The right side is [batch, K, right]; stored as [batch, right, K] it needs a transpose, which runtimes fuse.
  const rightFirst = right.length === 1 ? [...batch, last, ...right] : [...batch, ...right, last];
  let rhs = ctx.materialise(pick(b, rightFirst)).name;
  // MatMul takes any number of rows' axes by a single matrix: sizes need not be known to be put together.
  const stacked = batch.length === 0 && left.length > 1 && right.length === 1;
  if (left.length !== 1 && !stacked) lhs = reshapeTo(ctx, lhs, [...sizes(batch), lengths.l, lengths.k]).source.name;
  if (right.length !== 1) {
    rhs = reshapeTo(ctx, rhs, [...sizes(batch), lengths.r, lengths.k]).source.name;
    const n = batch.length;
    rhs = ctx.builder.node("Transpose", [rhs], { perm: [...batch.map((_, i) => i), n + 1, n] });
  }
  const product = matmulNode(ctx, lhs, rhs, dtype);
  const stored = [...sizes(batch), ...sizes(left), ...sizes(right)];
  if (stacked || (left.length === 1 && right.length === 1)) return { name: product, shape: stored };
  return reshapeTo(ctx, product, stored).source;
}

/** MatMul has no kernel for int64 sums that must wrap; integers go through it as they are, which is exact. */
function matmulNode(ctx: Lowering, lhs: string, rhs: string, dtype: DType): string {
  const product = ctx.builder.node("MatMul", [lhs, rhs]);
  if (carriedType(dtype) !== "int64") return product;
  return ctx.builder.node("BitwiseAnd", [product, ctx.scalarName("int64", 0xffffffff)]);
}

/** The view without its last axis, which is repeated or of length 1. */
function drop(view: View): View {
  return { source: view.source, shape: view.shape.slice(0, -1), axes: view.axes.slice(0, -1) };
}

export const dotRules: Record<string, Rule> = { dot };
