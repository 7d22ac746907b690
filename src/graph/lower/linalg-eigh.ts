/**
 * Eigenvectors of symmetric matrices by cyclic Jacobi rotations, as a Loop: its graph is the same for every size.
 *
 * jax-js rotates (p, q) row by row: (0,1), (0,2), … (1,2), …. A rotation depends on the earlier ones that share p or q,
 * and all of those have a smaller p + q; so the pairs with the same p + q, which share nothing, are one turn of the
 * Loop, and a sweep takes 2n − 3 turns instead of n(n − 1)/2. Order and signs of the eigenvectors are jax-js's.
 * (F. T. Luk, H. Park: "On parallel Jacobi orderings", 1989, has the equivalence.)
 */
import type { DType } from "@jax-js/jax";
import { dtypeOf, outShapeOf } from "../jaxpr.js";
import { type OnnxBuilder, onnxTypeCode } from "../onnx.js";
import { identityView, sizeOf, type View } from "../views.js";
import type { Lowering, Rule } from "./lowering.js";

/** How matrices are computed: half precision does not converge to jax-js's tolerance. */
type Computed = "float32" | "float64";

/** Short hands for nodes on matrices [.., n, n] that are laid out in full. */
class Matrices {
  constructor(
    readonly graph: OnnxBuilder,
    readonly type: Computed,
    readonly n: number,
    readonly rank: number,
  ) {}

  node(op: string, ...inputs: string[]): string {
    return this.graph.node(op, inputs);
  }

  number(value: number): string {
    const data = this.type === "float64" ? Float64Array.of(value) : Float32Array.of(value);
    return this.graph.constant(this.type, [], data, "lit");
  }

  int(value: number): string {
    return this.graph.constant("int64", [], BigInt64Array.of(BigInt(value)), "lit");
  }

  /** A constant matrix of entries (row, column). */
  table(entry: (i: number, j: number) => number): string {
    const values = this.entries(entry);
    const data = this.type === "float64" ? Float64Array.from(values) : Float32Array.from(values);
    return this.graph.constant(this.type, [this.n, this.n], data, "table");
  }

  mask(entry: (i: number, j: number) => boolean): string {
    const data = Uint8Array.from(this.entries((i, j) => Number(entry(i, j))));
    return this.graph.constant("bool", [this.n, this.n], data, "mask");
  }

  ints(entry: (i: number, j: number) => number): string {
    const data = BigInt64Array.from(this.entries(entry), (value) => BigInt(value));
    return this.graph.constant("int64", [this.n, this.n], data, "table");
  }

  private entries(entry: (i: number, j: number) => number): number[] {
    return Array.from({ length: this.n * this.n }, (_, k) => entry(Math.floor(k / this.n), k % this.n));
  }

  transposed(name: string): string {
    const leading = Array.from({ length: this.rank - 2 }, (_, i) => i);
    return this.graph.node("Transpose", [name], { perm: [...leading, this.rank - 1, this.rank - 2] });
  }

  /** Sums of the rows, [.., n, 1]. */
  rowSums(name: string): string {
    return this.graph.node("ReduceSum", [name, this.graph.ints([-1])], { keepdims: 1 });
  }

  /** A reduction of each matrix to [.., 1, 1]. */
  reduced(op: "ReduceMax" | "ReduceSum", name: string): string {
    return this.graph.node(op, [name, this.graph.ints([-2, -1])], { keepdims: 1 });
  }

  /** Largest absolute value off the diagonal, [.., 1, 1]. */
  offDiagonal(name: string): string {
    const isDiagonal = this.mask((i, j) => i === j);
    return this.reduced("ReduceMax", this.node("Where", isDiagonal, this.number(0), this.node("Abs", name)));
  }

  /** Whether any of the matrices is marked: what a Loop goes on by. */
  any(marks: string): string {
    const numbers = this.graph.node("Cast", [marks], { to: onnxTypeCode("float32") });
    const largest = this.graph.node("ReduceMax", [numbers], { keepdims: 0 });
    return this.graph.node("Cast", [largest], { to: onnxTypeCode("bool") });
  }
}

