/** The extractor that traces what nobody prepared: other options, other models, models of an earlier build. */

import { FormatError } from "../errors.js";
import type { Compiled, compile, InputSpec } from "../graph/compile.js";
import { openPrepared } from "../graph/prepared.js";
import type { Tree } from "../graph/trace.js";
import { type GraphReading, sampleDims } from "./dense-model.js";
import { GraphExtractor } from "./graph-extractor.js";
import type { KeptGraphs, Network } from "./runtime.js";

export { type DenseRuntime, type KeptGraphs, type PreparedModel, TILE_PIXELS } from "./runtime.js";

/** What a graph of a network's maps has in place of its reading's options. */
const MAPS = "maps";

/** The extractor of every family: a network over an image, and features read off its maps. */
export class DenseExtractor extends GraphExtractor {
  /** Loaded when something is traced, and not before: it takes a quarter of a second. */
  protected override async loadCompile(): Promise<typeof compile> {
    return (await import("../graph/compile.js")).compile;
  }

  /** Where graphs are kept: as one was, or traced, opened as it will be the next time, and kept. */
  protected override async trace(
    network: Network,
    inputs: Record<string, Tree<InputSpec>>,
    reading: GraphReading | null,
    reason?: string,
  ): Promise<Compiled> {
    const { kept } = this.runtime;
    if (!kept) return super.trace(network, inputs, reading, reason);
    const key = { ...kept.key, options: reading?.kind ?? MAPS };
    const known = await this.openKept(kept, key, inputs);
    if (known) return known;
    const { prepareGraph } = await import("../graph/prepare.js");
    this.tellTraced(reason);
    const { name } = this.model;
    const file = await prepareGraph(network, inputs, key, { dims: sampleDims(this.model, reading), name });
    const compiled = await openPrepared(name, file, key, inputs, this.place());
    this.info.session = compiled.info;
    await kept.keep(key, file);
    return compiled;
  }

  /** Null where none was kept, or what was kept is damaged: it is made anew, and nobody needs to know. */
  private async openKept(
    kept: KeptGraphs,
    key: Readonly<Record<string, string>>,
    inputs: Record<string, Tree<InputSpec>>,
  ): Promise<Compiled | null> {
    const found = await kept.read(key);
    if (!found) return null;
    try {
      const compiled = await openPrepared(found.where, found.file, key, inputs, this.place());
      this.info.session = compiled.info;
      this.info.graph = { prepared: true, kept: found.where };
      return compiled;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return null;
    }
  }
}
