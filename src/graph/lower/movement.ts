/** Primitives that only move data: most stay symbolic, the rest become Slice, Pad, Concat and Reshape. */
import { dtypeOf, type Eqn, shapeOf } from "../jaxpr.js";
import { broadcastView, identityView, squeezeReshape, transposeView, type View } from "../views.js";
import { carriedType, type Lowering, type Rule } from "./lowering.js";

type Pair = readonly [number, number];

const transpose: Rule = (ctx, eqn) => [transposeView(ctx.view(eqn.inputs[0]), eqn.params.perm as number[])];

const broadcast: Rule = (ctx, eqn) => [
  broadcastView(ctx.view(eqn.inputs[0]), eqn.params.shape as number[], eqn.params.axis as number[]),
];

const reshape: Rule = (ctx, eqn) => {
  const shape = eqn.params.shape as number[];
  return [squeezeReshape(ctx.view(eqn.inputs[0]), shape) ?? reshapeTo(ctx, ctx.full(eqn.inputs[0]).name, shape)];
};

/** A stored tensor (row-major, nothing repeated) in another shape. */
export function reshapeTo(ctx: Lowering, name: string, shape: readonly number[]): View {
  return identityView({ name: ctx.builder.node("Reshape", [name, ctx.builder.ints(shape)]), shape });
}

/** Slices a view along logical axes, without laying it out. Repeated axes just get shorter. */
export function sliceView(ctx: Lowering, view: View, slices: readonly Pair[], steps?: readonly number[]): View {
  const axes: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const strides: number[] = [];
  const sourceShape = [...view.source.shape];
  const shape = slices.map(([start, end], i) => {
    const step = steps?.[i] ?? 1;
    const size = Math.max(0, Math.ceil((end - start) / step));
    const axis = view.axes[i];
    if (axis !== null && (size !== view.shape[i] || step !== 1)) {
      axes.push(axis);
      starts.push(start);
      ends.push(end);
      strides.push(step);
      sourceShape[axis] = size;
    }
    return size;
  });
  if (axes.length === 0) return { ...view, shape };
  const { builder } = ctx;
  const inputs = [view.source.name, builder.ints(starts), builder.ints(ends), builder.ints(axes)];
  if (strides.some((s) => s !== 1)) inputs.push(builder.ints(strides));
  return { source: { name: builder.node("Slice", inputs), shape: sourceShape }, shape, axes: view.axes };
}

const shrink: Rule = (ctx, eqn) => [sliceView(ctx, ctx.view(eqn.inputs[0]), eqn.params.slice as Pair[])];

/** Reverses logical axes; a repeated axis is its own reverse. */
export function flipView(ctx: Lowering, view: View, flipped: readonly number[]): View {
  const axes = flipped.map((i) => view.axes[i]).filter((a): a is number => a !== null && view.source.shape[a] > 1);
  if (axes.length === 0) return view;
  const { builder } = ctx;
  const all = (value: number) => builder.ints(axes.map(() => value));
  // ONNX's way to say "past the first element" is a very negative end.
  const inputs = [view.source.name, all(-1), all(-(2 ** 31)), builder.ints(axes), all(-1)];
  return { ...view, source: { name: builder.node("Slice", inputs), shape: view.source.shape } };
}

const flip: Rule = (ctx, eqn) => [flipView(ctx, ctx.view(eqn.inputs[0]), eqn.params.axis as number[])];

/** Zero padding of logical axes; negative widths cut. Only axes that are padded get laid out. */
export function padView(ctx: Lowering, view: View, widths: readonly Pair[], type: string): View {
  const cut = sliceView(
    ctx,
    view,
    widths.map(([before, after], i) => [Math.max(0, -before), view.shape[i] - Math.max(0, -after)]),
  );
  const grow = widths.map(([before, after]) => [Math.max(0, before), Math.max(0, after)]);
  const padded = grow.flatMap(([before, after], i) => (before || after ? [i] : []));
  if (padded.length === 0) return cut;
  // A repeated axis that grows is no longer uniform, so it has to exist.
  const needs = padded.some((i) => cut.axes[i] === null);
  const base = needs ? identityView(ctx.materialise(cut, true)) : cut;
  // Pads for every axis: with an `axes` input, ONNX Runtime's transpose optimizer reads them wrongly.
  const before = base.source.shape.map(() => 0);
  const after = base.source.shape.map(() => 0);
  const sourceShape = [...base.source.shape];
  for (const i of padded) {
    const axis = base.axes[i] as number;
    [before[axis], after[axis]] = grow[i];
    sourceShape[axis] += grow[i][0] + grow[i][1];
  }
  const zero = ctx.scalarName(type as "float32", 0);
  const name = ctx.builder.node("Pad", [base.source.name, ctx.builder.ints([...before, ...after]), zero]);
  return {
    source: { name, shape: sourceShape },
    shape: cut.shape.map((size, i) => size + grow[i][0] + grow[i][1]),
    axes: base.axes,
  };
}

const pad: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.inputs[0]);
  const view = ctx.view(eqn.inputs[0]);
  const widths = eqn.params.width as Pair[];
  if (dtype !== "bool") return [padView(ctx, view, widths, carriedType(dtype))];
  const numbers = padView(ctx, ctx.cast(view, dtype, "int32" as typeof dtype), widths, "int32");
  return [ctx.cast(numbers, "int32" as typeof dtype, dtype)];
};

/** Views one after the other along a logical axis. */
export function concatViews(ctx: Lowering, views: readonly View[], axis: number): View {
  const parts = views.map((view) => ctx.materialise(view, true).name);
  const shape = [...views[0].shape];
  shape[axis] = views.reduce((sum, view) => sum + view.shape[axis], 0);
  return identityView({ name: ctx.builder.node("Concat", parts, { axis }), shape });
}

const concatenate: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  const views = eqn.inputs.map((atom) => ctx.viewAs(atom, dtype));
  return [concatViews(ctx, views, eqn.params.axis as number)];
};

const split: Rule = (ctx, eqn: Eqn) => {
  const axis = eqn.params.axis as number;
  const view = ctx.view(eqn.inputs[0]);
  let start = 0;
  return (eqn.params.sizes as number[]).map((size) => {
    const slices = shapeOf(eqn.inputs[0]).map((length, i): Pair => (i === axis ? [start, start + size] : [0, length]));
    start += size;
    return sliceView(ctx, view, slices);
  });
};

export const movementRules: Record<string, Rule> = {
  transpose,
  broadcast,
  reshape,
  shrink,
  flip,
  pad,
  concatenate,
  split,
};
