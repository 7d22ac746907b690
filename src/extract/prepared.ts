/**
 * What a model's prepared graph is made of, and whether there may be any. `npm run build` lowers the models that ship and
 * writes the digest of the code that did it into CODE; from source there is none, and every model is traced.
 */
import type { GraphKey } from "../graph/prepared.js";
import type { OpenedModel } from "./models.js";

/** A model's prepared graph, beside its weights. */
export const GRAPH_FILE = "graph.onnx";

/** The digest of the built code; "" from source. The build replaces it. */
const CODE: string = "";

/** Whether graphs were prepared for this code. */
export const hasPrepared = (): boolean => CODE !== "";

/** The code that graphs were prepared with; "" from source. */
export const preparedCode = (): string => CODE;

/** What a graph of the model has to be made of (beside the options, which the reading knows). */
export function preparedKey({ model, config }: OpenedModel): GraphKey {
  return { version: CODE, weights: model.sha256, configuration: JSON.stringify(config) };
}
