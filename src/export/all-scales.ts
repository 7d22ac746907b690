/** Keypoints of all scales inside the graph, as one list: what extract/scales.ts does beside it. */
import { UnsupportedError } from "../errors.js";
import type { DenseModel } from "../extract/dense-model.js";
import { MOST_OF_SHARE, scaleLimits } from "../extract/scales.js";
import { type ExportList, familyNamed } from "../families.js";
import type { Sample } from "../graph/samples.js";
import { type FoundList, type ListOptions, type ListReader, mergeLists, stretchKeypoints } from "./lists.js";
import type { Nodes, Size } from "./nodes.js";
import { type Pixels, shrinkPixels } from "./pixels.js";

/** The best `options.maxFeatures` keypoints of all scales, in pixels of the image; the networks are traced at `sample`. */
export async function listOfAllScales(
  nodes: Nodes,
  pixels: Pixels,
  model: DenseModel,
  options: ListOptions,
  sample: Sample,
): Promise<FoundList> {
  const { scales, maxFeatures } = options;
  const read = await listReader(model);
  const limits = limitsOf(nodes, scales, maxFeatures);
  const lists: FoundList[] = [];
  for (const [s, scale] of scales.entries()) {
    const { pixels: shrunk, step } = shrinkPixels(nodes, pixels, scale);
    const found = await read(nodes, shrunk, model, { ...options, maxFeatures: limits[s] }, sample);
    lists.push(stretchKeypoints(nodes, found, step));
  }
  return mergeLists(nodes, lists, maxFeatures);
}

/** Loaded when something is exported; named here and not in the table of families, which pages load. */
const LISTS: Readonly<Record<ExportList, () => Promise<ListReader>>> = {
  score: async () => (await import("./score.js")).scoreList as ListReader,
  reference: async () => (await import("./reference.js")).referenceList as ListReader,
};

/** How the model's family makes its list; UnsupportedError where it makes none. */
async function listReader({ name, family }: DenseModel): Promise<ListReader> {
  const list = familyNamed(family.kind)?.exportList;
  if (list) return LISTS[list]();
  throw new UnsupportedError(`export: ${name} is of the family "${family.kind}", which is not exported`);
}

/** `scaleLimits`, also of a limit that is known when the graph runs: the same products in the same order. */
function limitsOf(nodes: Nodes, scales: readonly number[], limit: Size): Size[] {
  if (typeof limit === "number") return scaleLimits(scales, limit) as number[];
  const pixels = scales.reduce((sum, scale) => sum + scale * scale, 0);
  const times = (value: string, factor: number) => nodes.with("Mul", value, factor, "float64");
  return scales.map((scale) => {
    const share = times(times(times(nodes.cast(limit, "float64"), MOST_OF_SHARE), scale), scale);
    const most = nodes.node("Ceil", [nodes.with("Div", share, pixels, "float64")]);
    return nodes.size("Min", limit, nodes.cast(most, "int64"));
  });
}
