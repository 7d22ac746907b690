/**
 * The calls by which the command line reaches models. Behind one interface, so that its own logic is tested without
 * a network, and imported when called, so that `strata --help` does not load a runtime.
 */
import type { Extractor } from "../extract/extractor.js";
import type { ModelDescription, OpenOptions } from "../node/extractor.js";

export interface Engine {
  openExtractor(options: OpenOptions): Promise<Extractor>;
  describeModel(nameOrPath?: string): Promise<ModelDescription>;
  /** What models run on here, for people. */
  describeRuntime(): Promise<string>;
  /** Graphs that were traced and are kept for the next run. */
  describeKept(): Promise<{ folder: string; graphs: number; bytes: number }>;
}

/** Real models, on onnxruntime-node; matching runs there as well, as it does behind the Node door. */
export const nodeEngine: Engine = {
  async openExtractor(options) {
    const [{ openExtractor }, { nodeRuntime }, { setDefaultRuntime }] = await Promise.all([
      import("../node/extractor.js"),
      import("../node/runtime.js"),
      import("../graph/session.js"),
    ]);
    setDefaultRuntime(nodeRuntime);
    return openExtractor(options);
  },
  describeRuntime: async () => (await import("../node/runtime.js")).describeRuntime(),
  describeKept: async () => (await import("../node/graph-cache.js")).describeKept(),
  describeModel: async (nameOrPath) => (await import("../node/extractor.js")).describeModel(nameOrPath),
};
