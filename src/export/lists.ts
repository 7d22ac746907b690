/** Lists of keypoints inside the graph: the best of several, cut by score, brought to a fixed length. */
import type { DenseModel } from "../extract/dense-model.js";
import type { ExtractOptions } from "../extract/options.js";
import type { Sample } from "../graph/samples.js";
import type { Nodes, Size } from "./nodes.js";
import type { Pixels } from "./pixels.js";

/** Options of a list; how many keypoints it may have at most may be known only when the graph runs. */
export type ListOptions = Omit<ExtractOptions, "maxFeatures"> & { maxFeatures: Size };

/** How a family's exported graph makes the keypoints of one scale, in its pixels; the network is traced at `sample`. */
export type ListReader = (
  nodes: Nodes,
  pixels: Pixels,
  model: DenseModel,
  options: ListOptions,
  sample: Sample,
) => Promise<FoundList>;

/** Features of a batch, best first; a score of 0 says that there is none. */
export interface FoundList {
  count: Size;
  /** [N, count, 2]. */
  keypoints: string;
  /** [N, count]. */
  scores: string;
  /** [N, count, dim]. */
  descriptors: string;
}

/** The best `limit` of all lists, of equal scores the earlier list's first (extract/scales.ts). */
export function mergeLists(nodes: Nodes, lists: readonly FoundList[], limit: Size): FoundList {
  if (lists.length === 1) return lists[0];
  const joined = (of: (list: FoundList) => string) => nodes.node("Concat", lists.map(of), { axis: 1 });
  const total = lists.reduce<Size>((sum, { count }) => nodes.size("Add", sum, count), 0);
  const count = nodes.size("Min", total, limit);
  const { values, places } = topOf(
    nodes,
    joined(({ scores }) => scores),
    count,
  );
  const pick = (all: string) => nodes.node("GatherND", [all, places], { batch_dims: 1 });
  return {
    count,
    keypoints: pick(joined(({ keypoints }) => keypoints)),
    scores: values,
    descriptors: pick(joined(({ descriptors }) => descriptors)),
  };
}

/** The largest `count` of [N, M], and their places [N, count, 1]; of equal ones the first comes first. */
export function topOf(nodes: Nodes, scores: string, count: Size): { values: string; places: string } {
  const attributes = { axis: 1, largest: 1, sorted: 1 };
  const [values, places] = nodes.graph.nodeMany("TopK", [scores, nodes.tensor(count)], attributes, 2);
  return { values, places: nodes.node("Unsqueeze", [places, nodes.graph.ints([2])]) };
}

/** Which keypoints of a list [N, count] have a score, and one of at least `threshold`. */
export function keptOf(nodes: Nodes, { scores }: FoundList, threshold: number): string {
  const positive = nodes.with("Greater", scores, 0);
  return threshold > 0 ? nodes.node("And", [positive, nodes.with("GreaterOrEqual", scores, threshold)]) : positive;
}

/** Zeros in place of what has no score or too little, and after the last keypoint up to `length`. */
export function finishList(nodes: Nodes, list: FoundList, threshold: number, length: number): FoundList {
  const kept = keptOf(nodes, list, threshold);
  const rows = nodes.node("Unsqueeze", [kept, nodes.graph.ints([2])]);
  const only = (mask: string, values: string) => nodes.node("Where", [mask, values, nodes.constant("float32", 0)]);
  const more = nodes.size("Sub", length, list.count);
  return {
    count: length,
    keypoints: nodes.grow(only(rows, list.keypoints), [0, more, 0], "constant"),
    scores: nodes.grow(only(kept, list.scores), [0, more], "constant"),
    descriptors: nodes.grow(only(rows, list.descriptors), [0, more, 0], "constant"),
  };
}

/** Keypoints in pixels of an image of which each pixel here covers `step`: (p + ½)·step − ½. */
export function stretchKeypoints(nodes: Nodes, list: FoundList, step: readonly [number | string, number | string]) {
  if (step[0] === 1 && step[1] === 1) return list;
  const parts = step.map((s) => (typeof s === "number" ? nodes.constant("float32", [s]) : s));
  const both = nodes.node("Concat", parts, { axis: 0 });
  const moved = nodes.node("Mul", [nodes.with("Add", list.keypoints, 0.5), both]);
  return { ...list, keypoints: nodes.with("Sub", moved, 0.5) };
}
