/** Prepares the graphs of the models that ship: part of `npm run build`, and of no other code. */
import { join } from "node:path";
import { readingInputs, sampleDims } from "../extract/dense-model.js";
import { GRAPH_FILE, preparedKey } from "../extract/prepared.js";
import { prepareGraph } from "../graph/prepare.js";
import { checkPath, writeFileAtomic } from "./atomic.js";
import { openModelFiles } from "./extractor.js";

/** Writes the graph that the model in a folder opens with its own options; null where its maps are read outside of one. */
export async function prepareModel(folder: string): Promise<{ path: string; bytes: number } | null> {
  checkPath("prepareModel", folder);
  const { opened, options } = await openModelFiles({ model: folder });
  const { model } = opened;
  const reading = model.reading?.(options);
  if (!reading) return null;
  const key = { ...preparedKey(opened), options: reading.kind };
  const file = await prepareGraph(reading.network, readingInputs(model, reading), key, {
    dims: sampleDims(model, reading),
    name: model.name,
  });
  const path = join(folder, GRAPH_FILE);
  await writeFileAtomic(path, file);
  return { path, bytes: file.length };
}
