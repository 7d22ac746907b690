/**
 * Convolutions. Forward ones become Conv. The gradient with respect to the weights arrives as a convolution whose
 * kernel is a whole feature map; it becomes one batched MatMul per kernel offset. The gradient with respect to the
 * input arrives with a dilated left side and a flipped kernel; it becomes ConvTranspose.
 */
import type { DType } from "@jax-js/jax";
import { UnsupportedError } from "../../errors.js";
import { type Atom, dtypeOf, type Eqn, isVar, outShapeOf } from "../jaxpr.js";
import { identityView, sizeOf, transposeView, type View } from "../views.js";
import type { Lowering, Rule } from "./lowering.js";
import { padView, reshapeTo, sliceView } from "./movement.js";

type Pair = readonly [number, number];

interface ConvParams {
  vmapDims: number;
  strides: number[];
  padding: Pair[];
  lhsDilation: number[];
  rhsDilation: number[];
}

const conv: Rule = (ctx, eqn) => {
  const params = eqn.params as unknown as ConvParams;
  const dtype = dtypeOf(eqn.outs[0]);
  const [lhs, rhs] = eqn.inputs.map((atom) => ctx.viewAs(atom, dtype));
  const shape = outShapeOf(eqn);
  if (params.vmapDims > 0) return [mappedConv(ctx, lhs, rhs, params, shape, dtype)];
  if (isWeightGradient(ctx, eqn, params, shape)) return [weightGradient(ctx, lhs, rhs, params, shape, dtype)];
  if (params.lhsDilation.some((d) => d !== 1)) {
    return [inputGradient(ctx, lhs, unflipped(ctx, eqn.inputs[1]), rhs, params, shape, dtype)];
  }
  return [plainConv(ctx, lhs, rhs, params, shape, 1, dtype)];
};

/** A Conv node; negative padding cuts the input first. */
function plainConv(
  ctx: Lowering,
  lhs: View,
  rhs: View,
  { strides, padding, rhsDilation }: ConvParams,
  shape: readonly number[],
  group: number,
  dtype: DType,
): View {
  const cut = padView(
    ctx,
    lhs,
    [[0, 0], [0, 0], ...padding.map(([a, b]): Pair => [Math.min(a, 0), Math.min(b, 0)])],
    dtype,
  );
  const pads = [...padding.map(([a]) => Math.max(a, 0)), ...padding.map(([, b]) => Math.max(b, 0))];
  const kernel = rhs.shape.slice(2);
  // Without spatial axes a convolution is a matrix product; ONNX wants at least one.
  const flat = kernel.length === 0;
  const input = ctx.materialise(cut, true).name;
  const weight = ctx.materialise(rhs, true).name;
  const grow = (name: string) => ctx.builder.node("Unsqueeze", [name, ctx.builder.ints([2])]);
  const name = ctx.builder.node("Conv", flat ? [grow(input), grow(weight)] : [input, weight], {
    kernel_shape: flat ? [1] : [...kernel],
    strides: flat ? [1] : [...strides],
    dilations: flat ? [1] : [...rhsDilation],
    pads: flat ? [0, 0] : pads,
    group,
  });
  if (flat) return identityView({ name: ctx.builder.node("Squeeze", [name, ctx.builder.ints([2])]), shape });
  return identityView({ name, shape });
}

/** Batched convolutions become one grouped convolution, with whichever side is shared repeated. */
function mappedConv(
  ctx: Lowering,
  lhs: View,
  rhs: View,
  params: ConvParams,
  shape: readonly number[],
  dtype: DType,
): View {
  const v = params.vmapDims;
  if (v !== 1) throw new UnsupportedError(`conv with ${v} mapped axes is not lowered; one is`);
  const groups = shape[0];
  const [batch, outChannels] = [shape[1], shape[2]];
  const spatial = lhs.shape.slice(3);
  const repeat = (view: View): View => ({
    source: view.source,
    shape: [groups, ...view.shape.slice(1)],
    axes: [view.shape[0] === groups ? view.axes[0] : null, ...view.axes.slice(1)],
  });
  const [l, r] = [repeat(lhs), repeat(rhs)];
  // Groups lie in the channel axis: [N, G·C, …] with weights [G·O, C, …].
  const moved = transposeView(l, [1, 0, 2, ...spatial.map((_, i) => i + 3)]);
  const input = reshapeTo(ctx, ctx.materialise(moved, true).name, [batch, groups * lhs.shape[2], ...spatial]);
  const kernelShape = [groups * outChannels, rhs.shape[2], ...rhs.shape.slice(3)];
  const weight = reshapeTo(ctx, ctx.materialise(r, true).name, kernelShape);
  const outSpatial = shape.slice(3);
  const flatShape = [batch, groups * outChannels, ...outSpatial];
  const dilated = dilate(ctx, input, params.lhsDilation, dtype);
  const plain = { ...params, vmapDims: 0, lhsDilation: params.lhsDilation.map(() => 1) };
  const result = plainConv(ctx, dilated, weight, plain, flatShape, groups, dtype);
  const split = reshapeTo(ctx, result.source.name, [batch, groups, outChannels, ...outSpatial]);
  return transposeView(split, [1, 0, 2, ...outSpatial.map((_, i) => i + 3)]);
}

