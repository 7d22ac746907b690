/**
 * An exported file in the form in which COLMAP 4 runs its own extractor's (ALIKED): one image of floats 0…1, whose edges
 * are multiples of 32, how many keypoints and which least score; positions from −1 to 1. Names, their order and ranks are
 * what COLMAP checks when it opens the file.
 */
import { type FoundList, keptOf } from "./lists.js";
import type { Nodes, Size } from "./nodes.js";
import { type Pixels, roundPixels } from "./pixels.js";

/** COLMAP repeats an image's border to the right and down until both edges are multiples of this. */
export const COLMAP_MULTIPLE = 32;

export interface ColmapInputs {
  /** Whole grey levels 0…255. */
  pixels: Pixels;
  maxKeypoints: Size;
  /** float32 scalar. */
  minScore: string;
}

/** Inputs `image` [1, 3, H, W], `max_keypoints` (int64) and `min_score` (float32), both scalars. */
export function colmapInputs(nodes: Nodes): ColmapInputs {
  const { graph } = nodes;
  const image = graph.input("image", "float32", [1, 3, "H", "W"]);
  const most = graph.input("max_keypoints", "int64", []);
  const minScore = graph.input("min_score", "float32", []);
  // COLMAP divides 8-bit pixels by 255; the nearest whole number is what they were.
  const levels = roundPixels(nodes, nodes.with("Mul", image, 255));
  return {
    pixels: {
      name: nodes.node("Transpose", [levels], { perm: [0, 2, 3, 1] }),
      type: "float32",
      width: nodes.length(image, 3),
      height: nodes.length(image, 2),
    },
    maxKeypoints: nodes.size("Max", nodes.reshape(most, [1]), 0),
    minScore,
  };
}

/**
 * Outputs `keypoints` [1, K, 2], `descriptors` [1, K, dim] and `scores` [1, K], best first: K keypoints with a score of
 * at least `threshold` and `min_score`. −1 and 1 are the centres of the outermost pixels.
 */
export function colmapOutputs(
  nodes: Nodes,
  list: FoundList,
  { pixels, minScore }: ColmapInputs,
  { dim, threshold }: { dim: number; threshold: number },
): void {
  const reaches = nodes.node("GreaterOrEqual", [list.scores, minScore]);
  const kept = nodes.cast(nodes.node("And", [keptOf(nodes, list, threshold), reaches]), "int64");
  // The list is best first, so that those kept are its beginning.
  const count = nodes.node("ReduceSum", [kept, nodes.graph.ints([0, 1])], { keepdims: 0 });
  const end = nodes.reshape(count, [1]);
  const first = (value: string) => nodes.node("Slice", [value, nodes.graph.ints([0]), end, nodes.graph.ints([1])]);
  const outermost = [pixels.width, pixels.height].map((size) => nodes.size("Max", nodes.size("Sub", size, 1), 1));
  const last = nodes.cast(nodes.shape(outermost), "float64");
  const doubled = nodes.with("Mul", nodes.cast(first(list.keypoints), "float64"), 2, "float64");
  const places = nodes.with("Sub", nodes.node("Div", [doubled, last]), 1, "float64");
  const { graph } = nodes;
  graph.output("keypoints", nodes.cast(places, "float32"), "float32", [1, "K", 2]);
  graph.output("descriptors", first(list.descriptors), "float32", [1, "K", dim]);
  graph.output("scores", first(list.scores), "float32", [1, "K"]);
}
