/**
 * Windows. `pool` only records what is asked for; a reduction over the windows becomes MaxPool or AveragePool. Where
 * the windows themselves are needed (the gradient of a maximum compares each value with it) they are laid out by one
 * strided Slice per window position. `pool_transpose` adds windows up again: one ConvTranspose with a fixed kernel.
 */
import type { DType } from "@jax-js/jax";
import { type Atom, dtypeOf, type Eqn, isVar } from "../jaxpr.js";
import type { Attribute } from "../onnx.js";
import { identityView, sizeOf, type View } from "../views.js";
import type { Lowering, PendingPool, Rule } from "./lowering.js";
import { reshapeTo, sliceView } from "./movement.js";

/** Registers the windows; nothing is emitted. */
const pool: Rule = (ctx, eqn) => {
  const input = ctx.view(eqn.inputs[0]);
  const { window, strides } = eqn.params as { window: number[]; strides: number[] };
  ctx.bindPool(eqn.outs[0], { input, window, strides, bare: beforePadding(ctx, eqn, window) });
  return [];
};

/** What the pooled map was before a zero padding of its spatial axes only. */
function beforePadding(ctx: Lowering, eqn: Eqn, window: readonly number[]): PendingPool["bare"] {
  const maker = makerOf(ctx, eqn.inputs[0]);
  if (maker?.primitive !== "pad") return undefined;
  const widths = maker.params.width as [number, number][];
  const leading = widths.length - window.length;
  const spatialOnly = widths.every(([a, b], i) => (i < leading ? a === 0 && b === 0 : a >= 0 && b >= 0));
  const spatial = widths.slice(leading);
  if (!spatialOnly || spatial.some(([a, b], i) => Math.max(a, b) >= window[i])) return undefined;
  const before = makerOf(ctx, maker.inputs[0]);
  const nonNegative = before?.primitive === "max" && before.inputs.some((atom) => ctx.literal(atom) === 0);
  return { input: ctx.view(maker.inputs[0]), widths: spatial, nonNegative };
}

const makerOf = (ctx: Lowering, atom: Atom): Eqn | undefined => (isVar(atom) ? ctx.definedBy.get(atom) : undefined);

const outSizes = ({ input, window, strides }: PendingPool): number[] => {
  const spatial = input.shape.slice(input.shape.length - window.length);
  return spatial.map((size, i) => Math.ceil((size - window[i] + 1) / strides[i]));
};

/** One pooling operator, when `axis` are exactly the window axes of a float32 map; null otherwise. */
export function reducePool(
  ctx: Lowering,
  pending: PendingPool,
  axis: readonly number[],
  op: string,
  dtype: DType,
): View | null {
  const { input, window, strides } = pending;
  const n = window.length;
  const first = input.shape.length;
  const windowAxes = window.map((_, i) => first + i);
  const exact = axis.length === n && windowAxes.every((a) => axis.includes(a));
  if (!exact || dtype !== "float32" || op === "Mul" || n > 3) return null;
  // Zeros never win over values that are not negative, and an average may count them: the operator pads by itself.
  const bare = pending.bare && (op === "Add" || (op === "Max" && pending.bare.nonNegative)) ? pending.bare : null;
  const map = bare ? bare.input : input;
  // Pooling operators want [batch, channel, spatial…].
  const leading = input.shape.slice(0, first - n);
  let name = apart(ctx, ctx.materialise(map, true).name);
  const fits = leading.length === 2;
  if (!fits) name = reshapeTo(ctx, name, [1, sizeOf(leading), ...map.shape.slice(first - n)]).source.name;
  const attributes: Record<string, Attribute> = { kernel_shape: [...window], strides: [...strides] };
  if (bare) {
    attributes.pads = [...bare.widths.map(([a]) => a), ...bare.widths.map(([, b]) => b)];
    if (op === "Add") attributes.count_include_pad = 1;
  }
  let out: string;
  if (op === "Max") out = ctx.builder.node("MaxPool", [name], attributes);
  else if (op === "Min") {
    const negated = ctx.builder.node("MaxPool", [ctx.builder.node("Neg", [name])], attributes);
    out = ctx.builder.node("Neg", [negated]);
  } else {
    const mean = ctx.builder.node("AveragePool", [name], attributes);
    out = ctx.builder.node("Mul", [mean, ctx.scalarName("float32", sizeOf(window))]);
  }
  const shape = [...leading, ...outSizes(pending)];
  return fits ? identityView({ name: out, shape }) : reshapeTo(ctx, out, shape);
}

