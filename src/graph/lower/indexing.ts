/** `gather` and `scatter`: one indexed axis is a Gather; several are stacked for GatherND / ScatterND. */
import type { DType } from "@jax-js/jax";
import { type Atom, dtypeOf, type Eqn, outShapeOf, shapeOf } from "../jaxpr.js";
import { onnxTypeCode } from "../onnx.js";
import { identityView, transposeView, type View } from "../views.js";
import { broadcastShapes, carriedType, type Lowering, type Rule } from "./lowering.js";

interface Indexing {
  axis: number[];
  outDim: number;
}

/** [index shape…, number of axes] int64: the tuples that GatherND and ScatterND want. */
function stackIndices(ctx: Lowering, indices: readonly Atom[], shape: readonly number[]): string {
  const columns = indices.map((atom) => {
    const wide = ctx.unary(ctx.view(atom), "Cast", { to: onnxTypeCode("int64") });
    const missing = shape.length - wide.shape.length;
    const aligned: View = {
      source: wide.source,
      shape: [...shape, 1],
      axes: [
        ...shape.map((size, i) => (i >= missing && wide.shape[i - missing] === size ? wide.axes[i - missing] : null)),
        null,
      ],
    };
    return ctx.materialise(aligned, true).name;
  });
  return columns.length === 1 ? columns[0] : ctx.builder.node("Concat", columns, { axis: shape.length });
}

const indexShape = (indices: readonly Atom[]): number[] => broadcastShapes(indices.map((atom) => [...shapeOf(atom)]));

/** Axes in which the indexed ones come first, and where they end up in the result. */
function roles(eqn: Eqn, operandRank: number, indexRank: number) {
  const { axis, outDim } = eqn.params as unknown as Indexing;
  const rest = Array.from({ length: operandRank }, (_, i) => i).filter((i) => !axis.includes(i));
  // Stored result: [index…, rest…]; logical: rest[0..outDim), index…, rest[outDim..).
  const perm = [
    ...rest.slice(0, outDim).map((_, i) => indexRank + i),
    ...Array.from({ length: indexRank }, (_, i) => i),
    ...rest.slice(outDim).map((_, i) => indexRank + outDim + i),
  ];
  return { first: [...axis, ...rest], rest, perm };
}

const gather: Rule = (ctx, eqn) => {
  const [x, ...indices] = eqn.inputs;
  const view = ctx.view(x);
  const shape = indexShape(indices);
  const { first, rest, perm } = roles(eqn, view.shape.length, shape.length);
  const operand = ctx.materialise(transposeView(view, first), true).name;
  const stored = [...shape, ...rest.map((i) => view.shape[i])];
  const bool = dtypeOf(x) === "bool";
  const source = bool ? ctx.builder.node("Cast", [operand], { to: onnxTypeCode("int32") }) : operand;
  let name: string;
  if (indices.length === 1) {
    name = ctx.builder.node("Gather", [source, ctx.full(indices[0]).name], { axis: 0 });
  } else {
    name = ctx.builder.node("GatherND", [source, stackIndices(ctx, indices, shape)]);
  }
  const result = transposeView(identityView({ name, shape: stored }), perm);
  return [bool ? ctx.cast(result, "int32" as DType, "bool" as DType) : result];
};

const scatter: Rule = (ctx, eqn) => {
  const [updates, ...indices] = eqn.inputs;
  const target = outShapeOf(eqn);
  const dtype = dtypeOf(updates);
  const shape = indexShape(indices);
  const { first, perm } = roles(eqn, target.length, shape.length);
  // Undo the result's permutation, so that updates are [index…, rest…].
  const inverse = perm.map((_, i) => perm.indexOf(i));
  const carried = dtype === "bool" ? "int32" : carriedType(dtype);
  const values = dtype === "bool" ? ctx.cast(ctx.view(updates), dtype, "int32" as DType) : ctx.view(updates);
  const stored = ctx.materialise(transposeView(values, inverse), true).name;
  const zeros = ctx.builder.node("Expand", [
    ctx.scalarName(carried, 0),
    ctx.builder.ints(first.map((axis) => target[axis])),
  ]);
  const attributes = eqn.params.op === "add" ? { reduction: "add" } : undefined;
  const name = ctx.builder.node("ScatterND", [zeros, stackIndices(ctx, indices, shape), stored], attributes);
  const inOrder = identityView({ name, shape: first.map((axis) => target[axis]) });
  const result = transposeView(
    inOrder,
    target.map((_, axis) => first.indexOf(axis)),
  );
  return [dtype === "bool" ? ctx.cast(result, "int32" as DType, dtype) : result];
};

export const indexingRules: Record<string, Rule> = { gather, scatter };
