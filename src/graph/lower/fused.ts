/** Functions with an ONNX operator of their own, by the name that fused.ts gives them. */
import { UnsupportedError } from "../../errors.js";
import { type FusedParams, fusedName } from "../fused.js";
import { type Atom, type Eqn, outShapeOf } from "../jaxpr.js";
import { onnxTypeCode } from "../onnx.js";
import { identityView } from "../views.js";
import type { Lowering, Rule } from "./lowering.js";

/** An argument of a fused function; before the first come the constants that its definition closed over. */
const argument = (eqn: Eqn, i = 0): Atom => eqn.inputs[Number(eqn.params.numConsts) + i];

const paramsOf = (eqn: Eqn): FusedParams => fusedName(String(eqn.params.name))?.params ?? {};

/** Bilinear resizing of the last two axes by whole factors; scales, not sizes, so that any map size fits. */
const resize: Rule = (ctx, eqn) => {
  const params = paramsOf(eqn);
  const [sy, sx] = params.scales as number[];
  const scales = ctx.builder.constant("float32", [4], Float32Array.of(1, 1, sy, sx), "scales");
  const name = ctx.builder.node("Resize", [ctx.full(argument(eqn)).name, "", scales], {
    mode: "linear",
    coordinate_transformation_mode: String(params.coordinates),
  });
  return [identityView({ name, shape: outShapeOf(eqn) })];
};

/** Channels to pixels; CRD: a channel's own pixels lie side by side, row by row. */
const depthToSpace: Rule = (ctx, eqn) => {
  const { block } = paramsOf(eqn);
  const attributes = { blocksize: Number(block), mode: "CRD" };
  const name = ctx.builder.node("DepthToSpace", [ctx.full(argument(eqn)).name], attributes);
  return [identityView({ name, shape: outShapeOf(eqn) })];
};

const unary =
  (op: string): Rule =>
  (ctx, eqn) => [ctx.unary(ctx.view(argument(eqn)), op)];

const softmax: Rule = (ctx, eqn) => {
  const params = paramsOf(eqn);
  const operand = ctx.full(argument(eqn));
  return [
    identityView({
      name: ctx.builder.node("Softmax", [operand.name], { axis: Number(params.axis) }),
      shape: operand.shape,
    }),
  ];
};

/** What makes positions in cells of a map GridSample's, (2·p + 1) / size − 1: −1 and 1 are the map's outer edges. */
function toGrid(ctx: Lowering, map: string): { scale: string; shift: string } {
  const { builder } = ctx;
  const size = builder.node("Cast", [builder.node("Gather", [builder.node("Shape", [map]), builder.ints([3, 2])])], {
    to: onnxTypeCode("float32"),
  });
  const [one, two] = [ctx.scalarName("float32", 1), ctx.scalarName("float32", 2)];
  const shift = builder.node("Sub", [builder.node("Div", [one, size]), one]);
  return { scale: builder.node("Div", [two, size]), shift };
}

const OUTSIDE = { padding_mode: "zeros", align_corners: 0 };

const sample: Rule = (ctx, eqn) => {
  const { builder } = ctx;
  const [map, points] = [ctx.full(argument(eqn)).name, ctx.full(argument(eqn, 1)).name];
  const { scale, shift } = toGrid(ctx, map);
  const grid = builder.node("Add", [builder.node("Mul", [points, scale]), shift]);
  const name = builder.node("GridSample", [map, grid], { mode: "linear", ...OUTSIDE });
  return [identityView({ name, shape: outShapeOf(eqn) })];
};

/** Cells and offsets are scaled apart: their sums are fifty thousand positions, and one addition. */
const windows: Rule = (ctx, eqn) => {
  const { builder } = ctx;
  const [map, cells, offsets] = [0, 1, 2].map((i) => ctx.full(argument(eqn, i)).name);
  const { scale, shift } = toGrid(ctx, map);
  const places = builder.node("Add", [builder.node("Mul", [cells, scale]), shift]);
  const moves = builder.node("Mul", [offsets, scale]);
  const grid = builder.node("Add", [builder.node("Unsqueeze", [places, builder.ints([2])]), moves]);
  const values = builder.node("GridSample", [map, grid], { mode: "nearest", ...OUTSIDE });
  const name = builder.node("Squeeze", [values, builder.ints([1])]);
  return [identityView({ name, shape: outShapeOf(eqn) })];
};

/** Flattened by Reshape with sizes left open, so that any map size fits; K is the length of the second argument. */
const topCells: Rule = (ctx, eqn) => {
  const { builder } = ctx;
  const [score, slots] = [ctx.full(argument(eqn)).name, ctx.full(argument(eqn, 1)).name];
  const flat = builder.node("Reshape", [score, builder.ints([0, -1])]);
  const k = builder.node("Shape", [slots]);
  const [values, cells] = builder.nodeMany("TopK", [flat, k], { axis: 1, largest: 1, sorted: 1 }, 2);
  const width = builder.node("Gather", [builder.node("Shape", [score]), builder.ints([3])]);
  const float = (name: string) => builder.node("Cast", [name], { to: onnxTypeCode("float32") });
  const columns = [float(builder.node("Mod", [cells, width])), float(builder.node("Div", [cells, width])), values];
  const last = builder.ints([2]);
  const parts = columns.map((column) => builder.node("Unsqueeze", [column, last]));
  return [identityView({ name: builder.node("Concat", parts, { axis: 2 }), shape: outShapeOf(eqn) })];
};

const RULES: Record<string, Rule> = {
  depthToSpace,
  resize,
  sample,
  sigmoid: unary("Sigmoid"),
  softmax,
  softplus: unary("Softplus"),
  topCells,
  windows,
};

const jit: Rule = (ctx: Lowering, eqn) => {
  const op = fusedName(String(eqn.params.name))?.op ?? "";
  const rule = RULES[op];
  if (!rule)
    throw new UnsupportedError(`the fused operator "${op}" is not known; known: ${Object.keys(RULES).join(", ")}`);
  return rule(ctx, eqn);
};

export const fusedRules: Record<string, Rule> = { jit };
