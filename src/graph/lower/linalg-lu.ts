/**
 * LU factors with partial pivoting, a column a step: what is left of the matrix gives up the row with the largest
 * entry in that column and is eliminated by it. Rows are found by ArgMax and moved by comparisons with their numbers,
 * so that nothing but numbers depends on the data.
 */
import type { DType } from "@jax-js/jax";
import { UnsupportedError } from "../../errors.js";
import { dtypeOf } from "../jaxpr.js";
import { onnxTypeCode } from "../onnx.js";
import { identityView, type View } from "../views.js";
import type { Lowering, Rule } from "./lowering.js";
import { block, checkSize } from "./matrix.js";
import { concatViews } from "./movement.js";
import { reduceView } from "./reduce.js";

const FLOAT32 = "float32" as DType;

/** The numbers as a column of a matrix. */
function columnOf(ctx: Lowering, numbers: readonly number[]): View {
  const name = ctx.builder.constant("float32", [numbers.length, 1], Float32Array.from(numbers), "rows");
  return identityView({ name, shape: [numbers.length, 1] });
}

/** Number of the column's largest entry, as [.., 1, 1] int64. As in jax-js, NaN wins in the first row and nowhere else. */
function largestRow(ctx: Lowering, column: View, dtype: DType): View {
  const size = ctx.unary(column, "Abs");
  const forNaN = Array.from({ length: column.shape[column.shape.length - 2] }, (_, row) =>
    row === 0 ? Number.POSITIVE_INFINITY : -1,
  );
  const ranks = ctx.cast(columnOf(ctx, forNaN), FLOAT32, dtype);
  const ranked = ctx.materialise(ctx.elementwise("Where", [ctx.unary(size, "IsNaN"), ranks, size]), true);
  const axis = ranked.shape.length - 2;
  const name = ctx.builder.node("ArgMax", [ranked.name], { axis, keepdims: 1 });
  return identityView({ name, shape: [...ranked.shape.slice(0, -2), 1, 1] });
}

/** The row where `here` is true, as [.., 1, n]. Chosen, not multiplied: infinite entries of other rows do not matter. */
function takeRow(ctx: Lowering, here: View, rows: View, dtype: DType): View {
  const alone = ctx.elementwise("Where", [here, rows, ctx.scalar(dtype, 0)]);
  const axis = alone.shape.length - 2;
  const row = reduceView(ctx, alone, [axis], "Add", dtype);
  const insert = <T>(list: readonly T[], value: T): T[] => [...list.slice(0, axis), value, ...list.slice(axis)];
  return { source: row.source, shape: insert(row.shape, 1), axes: insert(row.axes, null) };
}

/** The rows without that where `here` is true, whose place the first one takes. */
function dropRow(ctx: Lowering, here: View, rows: View): View {
  const [m, n] = rows.shape.slice(-2);
  const moved = ctx.elementwise("Where", [here, block(ctx, rows, [0, 1], [0, n]), rows]);
  return block(ctx, moved, [1, m], [0, n]);
}

/** Column j of `below` becomes factors of the pivot's row, which is taken off what lies right of it. */
function eliminate(ctx: Lowering, below: View, pivot: View, j: number, dtype: DType): View {
  const [m, n] = below.shape.slice(-2);
  const diagonal = block(ctx, pivot, [0, 1], [j, j + 1]);
  // A column of zeros stays one.
  const isZero = ctx.elementwise("Equal", [diagonal, ctx.scalar(dtype, 0)]);
  const divisor = ctx.elementwise("Where", [isZero, ctx.scalar(dtype, 1), diagonal]);
  const factor = ctx.elementwise("Div", [block(ctx, below, [0, m], [j, j + 1]), divisor]);
  const parts = j > 0 ? [block(ctx, below, [0, m], [0, j]), factor] : [factor];
  if (j + 1 < n) {
    const product = ctx.elementwise("Mul", [factor, block(ctx, pivot, [0, 1], [j + 1, n])]);
    parts.push(ctx.elementwise("Sub", [block(ctx, below, [0, m], [j + 1, n]), product]));
  }
  return concatViews(ctx, parts, below.shape.length - 1);
}

/** A view of whole numbers, kept as `from`, as int32. */
const toInt32 = (ctx: Lowering, view: View): View => ctx.unary(view, "Cast", { to: onnxTypeCode("int32") });

/** Without the last axis, which has length 1. */
const squeezeLast = (view: View): View => ({
  source: view.source,
  shape: view.shape.slice(0, -1),
  axes: view.axes.slice(0, -1),
});

/** Both factors in one matrix (the lower one's diagonal of ones is not kept), the row swaps, and the permutation they make. */
export const lu: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  if (!dtype.startsWith("float"))
    throw new UnsupportedError(`lu takes floating-point matrices, got ${dtype}; cast them`);
  let rest = ctx.viewAs(eqn.inputs[0], dtype);
  const [m, n] = rest.shape.slice(-2);
  const steps = Math.min(m, n);
  checkSize("lu", steps);
  // Carried as float32, which holds row numbers exactly: runtimes have few kernels for whole numbers.
  let order = columnOf(
    ctx,
    Array.from({ length: m }, (_, row) => row),
  );
  if (steps === 0) return nothingToFactor(ctx, rest, order);
  const axis = rest.shape.length - 2;
  const [rows, pivots, permutation]: View[][] = [[], [], []];
  for (let j = 0; j < steps; j++) {
    const left = m - j;
    const at = largestRow(ctx, block(ctx, rest, [0, left], [j, j + 1]), dtype);
    const numbers = BigInt64Array.from({ length: left }, (_, row) => BigInt(row));
    const own = identityView({ name: ctx.builder.constant("int64", [left, 1], numbers, "rows"), shape: [left, 1] });
    const here = ctx.elementwise("Equal", [at, own]);
    const first = identityView({
      name: ctx.builder.constant("int64", [], BigInt64Array.of(BigInt(j)), "row"),
      shape: [],
    });
    pivots.push(ctx.elementwise("Add", [at, first]));
    const pivot = takeRow(ctx, here, rest, dtype);
    rows.push(pivot);
    permutation.push(takeRow(ctx, here, order, FLOAT32));
    if (left === 1) break;
    rest = eliminate(ctx, dropRow(ctx, here, rest), pivot, j, dtype);
    order = dropRow(ctx, here, order);
  }
  if (m > steps) {
    rows.push(rest);
    permutation.push(order);
  }
  return [
    concatViews(ctx, rows, axis),
    squeezeLast(toInt32(ctx, concatViews(ctx, pivots, axis))),
    squeezeLast(toInt32(ctx, concatViews(ctx, permutation, axis))),
  ];
};

/** A matrix without rows or columns is its own factors; its rows stay where they are. */
function nothingToFactor(ctx: Lowering, matrix: View, order: View): View[] {
  const batch = matrix.shape.slice(0, -2);
  const none = ctx.builder.constant("int32", [0], new Int32Array(0), "none");
  const spread = (view: View): View => ({
    source: view.source,
    shape: [...batch, view.shape[0]],
    axes: [...batch.map(() => null), 0],
  });
  return [matrix, spread(identityView({ name: none, shape: [0] })), spread(squeezeLast(toInt32(ctx, order)))];
}