/** One turn: the rotations of all pairs with p + q = turn + 1 together, as one orthogonal matrix. */
function rotate(m: Matrices, turn: string, a: string, v: string): { a: string; v: string } {
  const one = m.number(1);
  const pairs = m.node(
    "Equal",
    m.ints((i, j) => i + j),
    m.node("Add", turn, m.int(1)),
  );
  // +1 at (p, q), −1 at (q, p), 0 elsewhere, the diagonal too.
  const signs = m.node(
    "Where",
    pairs,
    m.table((i, j) => Math.sign(j - i)),
    m.number(0),
  );
  const isPair = m.node("Abs", signs);
  const eye = m.table((i, j) => Number(i === j));
  // Rows p and q both get a[p,q] and a[q,q] − a[p,p].
  const apq = m.rowSums(m.node("Mul", a, isPair));
  const diagonal = m.rowSums(m.node("Mul", a, eye));
  const gap = m.node("Sub", m.node("MatMul", signs, diagonal), m.node("Mul", m.rowSums(signs), diagonal));
  const nothing = m.node("Equal", apq, m.number(0));
  const tau = m.node("Div", gap, m.node("Where", nothing, one, m.node("Mul", apq, m.number(2))));
  const side = m.node("Where", m.node("Less", tau, m.number(0)), m.number(-1), one);
  const hypotenuse = (x: string) => m.node("Sqrt", m.node("Add", m.node("Mul", x, x), one));
  const smaller = m.node("Div", side, m.node("Add", m.node("Abs", tau), hypotenuse(tau)));
  const t = m.node("Where", nothing, m.number(0), smaller);
  const c = m.node("Div", one, hypotenuse(t));
  const s = m.node("Mul", t, c);
  const turned = m.node("Add", m.node("Mul", eye, c), m.node("Mul", signs, s));
  const both = m.node("MatMul", m.transposed(turned), m.node("MatMul", a, turned));
  // Rounding must neither leave a[p,q] nor make the two halves differ.
  const keep = m.node("Sub", m.number(0.5), m.node("Mul", isPair, m.number(0.5)));
  return {
    a: m.node("Mul", m.node("Add", both, m.transposed(both)), keep),
    v: m.node("MatMul", v, turned),
  };
}

/** The Loop's body: turns until every matrix of the batch has had a sweep that left it diagonal. */
function turnBody(m: Matrices, turns: number): OnnxBuilder {
  const { graph, n, type } = m;
  const batch = Array.from({ length: m.rank - 2 }, (_, i) => `matrices${i}`);
  const port = (name: string, kind: "bool" | Computed, size: number) => graph.input(name, kind, [...batch, size, size]);
  const iteration = graph.input("iteration", "int64", []);
  graph.input("going", "bool", []);
  const [a, v, limit] = [port("a", type, n), port("v", type, n), port("limit", type, 1)];
  const active = port("active", "bool", 1);
  const turn = m.node("Mod", iteration, m.int(turns));
  const next = rotate(m, turn, a, v);
  // A matrix that is done stays as it is, whatever the others need.
  const nextA = m.node("Where", active, next.a, a);
  const nextV = m.node("Where", active, next.v, v);
  const inSweep = m.node("Less", turn, m.int(turns - 1));
  const far = m.node("Greater", m.offDiagonal(nextA), limit);
  const stays = m.node("And", active, m.node("Or", inSweep, far));
  graph.output("goes_on", m.any(stays), "bool", []);
  graph.output("a_out", nextA, type, [...batch, n, n]);
  graph.output("v_out", nextV, type, [...batch, n, n]);
  graph.output("limit_out", limit, type, [...batch, 1, 1]);
  graph.output("active_out", stays, "bool", [...batch, 1, 1]);
  return graph;
}

/** [lower triangle of what the rotations leave, eigenvectors as columns], neither sorted; only the lower triangle is read. */
export const jacobiEigh: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  const shape = outShapeOf(eqn);
  const computed: DType = dtype === "float16" ? ("float32" as DType) : dtype;
  const given = ctx.materialise(ctx.viewAs(eqn.inputs[0], computed), true).name;
  const n = shape[shape.length - 1];
  const outer = new Matrices(ctx.builder, computed as Computed, n, shape.length);
  const back = (name: string): View => ctx.cast(identityView({ name, shape }), computed, dtype);
  const lower = outer.mask((i, j) => j <= i);
  const eye = outer.node(
    "Expand",
    outer.table((i, j) => Number(i === j)),
    outer.node("Shape", given),
  );
  // One row needs no turn, and an empty batch has no largest value.
  if (n < 2 || sizeOf(shape) === 0) return [back(given), back(eye)];
  const symmetric = outer.node("Where", lower, given, outer.transposed(given));
  const [a, v] = diagonalise(ctx, outer, symmetric, eye, eqn.params as { maxSweeps: number; tolerance: number });
  return [back(outer.node("Where", lower, a, outer.number(0))), back(v)];
};

function diagonalise(
  ctx: Lowering,
  m: Matrices,
  a: string,
  v: string,
  { maxSweeps, tolerance }: { maxSweeps: number; tolerance: number },
): string[] {
  const turns = 2 * m.n - 3;
  const sizes = m.node("Abs", a);
  const scale = m.node("Max", m.reduced("ReduceMax", sizes), m.number(1));
  // NaN where an entry is NaN or infinite: nothing is above such a limit, and as in jax-js the matrix is left alone.
  const finite = m.reduced("ReduceSum", m.node("Mul", sizes, m.number(0)));
  const limit = m.node("Add", m.node("Mul", scale, m.number(tolerance)), finite);
  const active = m.node("Greater", m.offDiagonal(a), limit);
  const body = turnBody(new Matrices(ctx.builder.body(), m.type, m.n, m.rank), turns);
  const inputs = [m.int(maxSweeps * turns), m.any(active), a, v, limit, active];
  return ctx.builder.nodeMany("Loop", inputs, { body: { body } }, 4);
}
