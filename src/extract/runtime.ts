/** Where an extractor runs, and what it need not make: graphs that were prepared, or traced before. */

import type { numpy as np } from "@jax-js/jax";
import type { CompileOptions, compile } from "../graph/compile.js";
import type { GraphKey } from "../graph/prepared.js";
import type { Tree } from "../graph/trace.js";

/** A graph that was prepared for the model (graph/prepared.ts): the file's bytes, its place, and what it has to be made of. */
export interface PreparedModel {
  where: string;
  file: Uint8Array;
  key: GraphKey;
}

/** Where graphs that were traced are kept for the next time (node/graph-cache.ts). */
export interface KeptGraphs {
  /** What a graph has to be made of, beside what its reading adds. */
  key: GraphKey;
  /** The file of that graph and its place; null where there is none. */
  read(key: GraphKey): Promise<{ where: string; file: Uint8Array } | null>;
  /** Keeps it, or does not where that is not possible. */
  keep(key: GraphKey, file: Uint8Array): Promise<void>;
}

/** A function to compile. */
export type Network = (inputs: never) => Tree<np.Array>;

/** Pixels of a tile where nothing else is said: with the default model some 220 bytes of memory for each of them. */
export const TILE_PIXELS = 2 ** 21;

/** Where an extractor runs, its prepared graph if there is one, and how much it looks at at once. */
export interface DenseRuntime extends Pick<CompileOptions, "runtime" | "backend" | "threads"> {
  prepared?: PreparedModel | null;
  /** An image with more pixels than this is extracted in tiles of at most as many. Default 2²¹. */
  tilePixels?: number;
  /** Bytes that an image and its tiles may take together: beside large images tiles are smaller. Default: any number. */
  memory?: number;
  /** Graphs that a DenseExtractor has traced before. Default: none are kept. */
  kept?: KeptGraphs | null;
  /** Traces what nobody prepared. Default: in a GraphExtractor none, in a DenseExtractor that of graph/compile.ts. */
  compile?: typeof compile;
}