/** Zeros between the positions of the spatial axes: pad each to `d` places, join, cut the tail. */
function dilate(ctx: Lowering, view: View, dilation: readonly number[], dtype: DType): View {
  if (dilation.every((d) => d === 1)) return view;
  const [n, c, ...spatial] = view.shape;
  const spread = reshapeTo(ctx, ctx.materialise(view, true).name, [n, c, ...spatial.flatMap((s) => [s, 1])]);
  const widths: Pair[] = [
    [0, 0],
    [0, 0],
    ...dilation.flatMap((d): Pair[] => [
      [0, 0],
      [0, d - 1],
    ]),
  ];
  const padded = padView(ctx, spread, widths, dtype);
  const joined = reshapeTo(ctx, padded.source.name, [n, c, ...spatial.map((s, i) => s * dilation[i])]);
  const cut = spatial.map((s, i): Pair => [0, (s - 1) * dilation[i] + 1]);
  return sliceView(ctx, joined, [[0, n], [0, c], ...cut]);
}

/** Above so many kernel offsets one node each is more than the Conv that the gradient arrives as. */
const MAX_OFFSETS = 121;

/**
 * The pattern of a weight gradient: map and kernel both arrive with batch and channel swapped. Their sizes say
 * nothing: over tiny maps a forward convolution has a large kernel as well, and one graph has to serve every size.
 */
function isWeightGradient(ctx: Lowering, eqn: Eqn, params: ConvParams, shape: readonly number[]): boolean {
  const swapped = (atom: Atom): boolean => {
    const maker = isVar(atom) ? ctx.definedBy.get(atom) : undefined;
    if (maker?.primitive !== "transpose") return false;
    return (maker.params.perm as number[]).every((axis, i) => axis === (i < 2 ? 1 - i : i));
  };
  const positions = shape.slice(2);
  return (
    positions.length > 0 &&
    params.lhsDilation.every((d) => d === 1) &&
    sizeOf(positions) <= MAX_OFFSETS &&
    eqn.inputs.every(swapped)
  );
}

/**
 * Per position of the (small) result: Slice of the padded map → MatMul over its pixels → sum over the batch. Both
 * sides arrive with batch and channel swapped, which the view undoes, so nothing is transposed.
 */
function weightGradient(
  ctx: Lowering,
  lhs: View,
  rhs: View,
  { strides, padding, rhsDilation }: ConvParams,
  shape: readonly number[],
  dtype: DType,
): View {
  const [outA, outB, ...positions] = shape;
  const contracted = lhs.shape[1];
  const pixels = rhs.shape.slice(2);
  const swap = (view: View) => transposeView(view, [1, 0, ...pixels.map((_, i) => i + 2)]);
  const map = windowsOf(ctx, swap(lhs), padding, rhsDilation, dtype);
  const [n, p] = [contracted, sizeOf(pixels)];
  const grad = reshapeTo(ctx, ctx.materialise(swap(rhs), true).name, [n, outB, p]).source.name;
  const perm = [0, 2, 1];
  const gradT = ctx.builder.node("Transpose", [grad], { perm });
  const parts = Array.from({ length: sizeOf(positions) }, (_, k) => {
    const starts = pixels.map((_, i) => {
      const position = Math.floor(k / sizeOf(positions.slice(i + 1))) % positions[i];
      return position * strides[i];
    });
    const window = map(starts, pixels);
    const flat = reshapeTo(ctx, ctx.materialise(window, true).name, [n, outA, p]).source.name;
    const product = ctx.builder.node("MatMul", [flat, gradT]);
    return n === 1 ? product : ctx.builder.node("ReduceSum", [product, ctx.builder.ints([0])], { keepdims: 1 });
  });
  const joined = parts.length === 1 ? parts[0] : ctx.builder.node("Concat", parts, { axis: 0 });
  const stored = reshapeTo(ctx, joined, [...positions, outA, outB]);
  const q = positions.length;
  return transposeView(stored, [q, q + 1, ...positions.map((_, i) => i)]);
}

