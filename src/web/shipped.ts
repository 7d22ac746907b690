/**
 * The models of the package by name. Bundlers see each address, copy the file beside the scripts and put its new address
 * here; a page loads only what it asks for.
 */
import type { ModelAddresses } from "./model-files.js";

/** Names of models that openExtractor finds without an address. */
export const SHIPPED_MODELS = ["strata-s", "strata-xs", "strata-t"] as const;
/** Name of a model of the package. */
export type ShippedModel = (typeof SHIPPED_MODELS)[number];

export const SHIPPED: Readonly<Record<ShippedModel, () => ModelAddresses>> = {
  "strata-s": () => ({
    weights: new URL("../../models/strata-s/model.safetensors", import.meta.url).href,
    config: new URL("../../models/strata-s/config.json", import.meta.url).href,
    graph: new URL("../../models/strata-s/graph.onnx", import.meta.url).href,
  }),
  "strata-xs": () => ({
    weights: new URL("../../models/strata-xs/model.safetensors", import.meta.url).href,
    config: new URL("../../models/strata-xs/config.json", import.meta.url).href,
    graph: new URL("../../models/strata-xs/graph.onnx", import.meta.url).href,
  }),
  "strata-t": () => ({
    weights: new URL("../../models/strata-t/model.safetensors", import.meta.url).href,
    config: new URL("../../models/strata-t/config.json", import.meta.url).href,
    graph: new URL("../../models/strata-t/graph.onnx", import.meta.url).href,
  }),
};
