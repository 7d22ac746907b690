/** What a model brings to the dense extractor (dense.ts): its network, how an image fits it, and how its maps are read. */
import type { numpy as np } from "@jax-js/jax";
import type { FloatFeatures } from "../features.js";
import type { Feed, InputSpec } from "../graph/compile.js";
import type { Tensor } from "../graph/session.js";
import type { Tree } from "../graph/trace.js";
import type { Image } from "../image/image.js";
import type { Covered, DenseMap, MapViews } from "./maps.js";
import type { ExtractOptions } from "./options.js";
import type { Preprocessing } from "./preprocess.js";
import type { Extent, ImageSize, TileNeeds } from "./tiles.js";

/**
 * A network that reads its own maps: features come out of the graph, and the maps, many times as large, never leave it.
 */
export interface GraphReading {
  /** What of it is decided by options: two readings of a model with the same text are the same graph. */
  readonly kind: string;
  /** The function to compile: of `image`, `params` and `inputs`. */
  readonly network: (inputs: never) => Tree<np.Array>;
  readonly inputs: Record<string, InputSpec>;
  /** Sample sizes of the named dimensions of `inputs`, beside the model's own. */
  readonly dims: Record<string, readonly [number, number]>;
  /** What is fed beside the image, for at most `maxFeatures` keypoints; `size` is the image before `fit`. */
  feeds(size: Extent, fitted: ImageSize, options: Pick<ExtractOptions, "maxFeatures">): Record<string, Feed>;
  /** The features of the i-th image of a batch. */
  read(outputs: Record<string, Tensor>, i: number, size: ImageSize): FloatFeatures;
}

/** A row of families.ts, with what an exported graph has to know of the model. */
export interface ModelFamily {
  readonly kind: string;
}

/** A network and how to read features off its outputs. */
export interface DenseModel<F extends ModelFamily = ModelFamily> {
  readonly name: string;
  readonly family: F;
  readonly sha256: string;
  /** Length of a descriptor. */
  readonly dim: number;
  /** As in ExtractorInfo. */
  readonly verdict?: Record<string, unknown>;
  readonly preprocessing: Preprocessing;
  /** The function to compile, its weights, and two sample sizes that its maps allow. */
  readonly network: (inputs: never) => Tree<np.Array>;
  readonly params: Tree<InputSpec>;
  readonly sampleSizes: { H: readonly [number, number]; W: readonly [number, number] };
  /** Throws an OptionError for options that this model has no use for. */
  checkOptions?(options: ExtractOptions): void;
  /** Whether keypoints in flat places are left out (flat.ts). Not where a reference's points are to be met. */
  readonly leavesFlatOut?: boolean;
  /** The image as the network wants it: grown to the right and down where it must be. */
  fit(image: Image): Image;
  /** How large images can be cut so that keypoints stay the same; absent where they cannot. */
  readonly tiles?: TileNeeds;
  /** Features of one image from its maps ([C, h, w] each); `size` is the image before `fit`. */
  read(maps: Record<string, DenseMap>, size: Extent, options: ExtractOptions): FloatFeatures;
  /** The same inside the graph, for options that it can serve; null: read the maps. */
  reading?(options: ExtractOptions): GraphReading | null;
  /** What there is to see in the maps, for pictures. */
  views?(maps: Record<string, DenseMap>, covered: Covered): MapViews;
}

/** Sample sizes of all named dimensions: the batch's, the model's and its reading's. */
export function sampleDims(
  { sampleSizes }: DenseModel,
  reading: Pick<GraphReading, "dims"> | null = null,
): Record<string, readonly [number, number]> {
  return { N: [2, 3], ...sampleSizes, ...reading?.dims };
}

/** The inputs of a model's graph that reads keypoints. */
export function readingInputs(model: DenseModel, reading: GraphReading): Record<string, Tree<InputSpec>> {
  return { image: { shape: ["N", 3, "H", "W"] }, ...reading.inputs, params: model.params };
}
