/** Prepares the graphs of the models that ship: part of `npm run build`, and of no other code. */
import { join } from "node:path";
import { readingInputs, sampleDims } from "../extract/dense-model.js";
import { GraphExtractor } from "../extract/graph-extractor.js";
import { extractOptions } from "../extract/options.js";
import { GRAPH_FILE, preparedKey } from "../extract/prepared.js";
import { drawProbe, PROBE_OPTIONS, probePoints } from "../extract/probe.js";
import { prepareGraph } from "../graph/prepare.js";
import { withNotes } from "../graph/prepared.js";
import { checkPath, writeFileAtomic } from "./atomic.js";
import { openModelFiles } from "./extractor.js";
import { nodeRuntime } from "./runtime.js";

/** Writes the graph that the model in a folder opens with its own options; null where its maps are read outside of one. */
export async function prepareModel(folder: string): Promise<{ path: string; bytes: number } | null> {
  checkPath("prepareModel", folder);
  const { opened, options } = await openModelFiles({ model: folder });
  const { model } = opened;
  const reading = model.reading?.(options);
  if (!reading) return null;
  const key = { ...preparedKey(opened), options: reading.kind };
  const graph = await prepareGraph(reading.network, readingInputs(model, reading), key, {
    dims: sampleDims(model, reading),
    name: model.name,
  });
  const path = join(folder, GRAPH_FILE);
  const prepared = { where: path, file: graph, key: preparedKey(opened) };
  const probe = new GraphExtractor(model, extractOptions(PROBE_OPTIONS, opened.defaults), {
    runtime: nodeRuntime,
    prepared,
  });
  const points = probePoints(await probe.extract(drawProbe()));
  await probe.dispose();
  const file = withNotes(path, graph, { probe: points });
  await writeFileAtomic(path, file);
  return { path, bytes: file.length };
}
