/**
 * Small linear algebra: Fourier transforms by ONNX's DFT or a matrix; triangular systems and Cholesky factors written out row by
 * row, for ONNX has no operator for them. What is written out is limited in size: its nodes grow with the matrix.
 * LU factors and eigenvectors have files of their own.
 */
import type { DType } from "@jax-js/jax";
import { dtypeOf, outShapeOf } from "../jaxpr.js";
import { identityView, type View } from "../views.js";
import { jacobiEigh } from "./linalg-eigh.js";
import { lu } from "./linalg-lu.js";
import type { Lowering, Rule } from "./lowering.js";
import { block, checkSize, swapLast } from "./matrix.js";
import { concatViews, padView, sliceView } from "./movement.js";
import { reduceView } from "./reduce.js";

/** Longest transform that is a product with the matrix of all roots of unity. */
const MAX_DFT_MATRIX = 512;

/**
 * Complex Fourier transform of the last axis; the inverse is divided by its length. Short ones are one product of
 * [re | im] with a matrix: DFT is 1e-5 off for lengths that are no power of two, and 1e-4 on WebGPU.
 */
const fft: Rule = (ctx, eqn) => {
  const shape = outShapeOf(eqn);
  const dtype = dtypeOf(eqn.outs[0]);
  const [re, im] = eqn.inputs.map((atom) => ctx.viewAs(atom, dtype));
  const n = shape[shape.length - 1];
  const inverse = Boolean(eqn.params.inverse);
  const byMatrix = n <= MAX_DFT_MATRIX && dtype === "float32";
  return byMatrix ? fftByMatrix(ctx, re, im, inverse) : fftByOperator(ctx, re, im, inverse);
};

function fftByMatrix(ctx: Lowering, re: View, im: View, inverse: boolean): View[] {
  const last = re.shape.length - 1;
  const n = re.shape[last];
  const matrix = new Float32Array(4 * n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const angle = ((inverse ? 2 : -2) * Math.PI * ((i * k) % n)) / n;
      const [c, s] = [Math.cos(angle), Math.sin(angle)].map((v) => (inverse ? v / n : v));
      const [fromRe, fromIm] = [2 * n * i + k, 2 * n * (n + i) + k];
      matrix[fromRe] = matrix[fromIm + n] = c;
      matrix[fromRe + n] = s;
      matrix[fromIm] = -s;
    }
  }
  const both = concatViews(ctx, [re, im], last);
  const roots = ctx.builder.constant("float32", [2 * n, 2 * n], matrix, "roots");
  const whole = identityView({ name: ctx.builder.node("MatMul", [both.source.name, roots]), shape: both.shape });
  return [0, n].map((start) => cutLast(ctx, whole, start, start + n));
}

function fftByOperator(ctx: Lowering, re: View, im: View, inverse: boolean): View[] {
  const rank = re.shape.length;
  const apart = (view: View): View => ({ source: view.source, shape: [...view.shape, 1], axes: [...view.axes, null] });
  // DFT wants a batch axis: [batch…, n, real and imaginary].
  const pairs = concatViews(ctx, [apart(re), apart(im)], rank).source.name;
  const batched = rank > 1 ? pairs : ctx.builder.node("Unsqueeze", [pairs, ctx.builder.ints([0])]);
  const axis = ctx.builder.constant("int64", [], BigInt64Array.of(BigInt(Math.max(rank - 1, 1))), "axis");
  const made = ctx.builder.node("DFT", [batched, "", axis], { inverse: inverse ? 1 : 0 });
  const name = rank > 1 ? made : ctx.builder.node("Squeeze", [made, ctx.builder.ints([0])]);
  const whole = identityView({ name, shape: [...re.shape, 2] });
  return [0, 1].map((part): View => {
    const half = cutLast(ctx, whole, part, part + 1);
    return { source: half.source, shape: re.shape, axes: half.axes.slice(0, -1) };
  });
}

/** The part [start, end) of the last axis. */
function cutLast(ctx: Lowering, view: View, start: number, end: number): View {
  const leading = view.shape.slice(0, -1).map((size): [number, number] => [0, size]);
  return sliceView(ctx, view, [...leading, [start, end]]);
}

/** X with A·Xᵀ = Bᵀ for an upper triangular A, from the last unknown to the first. */
const triangularSolve: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  const [a, b] = eqn.inputs.map((atom) => ctx.viewAs(atom, dtype));
  const [m, n] = b.shape.slice(-2);
  const last = b.shape.length - 1;
  checkSize("triangular_solve", n);
  let known: View | null = null;
  for (let j = n - 1; j >= 0; j--) {
    let column = block(ctx, b, [0, m], [j, j + 1]);
    if (known) {
      const row = block(ctx, a, [j, j + 1], [j + 1, n]);
      const sum = reduceView(ctx, ctx.elementwise("Mul", [known, row]), [last], "Add", dtype);
      const kept: View = { source: sum.source, shape: [...sum.shape, 1], axes: [...sum.axes, null] };
      column = ctx.elementwise("Sub", [column, kept]);
    }
    if (!eqn.params.unitDiagonal) column = ctx.elementwise("Div", [column, block(ctx, a, [j, j + 1], [j, j + 1])]);
    known = known ? concatViews(ctx, [column, known], last) : column;
  }
  return [known ?? b];
};

/** The lower L with L·Lᵀ = A, column by column; what is left of A shrinks by one row and column a step. */
const cholesky: Rule = (ctx, eqn) => {
  const dtype: DType = dtypeOf(eqn.outs[0]);
  let rest = ctx.viewAs(eqn.inputs[0], dtype);
  const n = rest.shape[rest.shape.length - 1];
  checkSize("cholesky", n);
  const none = rest.shape.slice(0, -2).map((): [number, number] => [0, 0]);
  const columns: View[] = [];
  for (let j = 0; j < n; j++) {
    const size = n - j;
    const root = ctx.unary(block(ctx, rest, [0, 1], [0, 1]), "Sqrt");
    const column = ctx.elementwise("Div", [block(ctx, rest, [0, size], [0, 1]), root]);
    columns.push(padView(ctx, column, [...none, [j, 0], [0, 0]], dtype));
    if (size === 1) break;
    const below = block(ctx, column, [1, size], [0, 1]);
    const product = ctx.elementwise("Mul", [below, swapLast(below)]);
    rest = ctx.elementwise("Sub", [block(ctx, rest, [1, size], [1, size]), product]);
  }
  return [columns.length ? concatViews(ctx, columns, rest.shape.length - 1) : rest];
};

export const linalgRules: Record<string, Rule> = {
  fft,
  triangular_solve: triangularSolve,
  cholesky,
  lu,
  jacobi_eigh: jacobiEigh,
};