/**
 * ONNX Runtime joins a Pad to the pooling operator behind it, a MaxPool as if the padding were −∞, and then refuses
 * padding as wide as the window. What is not folded above must therefore stay apart.
 */
function apart(ctx: Lowering, name: string): string {
  const pad = ctx.builder.maker(name);
  if (pad?.op !== "Pad") return name;
  const negated = ctx.builder.node("Neg", [pad.inputs[0]]);
  return ctx.builder.node("Neg", [ctx.builder.node("Pad", [negated, ...pad.inputs.slice(1)])]);
}

/** The windows in full: […, out sizes, window sizes]. */
export function layOutPool(ctx: Lowering, pending: PendingPool): View {
  const { input, window, strides } = pending;
  const n = window.length;
  const leading = input.shape.slice(0, input.shape.length - n);
  const sizes = outSizes(pending);
  const count = sizeOf(window);
  const parts = Array.from({ length: count }, (_, k) => {
    const offsets = window.map((_, i) => Math.floor(k / sizeOf(window.slice(i + 1))) % window[i]);
    const slices = [
      ...leading.map((size): [number, number] => [0, size]),
      ...offsets.map((o, i): [number, number] => [o, o + (sizes[i] - 1) * strides[i] + 1]),
    ];
    const steps = [...leading.map(() => 1), ...strides];
    const part = ctx.materialise(sliceView(ctx, input, slices, steps), true);
    return ctx.builder.node("Unsqueeze", [part.name, ctx.builder.ints([leading.length + n])]);
  });
  const shape = [...leading, ...sizes];
  const joined = parts.length === 1 ? parts[0] : ctx.builder.node("Concat", parts, { axis: shape.length });
  return reshapeTo(ctx, joined, [...shape, ...window]);
}

const poolTranspose: Rule = (ctx, eqn) => {
  const { inShape, window, strides } = eqn.params as { inShape: number[]; window: number[]; strides: number[] };
  const dtype = dtypeOf(eqn.inputs[0]);
  const view = ctx.view(eqn.inputs[0]);
  const n = window.length;
  const leading = inShape.slice(0, inShape.length - n);
  const sizes = view.shape.slice(leading.length, leading.length + n);
  const windowAxes = window.map((_, i) => leading.length + n + i);
  // A gradient that is the same all over its window (that of a mean) needs a kernel of ones only.
  const uniform = windowAxes.every((axis) => view.axes[axis] === null || view.shape[axis] === 1);
  const count = uniform ? 1 : sizeOf(window);
  let name: string;
  if (uniform) {
    const map: View = { source: view.source, shape: view.shape.slice(0, -n), axes: view.axes.slice(0, -n) };
    name = ctx.materialise(map, true).name;
  } else {
    const order = [...leading.map((_, i) => i), ...windowAxes, ...sizes.map((_, i) => leading.length + i)];
    const moved: View = {
      source: view.source,
      shape: order.map((i) => view.shape[i]),
      axes: order.map((i) => view.axes[i]),
    };
    name = ctx.materialise(moved, true).name;
  }
  const flat = reshapeTo(ctx, name, [sizeOf(leading), count, ...sizes]).source.name;
  const cells = sizeOf(window);
  const kernel = new Float32Array(count * cells);
  if (uniform) kernel.fill(1);
  else for (let k = 0; k < count; k++) kernel[k * cells + k] = 1;
  const weight = ctx.builder.constant("float32", [count, 1, ...window], kernel, "window");
  const wide =
    dtype === "float32" ? flat : ctx.unary(identityView({ name: flat, shape: [] }), "Cast", { to: 1 }).source.name;
  const added = ctx.builder.node("ConvTranspose", [wide, weight], { strides: [...strides] });
  const covered = sizes.map((size, i) => (size - 1) * strides[i] + window[i]);
  const spatial = inShape.slice(leading.length);
  const rest = spatial.map((size, i) => size - covered[i]);
  let out = added;
  if (rest.some((r) => r > 0)) {
    const pads = [0, 0, ...rest.map(() => 0), 0, 0, ...rest];
    out = ctx.builder.node("Pad", [added, ctx.builder.ints(pads), ctx.scalarName("float32", 0)]);
  }
  const result = reshapeTo(ctx, out, inShape);
  return [dtype === "float32" ? result : ctx.cast(result, "float32" as DType, dtype)];
};

export const poolRules: Record<string, Rule> = { pool, pool_transpose: poolTranspose };
