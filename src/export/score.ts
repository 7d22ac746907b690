/** Networks of one score map in an exported graph: keypoints are read inside the network (extract/score-graph.ts). */
import { OptionError } from "../errors.js";
import type { DenseModel } from "../extract/dense-model.js";
import type { ScoreGeometry } from "../extract/score.js";
import { inline } from "../graph/inline.js";
import type { Sample } from "../graph/samples.js";
import type { FoundList, ListOptions } from "./lists.js";
import type { Nodes, Size } from "./nodes.js";
import { fitPixels, type Pixels, planesOf } from "./pixels.js";

/** Keypoints of one scale, in its pixels; the network is traced at `sample`. */
export async function scoreList(
  nodes: Nodes,
  pixels: Pixels,
  model: DenseModel<ScoreGeometry>,
  { maxFeatures, ...options }: ListOptions,
  sample: Sample,
): Promise<FoundList> {
  // The graph of a reading takes any number of keypoints.
  const reading = model.reading?.({ ...options, maxFeatures: 1 });
  if (!reading) {
    throw new OptionError(`export: ${model.name} is exported with suppression and positions between pixels only`);
  }
  const { padMultiple, border } = model.family;
  const [width, height] = [pixels.width, pixels.height].map((size) => nodes.roundUp(size, padMultiple));
  const planes = planesOf(nodes, fitPixels(nodes, pixels, width, height), model.preprocessing);
  const count = nodes.size("Min", nodes.size("Mul", width, height), maxFeatures);
  const found = await inline(
    nodes.graph,
    reading.network,
    { image: { shape: ["N", 3, "H", "W"] }, ...reading.inputs, params: model.params },
    {
      image: planes,
      columns: frame(nodes, pixels.width, width, border),
      rows: frame(nodes, pixels.height, height, border),
      slots: nodes.zeros([count]),
    },
    (d) => (typeof d === "number" ? d : sample[d]),
  );
  const { keypoints, scores, descriptors } = found;
  return { count, keypoints, scores, descriptors };
}

/** [2, padded]: ones where the image is; ones where it may hold keypoints. */
function frame(nodes: Nodes, length: Size, padded: Size, border: number): string {
  const at = nodes.range(padded);
  const before = (end: Size) => nodes.node("Less", [at, nodes.tensor(end)]);
  const inside = before(length);
  // Compared with `at + border`, for a length minus the border may be negative.
  const away = nodes.node("And", [
    nodes.with("GreaterOrEqual", at, border, "int64"),
    nodes.node("Less", [nodes.with("Add", at, border, "int64"), nodes.tensor(length)]),
  ]);
  const rows = [inside, away].map((mask) =>
    nodes.node("Unsqueeze", [nodes.cast(mask, "float32"), nodes.graph.ints([0])]),
  );
  return nodes.node("Concat", rows, { axis: 0 });
}
