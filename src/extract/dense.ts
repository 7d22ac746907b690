/** The extractor that traces what nobody prepared: other options, other models, models of an earlier build. */
import type { compile } from "../graph/compile.js";
import { GraphExtractor } from "./graph-extractor.js";

export { type DenseRuntime, type PreparedModel, TILE_PIXELS } from "./graph-extractor.js";

/** The extractor of every family: a network over an image, and features read off its maps. */
export class DenseExtractor extends GraphExtractor {
  /** Loaded when something is traced, and not before: it takes a quarter of a second. */
  protected override async loadCompile(): Promise<typeof compile> {
    return (await import("../graph/compile.js")).compile;
  }
}