/** Cuts windows of the given size out of a padded map [n, c, …], their pixels `dilation` apart, the first one at `starts`. */
type Windows = (starts: readonly number[], size: readonly number[]) => View;

/**
 * Reading every second pixel is as slow as reading one at a time. Where both axes are dilated alike, SpaceToDepth sorts
 * the map into its phases once, and windows are contiguous.
 */
function windowsOf(
  ctx: Lowering,
  bare: View,
  padding: readonly Pair[],
  dilation: readonly number[],
  dtype: DType,
): Windows {
  const [n, c, ...spatial] = bare.shape;
  const d = dilation[0];
  const padded = (widths: readonly Pair[]) => padView(ctx, bare, [[0, 0], [0, 0], ...widths], dtype);
  if (d === 1 || spatial.length !== 2 || dilation[1] !== d || !["float32", "float64"].includes(dtype)) {
    const map = padded(padding);
    return (starts, size) => {
      const slices = size.map((s, i): Pair => [starts[i], starts[i] + (s - 1) * dilation[i] + 1]);
      return sliceView(ctx, map, [[0, n], [0, c], ...slices], [1, 1, ...dilation]);
    };
  }
  const upToWhole = padding.map(([before, after], i): Pair => {
    const size = spatial[i] + before + after;
    return [before, after + ((d - (size % d)) % d)];
  });
  const whole = ctx.materialise(padded(upToWhole), true);
  const name = ctx.builder.node("SpaceToDepth", [whole.name], { blocksize: d });
  const phases = identityView({ name, shape: [n, d * d * c, ...whole.shape.slice(2).map((s) => s / d)] });
  return (starts, size) => {
    const phase = (starts[0] % d) * d + (starts[1] % d);
    const slices = size.map((s, i): Pair => [Math.floor(starts[i] / d), Math.floor(starts[i] / d) + s]);
    return sliceView(ctx, phases, [[0, n], [phase * c, (phase + 1) * c], ...slices]);
  };
}

/** The kernel before its spatial axes were flipped, when that is how it was made. */
function unflipped(ctx: Lowering, atom: Atom): View | null {
  const maker: Eqn | undefined = isVar(atom) ? ctx.definedBy.get(atom) : undefined;
  if (maker?.primitive !== "flip") return null;
  const rank = maker.outs[0].aval.shape.length;
  const flipped = [...(maker.params.axis as number[])].sort((a, b) => a - b);
  const spatial = Array.from({ length: rank - 2 }, (_, i) => i + 2);
  return flipped.join() === spatial.join() ? ctx.view(maker.inputs[0]) : null;
}

/** ConvTranspose, where the kernel is a flipped one, the sweep is dense and the padding can be expressed; else dilate. */
function inputGradient(
  ctx: Lowering,
  lhs: View,
  kernel: View | null,
  rhs: View,
  params: ConvParams,
  shape: readonly number[],
  dtype: DType,
): View {
  const size = rhs.shape.slice(2);
  const reach = size.map((k, i) => (k - 1) * params.rhsDilation[i]);
  const begins = reach.map((r, i) => r - params.padding[i][0]);
  const ends = reach.map((r, i) => r - params.padding[i][1]);
  const extra = ends.map((e) => Math.max(0, -e));
  const expressible =
    params.strides.every((s) => s === 1) &&
    begins.every((b) => b >= 0) &&
    extra.every((e, i) => e < Math.max(params.lhsDilation[i], params.rhsDilation[i]));
  if (!kernel || !expressible) {
    const dilated = dilate(ctx, lhs, params.lhsDilation, dtype);
    return plainConv(ctx, dilated, rhs, { ...params, lhsDilation: size.map(() => 1) }, shape, 1, dtype);
  }
  // Weights of ConvTranspose are [in, out, …]: the unflipped kernel with its channels swapped back.
  const weight = transposeView(kernel, [1, 0, ...size.map((_, i) => i + 2)]);
  const name = ctx.builder.node(
    "ConvTranspose",
    [ctx.materialise(lhs, true).name, ctx.materialise(weight, true).name],
    {
      kernel_shape: [...size],
      strides: [...params.lhsDilation],
      dilations: [...params.rhsDilation],
      pads: [...begins, ...ends.map((e) => Math.max(0, e))],
      output_padding: extra,
    },
  );
  return identityView({ name, shape });
}

export const convRules: Record<string, Rule> = { conv };
