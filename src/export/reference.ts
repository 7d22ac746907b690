/**
 * The reference family in an exported graph: what extract/reference.ts does with the maps of three levels under its
 * default detection, every position with a score localized by one Newton step. Positions are computed in double
 * precision, as there: second differences of nearly equal scores lose most digits of a float.
 */
import { UnsupportedError } from "../errors.js";
import type { DenseModel } from "../extract/dense-model.js";
import { LONGEST_STEP } from "../extract/localize.js";
import type { ReferenceFamily } from "../extract/reference.js";
import { inline } from "../graph/inline.js";
import type { Sample } from "../graph/samples.js";
import { LEVELS } from "../model/reference.js";
import { type FoundList, type ListOptions, mergeLists, topOf } from "./lists.js";
import type { Nodes, Size } from "./nodes.js";
import { fitPixels, type Pixels, planesOf } from "./pixels.js";

/** Keypoints of one scale, in its pixels; the network is traced at `sample`. */
export async function referenceList(
  nodes: Nodes,
  pixels: Pixels,
  model: DenseModel<ReferenceFamily>,
  options: ListOptions,
  sample: Sample,
): Promise<FoundList> {
  if (options.detection === "d2net") {
    throw new UnsupportedError(
      `export: ${model.name} with D2-Net's hard detection cannot be one graph; export it with detection by attention ` +
        "(the default), or extract with the library",
    );
  }
  if (options.nms || options.refine !== "subpixel" || options.sumDescriptors) {
    throw new UnsupportedError(
      `export: ${model.name} is exported with its default detection only: by attention, without suppression, with ` +
        "positions between cells, descriptor maps as they are",
    );
  }
  const { family } = model;
  const [width, height] = [pixels.width, pixels.height].map((size) => grown(nodes, size, family));
  const planes = planesOf(nodes, fitPixels(nodes, pixels, width, height), model.preprocessing);
  const maps = await inline(
    nodes.graph,
    model.network,
    { image: { shape: ["N", 3, "H", "W"] }, params: model.params },
    { image: planes },
    (d) => (typeof d === "number" ? d : sample[d]),
  );
  const lists = LEVELS.map((_, level) =>
    levelList(nodes, maps[`map${level}`], maps[`score${level}`], pixels, family.halvings, options),
  );
  return mergeLists(nodes, lists, options.maxFeatures);
}

function grown(nodes: Nodes, size: Size, { even, smallest }: ReferenceFamily): Size {
  if (!even) return nodes.size("Max", size, smallest);
  // Max first: sizes are never negative.
  const rest = nodes.size("Sub", nodes.size("Max", size, even.lost + 1), even.lost);
  return nodes.size("Add", nodes.roundUp(rest, even.multiple), even.lost);
}

/** Keypoints of one level: map [N, dim, h, w], score [N, 1, h, w]. */
function levelList(
  nodes: Nodes,
  map: string,
  score: string,
  image: Pixels,
  halvings: number,
  { threshold, maxFeatures }: Pick<ListOptions, "threshold" | "maxFeatures">,
): FoundList {
  const [height, width] = [nodes.length(score, 2), nodes.length(score, 3)];
  const cells = nodes.size("Mul", height, width);
  const count = nodes.size("Min", cells, maxFeatures);
  const steps = newtonSteps(nodes, nodes.cast(score, "float64"));
  const at = {
    x: nodes.cast(nodes.range(width), "float64"),
    y: nodes.reshape(nodes.cast(nodes.range(height), "float64"), [-1, 1]),
  };
  const x = axisPositions(nodes, at.x, steps.across, width, image.width, halvings);
  const y = axisPositions(nodes, at.y, steps.down, height, image.height, halvings);
  const reaches = threshold > 0 ? nodes.with("GreaterOrEqual", score, threshold) : nodes.with("Greater", score, 0);
  const kept = nodes.node("And", [nodes.node("And", [x.kept, y.kept]), reaches]);
  const candidates = nodes.node("Where", [kept, score, nodes.constant("float32", 0)]);

  const flat = (value: string) => nodes.node("Reshape", [value, nodes.graph.ints([0, -1])]);
  const { values: scores, places } = topOf(nodes, flat(candidates), count);
  const last = nodes.graph.ints([2]);
  const chosen = [x.places, y.places].map((all) =>
    nodes.node("Unsqueeze", [nodes.node("GatherND", [flat(all), places], { batch_dims: 1 }), last]),
  );
  const positions = nodes.node("Concat", chosen, { axis: 2 });
  const inPixels = nodes.with("Mul", positions, 2 ** halvings, "float64");
  return {
    count,
    keypoints: nodes.cast(nodes.with("Add", inPixels, (2 ** halvings - 1) / 2, "float64"), "float32"),
    scores,
    descriptors: sampled(nodes, map, positions),
  };
}

