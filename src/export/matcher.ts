/**
 * Matching as an ONNX file: mutual nearest neighbours by cosine similarity of two sets of descriptors, what
 * `matchFeatures` gives without ratio and least similarity.
 */
import { checkText } from "../check.js";
import { OnnxBuilder } from "../graph/onnx.js";
import { checkNumber } from "../options.js";
import { Nodes } from "./nodes.js";

/**
 * Inputs: `a` [N, dim], `b` [M, dim], float32, rows of length 1; either may have no rows. Outputs: `pairs` [P, 2] (int32;
 * a row of a and one of b, by row of a), `scores` [P], their cosine similarities. `dim` null takes any length.
 */
export function exportMatcher(dim: number | null = null, producerVersion?: string): Uint8Array {
  if (dim !== null) checkNumber("export", "dim", dim, { min: 1, max: 65_536, integer: true });
  if (producerVersion !== undefined) checkText("export", "producerVersion", producerVersion);
  const builder = new OnnxBuilder();
  const nodes = new Nodes(builder);
  const length = dim ?? "dim";
  const a = builder.input("a", "float32", ["N", length]);
  const b = builder.input("b", "float32", ["M", length]);
  const [n, m] = [nodes.length(a, 0), nodes.length(b, 0)];
  const similarities = nodes.node("Gemm", [a, b], { transB: 1 });
  // One more row and column that nobody is nearest to: an ArgMax over nothing is an error.
  const lowest = nodes.constant("float32", Number.NEGATIVE_INFINITY);
  const padded = nodes.node("Pad", [similarities, builder.ints([0, 0, 1, 1]), lowest], { mode: "constant" });
  const nearest = (axis: number) => nodes.node("ArgMax", [padded], { axis, keepdims: 0, select_last_index: 0 });
  const zero = builder.ints([0]);
  const columns = nodes.node("Slice", [nearest(1), zero, nodes.tensor(n)]);
  const back = nodes.node("Gather", [nearest(0), columns], { axis: 0 });
  const mutual = nodes.node("And", [
    nodes.node("Equal", [back, nodes.range(n)]),
    nodes.node("Less", [columns, nodes.tensor(m)]),
  ]);
  const rows = nodes.node("Squeeze", [nodes.node("NonZero", [mutual]), zero]);
  const one = builder.ints([1]);
  const pairs = nodes.node(
    "Concat",
    [rows, nodes.node("Gather", [columns, rows], { axis: 0 })].map((side) => nodes.node("Unsqueeze", [side, one])),
    { axis: 1 },
  );
  builder.output("pairs", nodes.cast(pairs, "int32"), "int32", ["P", 2]);
  builder.output("scores", nodes.node("GatherND", [similarities, pairs]), "float32", ["P"]);
  return builder.toBytes("matcher", {
    producerVersion,
    description:
      "Mutual nearest neighbours: descriptors a [N, dim] and b [M, dim] of length 1 to pairs [P, 2] (row of a, row of b) " +
      "and scores [P], their cosine similarities.",
    metadata: { matcher: "mutual nearest neighbours", dim: dim === null ? "any" : String(dim) },
  });
}
