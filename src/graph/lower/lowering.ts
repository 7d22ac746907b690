/**
 * The state of one lowering: which view each variable of the jaxpr has become, and the few ways in which rules turn
 * views into nodes. A rule gets an equation and returns one view per output.
 */
import type { DType } from "@jax-js/jax";
import { StateError } from "../../errors.js";
import { float16Bits } from "../../float16.js";
import { type Atom, dtypeOf, type Eqn, isVar, type Var } from "../jaxpr.js";
import { type Attribute, type OnnxBuilder, type OnnxType, onnxTypeCode } from "../onnx.js";
import { alignView, identityView, layoutOf, type Operand, sizeOf, type View } from "../views.js";

/** Windows that have been asked for but not laid out: a reduction over them becomes one pooling operator. */
export interface PendingPool {
  input: View;
  window: readonly number[];
  strides: readonly number[];
  /** What `input` was before it was padded with zeros: pooling operators can pad by themselves. */
  bare?: { input: View; widths: readonly (readonly [number, number])[]; nonNegative: boolean };
}

export type Rule = (ctx: Lowering, eqn: Eqn) => View[];

/** How jax-js's element types are carried in the graph. */
export function carriedType(dtype: DType): OnnxType {
  return dtype === "uint32" ? "int64" : (dtype as OnnxType);
}

const PROMOTION: readonly string[] = ["bool", "uint32", "int32", "float16", "float32", "float64"];

/** jax-js's type promotion of two operands (weakly typed ones give way). */
export function promote(a: Atom, b: Atom): DType {
  const rank = (dtype: DType) => PROMOTION.indexOf(dtype);
  const join = (x: DType, y: DType) => (rank(x) >= rank(y) ? x : y);
  if (a.aval.weakType === b.aval.weakType) return join(dtypeOf(a), dtypeOf(b));
  return join(dtypeOf(a.aval.weakType ? b : a), "uint32" as DType);
}

export class Lowering {
  /** Reads of each variable; a pattern that swallows a value must be its only reader. */
  readonly reads: Map<Var, number> = new Map();
  readonly definedBy: Map<Var, Eqn> = new Map();
  private readonly env = new Map<Var, View>();
  private readonly pools = new Map<Var, PendingPool>();

  constructor(
    readonly builder: OnnxBuilder,
    eqns: readonly Eqn[],
    outputs: readonly Atom[],
    private readonly layOutPool: (ctx: Lowering, pool: PendingPool) => View,
  ) {
    for (const eqn of eqns) for (const out of eqn.outs) this.definedBy.set(out, eqn);
    for (const atom of [...eqns.flatMap((eqn) => eqn.inputs), ...outputs]) {
      if (isVar(atom)) this.reads.set(atom, (this.reads.get(atom) ?? 0) + 1);
    }
  }

  bind(variable: Var, view: View): void {
    this.env.set(variable, view);
  }

  bindPool(variable: Var, pool: PendingPool): void {
    this.pools.set(variable, pool);
  }

  /** The windows behind a variable, where nothing has needed them laid out. */
  pool(atom: Atom): PendingPool | undefined {
    return isVar(atom) ? this.pools.get(atom) : undefined;
  }

  /** The view of a variable or literal. */
  view(atom: Atom): View {
    if (!isVar(atom)) return this.scalar(dtypeOf(atom), atom.value);
    const known = this.env.get(atom);
    if (known) return known;
    const pool = this.pools.get(atom);
    if (!pool) throw new StateError(`graph: ${atom} is read before it is made`);
    const view = this.layOutPool(this, pool);
    this.env.set(atom, view);
    return view;
  }

  /** The view of an atom, cast where its type is not `dtype`. */
  viewAs(atom: Atom, dtype: DType): View {
    if (!isVar(atom)) return this.scalar(dtype, atom.value);
    const view = this.view(atom);
    return dtypeOf(atom) === dtype ? view : this.cast(view, dtypeOf(atom), dtype);
  }

  /** The value of a literal, or undefined for a variable. */
  literal(atom: Atom): number | undefined {
    return isVar(atom) ? undefined : atom.value;
  }

  /** A stored scalar. */
  scalar(dtype: DType, value: number): View {
    // jax-js keeps literals as float32, so that the largest uint32 arrives as 2³².
    const kept = dtype === "uint32" ? Math.min(value, 0xffffffff) : value;
    return identityView({ name: this.scalarName(carriedType(dtype), kept), shape: [] });
  }

  scalarName(type: OnnxType, value: number): string {
    return this.builder.constant(type, [], scalarData(type, value), "lit");
  }

  /** jax-js's cast: to integers it truncates, saturates and makes 0 of NaN; to bool it asks for ≠ 0. */
  cast(view: View, from: DType, to: DType): View {
    if (from === to) return view;
    const target = carriedType(to);
    if (from.startsWith("float") && (to === "int32" || to === "uint32")) return this.toWhole(view, from, to);
    if (from === "uint32" && to === "int32") {
      // Sign extension: runtimes join chains of Casts, and then saturate what should wrap around.
      const signed = this.binary("Sub", this.binary("BitwiseXor", view, 2 ** 31, "int64"), 2 ** 31, "int64");
      return this.unary(signed, "Cast", { to: onnxTypeCode("int32") });
    }
    const made = this.unary(view, "Cast", { to: onnxTypeCode(target) });
    return to === "uint32" && from === "int32" ? this.binary("BitwiseAnd", made, 0xffffffff, "int64") : made;
  }