/** −Hessian⁻¹·gradient at every cell of a map [N, 1, h, w] (float64), zeros outside it; see extract/localize.ts. */
function newtonSteps(nodes: Nodes, map: string): { across: string; down: string } {
  const padded = nodes.node("Pad", [map, nodes.graph.ints([0, 0, 1, 1, 0, 0, 1, 1])], { mode: "constant" });
  const axes = nodes.graph.ints([2, 3]);
  const far = 2 ** 31 - 1;
  // The end −1 + d leaves out what lies beyond the other side; 0 would be the beginning.
  const v = (dx: number, dy: number) => {
    const ends = [dy, dx].map((d) => (d === 1 ? far : d - 1));
    return nodes.node("Slice", [padded, nodes.graph.ints([dy + 1, dx + 1]), nodes.graph.ints(ends), axes]);
  };
  const op = (name: string, a: string, b: string) => nodes.node(name, [a, b]);
  const times = (a: string, factor: number) => nodes.with("Mul", a, factor, "float64");
  const twice = times(v(0, 0), 2);
  const second = (before: string, after: string) => op("Add", op("Sub", before, twice), after);
  const dii = second(v(0, -1), v(0, 1));
  const djj = second(v(-1, 0), v(1, 0));
  const mixed = op("Add", op("Sub", op("Sub", v(-1, -1), v(1, -1)), v(-1, 1)), v(1, 1));
  const dij = times(mixed, 0.25);
  const di = times(op("Sub", v(0, 1), v(0, -1)), 0.5);
  const dj = times(op("Sub", v(1, 0), v(-1, 0)), 0.5);
  const determinant = op("Sub", op("Mul", dii, djj), op("Mul", dij, dij));
  const solve = (a: string, b: string, c: string, d: string) =>
    times(op("Div", op("Sub", op("Mul", a, b), op("Mul", c, d)), determinant), -1);
  return { across: solve(dii, dj, dij, di), down: solve(djj, di, dij, dj) };
}

/** Positions along one axis, in cells, and whether the step stays in its cell and the place in the map and the image. */
function axisPositions(nodes: Nodes, at: string, step: string, cells: Size, edge: Size, halvings: number) {
  const places = nodes.node("Add", [at, step]);
  const double = (size: Size) => nodes.cast(nodes.tensor(size), "float64");
  const pixel = nodes.with(
    "Add",
    nodes.with("Mul", places, 2 ** halvings, "float64"),
    (2 ** halvings - 1) / 2,
    "float64",
  );
  const conditions = [
    nodes.with("Less", nodes.node("Abs", [step]), LONGEST_STEP, "float64"),
    nodes.with("GreaterOrEqual", places, 0, "float64"),
    nodes.node("Less", [nodes.node("Ceil", [places]), double(cells)]),
    nodes.node("LessOrEqual", [pixel, nodes.with("Sub", double(edge), 0.5, "float64")]),
  ];
  return { places, kept: conditions.reduce((all, one) => nodes.node("And", [all, one])) };
}

/** Descriptors [N, count, dim] of length 1 at positions [N, count, 2] (float64, in cells of the map). */
function sampled(nodes: Nodes, map: string, positions: string): string {
  const size = nodes.cast(nodes.shape([nodes.length(map, 3), nodes.length(map, 2)]), "float64");
  const doubled = nodes.with("Add", nodes.with("Mul", positions, 2, "float64"), 1, "float64");
  const unit = nodes.with("Sub", nodes.node("Div", [doubled, size]), 1, "float64");
  const grid = nodes.node("Unsqueeze", [nodes.cast(unit, "float32"), nodes.graph.ints([1])]);
  const attributes = { mode: "linear", padding_mode: "zeros", align_corners: 0 };
  const values = nodes.node("Squeeze", [nodes.node("GridSample", [map, grid], attributes), nodes.graph.ints([2])]);
  const rows = nodes.node("Transpose", [values], { perm: [0, 2, 1] });
  const squares = nodes.node("ReduceSum", [nodes.node("Mul", [rows, rows]), nodes.graph.ints([2])], { keepdims: 1 });
  const norm = nodes.with("Max", nodes.node("Sqrt", [squares]), 1e-12);
  return nodes.node("Div", [rows, norm]);
}