  /** Saturating: a Cast of what does not fit is undefined. The bounds are powers of two, exact in every precision. */
  private toWhole(view: View, from: DType, to: DType): View {
    const [low, end] = to === ("int32" as DType) ? [-(2 ** 31), 2 ** 31] : [0, 2 ** 32];
    const above = this.elementwise("GreaterOrEqual", [view, this.scalar(from, end)]);
    // Neither is true of NaN, which becomes 0.
    const inside = this.elementwise("And", [
      this.elementwise("GreaterOrEqual", [view, this.scalar(from, low)]),
      this.elementwise("Less", [view, this.scalar(from, end)]),
    ]);
    const safe = this.elementwise("Where", [inside, view, this.scalar(from, 0)]);
    const whole = this.unary(safe, "Cast", { to: onnxTypeCode(carriedType(to)) });
    const bounded = this.elementwise("Where", [above, this.scalar(to, end - 1), whole]);
    if (low === 0) return bounded;
    const below = this.elementwise("Less", [view, this.scalar(from, low)]);
    return this.elementwise("Where", [below, this.scalar(to, low), bounded]);
  }

  /** One elementwise node on a view's source; the view stays symbolic. */
  unary(view: View, op: string, attributes: Record<string, Attribute> = {}): View {
    const name = this.builder.node(op, [view.source.name], attributes);
    return { ...view, source: { name, shape: view.source.shape } };
  }

  private binary(op: string, a: View, value: number, type: OnnxType): View {
    const other = this.scalarName(type, value);
    const name = this.builder.node(op, [a.source.name, other]);
    return { ...a, source: { name, shape: a.source.shape } };
  }

  /**
   * One elementwise node over several views, which broadcast as NumPy's arrays do. The largest operand keeps its
   * layout, the others are laid out to fit, and an axis along which all of them repeat is not computed at all.
   */
  elementwise(op: string, views: readonly View[], attributes: Record<string, Attribute> = {}): View {
    const shape = broadcastShapes(views.map((v) => v.shape));
    const aligned = views.map((v) => alignView(v, shape));
    const leader = aligned.reduce((a, b) => (sizeOf(b.source.shape) > sizeOf(a.source.shape) ? b : a));
    const order = layoutOrder(leader, aligned);
    const inputs = aligned.map((view) => this.inOrder(view, order));
    const source: Operand = {
      name: this.builder.node(op, inputs, attributes),
      shape: order.map((axis) => shape[axis]),
    };
    const axes = shape.map((_, axis) => (order.includes(axis) ? order.indexOf(axis) : null));
    return { source, shape, axes };
  }

  /** The view's data with axes in logical order; repeated axes have length 1 unless `expand`. */
  materialise(view: View, expand = false): Operand {
    const { squeeze, transpose, unsqueeze } = layoutOf(view);
    let name = view.source.name;
    if (squeeze.length) name = this.builder.node("Squeeze", [name, this.builder.ints(squeeze)]);
    if (transpose) name = this.builder.node("Transpose", [name], { perm: transpose });
    if (unsqueeze.length) name = this.builder.node("Unsqueeze", [name, this.builder.ints(unsqueeze)]);
    const repeated = (i: number) => view.shape[i] !== 1 && view.axes[i] === null;
    const physical = view.shape.map((size, i) => (repeated(i) ? 1 : size));
    if (!expand || !view.shape.some((_, i) => repeated(i))) return { name, shape: physical };
    const empty = view.shape.flatMap((size, i) => (size === 0 && view.axes[i] === null ? [i] : []));
    if (empty.length) {
      // Repeated zero times; Expand would leave the axis at length 1.
      const none = this.builder.ints(empty.map(() => 0));
      name = this.builder.node("Slice", [name, none, none, this.builder.ints(empty)]);
    }
    return { name: this.builder.node("Expand", [name, this.builder.ints(view.shape)]), shape: view.shape };
  }

  /** The data in full, row-major in the logical shape. */
  full(atom: Atom): Operand {
    return this.materialise(this.view(atom), true);
  }

  /** The source laid out along the given logical axes, without leading axes of length 1. */
  private inOrder(view: View, order: readonly number[]): string {
    const first = order.findIndex((axis) => view.axes[axis] !== null);
    const kept = first < 0 ? [] : order.slice(first);
    const partial: View = {
      source: view.source,
      shape: kept.map((axis) => view.shape[axis]),
      axes: kept.map((axis) => view.axes[axis]),
    };
    return this.materialise(partial).name;
  }
}

/** Logical axes in the order in which an elementwise result is stored. */
function layoutOrder(leader: View, views: readonly View[]): number[] {
  const rank = leader.shape.length;
  const stored = Array.from({ length: rank }, (_, axis) => axis).filter((axis) =>
    views.some((v) => v.axes[axis] !== null),
  );
  const own = stored.filter((axis) => leader.axes[axis] !== null);
  const bySource = [...own].sort((a, b) => leader.axes[a]! - leader.axes[b]!);
  if (bySource.every((axis, i) => axis === own[i])) return stored;
  return [...stored.filter((axis) => leader.axes[axis] === null), ...bySource];
}

export function broadcastShapes(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    let size = 1;
    for (const shape of shapes) {
      const d = shape[i - (rank - shape.length)];
      if (d !== undefined && d !== 1) size = d;
    }
    return size;
  });
}

function scalarData(type: OnnxType, value: number) {
  switch (type) {
    case "float32":
      return Float32Array.of(value);
    case "float64":
      return Float64Array.of(value);
    case "float16":
      return Uint16Array.of(float16Bits(value));
    case "int64":
      return BigInt64Array.of(BigInt(Math.trunc(value)));
    case "int32":
      return Int32Array.of(value);
    case "uint32":
      return Uint32Array.of(value);
    default:
      return Uint8Array.of(Number(value));
  }
}
