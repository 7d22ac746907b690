/**
 * A model as one ONNX file from an RGB image to keypoints, scores and descriptors: all that an extractor does around its
 * network, at every scale, is in the graph. The weights are stored once, whatever the number of scales.
 */

import { checkObject, wrong } from "../check.js";
import { OptionError, UnsupportedError } from "../errors.js";
import { type DenseModel, sampleDims } from "../extract/dense-model.js";
import type { ExtractOptions } from "../extract/options.js";
import { extractOptions } from "../extract/options.js";
import { OnnxBuilder } from "../graph/onnx.js";
import { buildForEverySize } from "../graph/same.js";
import { type Sample, samplesOf } from "../graph/samples.js";
import { PACKINGS, type Packing } from "../model/pack.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { listOfAllScales } from "./all-scales.js";
import { EXPORT_FORMATS, type ExportFormat, PIXEL_TYPES, type PixelType } from "./choices.js";
import { colmapInputs, colmapOutputs } from "./colmap.js";
import { finishList } from "./lists.js";
import { Nodes, type Size } from "./nodes.js";
import type { Pixels } from "./pixels.js";
import { storeWeights } from "./weights.js";

/** How a model becomes an ONNX file. */
export interface ExportOptions {
  /**
   * "strata": 8-bit pixels in, a fixed number of rows out. "colmap": what COLMAP runs as an ALIKED model; images of any
   * size, one at a time, and how many keypoints is said when it runs, so that `input`, `size`, `batch` and
   * `maxFeatures` have no say. Default "strata".
   */
  format: ExportFormat;
  /** Element type of `image`: 8-bit pixels, or the same numbers 0…255 as floats. Default "uint8". */
  input: PixelType;
  /** [width, height] of every image; null: any. Default null. */
  size: readonly [number, number] | null;
  /** Images at a time; null: any number. Default null. */
  batch: number | null;
  /** How weights are stored; all arithmetic is in fp32. Default "fp32". */
  precision: Packing;
  /** Version of strata, for the file's own account of itself. Default: left out. */
  producerVersion: string | undefined;
}

export const EXPORT_DEFAULTS: ExportOptions = {
  format: "strata",
  input: "uint8",
  size: null,
  batch: null,
  precision: "fp32",
  producerVersion: undefined,
};

/** Slots of a model that by itself has no limit (the reference's). */
export const DEFAULT_SLOTS = 10_000;

/** An ONNX file from an image to features. */
export interface ExportedModel {
  /** The ONNX file. */
  bytes: Uint8Array;
  /** Rows of its outputs; null where whoever runs it says how many. */
  slots: number | null;
  dim: number;
  nodes: number;
  /** Bytes of all stored tensors. */
  weightBytes: number;
  metadata: Record<string, string>;
}

/** Largest edge and batch of a static file: more is a mistake of the command line. */
const LARGEST = { edge: 65_535, batch: 1024, slots: 1_000_000 };

/**
 * The ONNX file of a model under extraction options (those of an extractor over it). Inputs: `image` [N, H, W, 3].
 * Outputs: `keypoints` [N, K, 2] (x, y in pixels of the image), `scores` [N, K], `descriptors` [N, K, dim]; K is
 * `maxFeatures`, and where there are fewer keypoints the rest is 0. Of the format "colmap": export/colmap.ts.
 */
export async function exportFeatures(
  model: DenseModel,
  extract: ExtractOptions,
  given: Partial<ExportOptions> = {},
): Promise<ExportedModel> {
  const where = "export";
  checkObject(where, "model", model);
  for (const [name, value] of Object.entries({ network: model.network, fit: model.fit })) {
    if (typeof value !== "function")
      throw wrong(where, `model.${name}`, "a function (a model, as openStrata gives it)", value);
  }
  checkObject(where, "the extraction options", extract);
  const options = checkOptions(withDefaults("export", EXPORT_DEFAULTS, given));
  const reading = checkReading(extract);
  const dims = sampleDims(model, model.reading?.(reading));
  const { builder } = await buildForEverySize(samplesOf(Object.keys(dims), dims), async (sample) => ({
    builder: await build(model, reading, options, sample),
  }));
  storeWeights(builder, options.precision);
  const { format, size, batch, input, precision, producerVersion } = options;
  const colmap = format === "colmap";
  const slots = colmap ? null : reading.maxFeatures;
  const metadata = {
    model: model.name,
    sha256: model.sha256,
    options: JSON.stringify({
      threshold: reading.threshold,
      maxFeatures: slots,
      scales: reading.scales,
      nms: reading.nms,
      refine: reading.refine,
    }),
    format,
    input,
    size: size ? size.join("x") : "any",
    batch: batch === null ? "any" : String(batch),
    weights: precision,
    arithmetic: "fp32",
  };
  const live = builder.live();
  return {
    bytes: builder.toBytes(model.name, {
      producerVersion,
      description: colmap
        ? "Local image features as COLMAP reads ALIKED's: image [1, 3, H, W] RGB 0..1, max_keypoints, min_score to " +
          "keypoints [1, K, 2] (-1 and 1 are the outermost pixels' centres), descriptors [1, K, dim], scores [1, K]."
        : "Local image features: image [N, H, W, 3] RGB 0..255 to keypoints [N, K, 2] (x, y in pixels, pixel centres " +
          "on integers), scores [N, K] (0: no keypoint), descriptors [N, K, dim] of length 1.",
      metadata,
    }),
    slots,
    dim: model.dim,
    nodes: live.nodes.length,
    weightBytes: live.initializers.reduce((sum, { data }) => sum + data.byteLength, 0),
    metadata,
  };
}

type Reading = ExtractOptions & { maxFeatures: number };

/** The whole graph, its functions traced at one sample of the sizes. */
async function build(
  model: DenseModel,
  reading: Reading,
  options: ExportOptions,
  sample: Sample,
): Promise<OnnxBuilder> {
  const builder = new OnnxBuilder();
  const nodes = new Nodes(builder);
  if (options.format === "colmap") {
    const inputs = colmapInputs(nodes);
    const listing = { ...reading, maxFeatures: inputs.maxKeypoints };
    const found = await listOfAllScales(nodes, inputs.pixels, model, listing, sample);
    colmapOutputs(nodes, found, inputs, { dim: model.dim, threshold: reading.threshold });
    return builder;
  }
  const [width, height] = options.size ?? ["W", "H"];
  const batch = options.batch ?? "N";
  const image = builder.input("image", options.input, [batch, height, width, 3]);
  const sizeOf = (size: number | string, axis: number): Size =>
    typeof size === "number" ? size : nodes.length(image, axis);
  const pixels: Pixels = { name: image, type: options.input, width: sizeOf(width, 2), height: sizeOf(height, 1) };
  const slots = reading.maxFeatures;
  const merged = await listOfAllScales(nodes, pixels, model, reading, sample);
  const { keypoints, scores, descriptors } = finishList(nodes, merged, reading.threshold, slots);
  builder.output("keypoints", keypoints, "float32", [batch, slots, 2]);
  builder.output("scores", scores, "float32", [batch, slots]);
  builder.output("descriptors", descriptors, "float32", [batch, slots, model.dim]);
  return builder;
}

function checkOptions(options: ExportOptions): ExportOptions {
  checkChoice("export", "format", options.format, EXPORT_FORMATS);
  checkChoice("export", "input", options.input, PIXEL_TYPES);
  checkChoice("export", "precision", options.precision, PACKINGS);
  const { format, input, size, batch } = options;
  if (format === "colmap") {
    const fixed = { input: input !== EXPORT_DEFAULTS.input, size: size !== null, batch: batch !== null };
    const [name] = Object.entries(fixed).find(([, given]) => given) ?? [];
    if (name) {
      throw new OptionError(
        `export: "${name}" does not go with the format "colmap": COLMAP feeds floats, images of any size, one at a time`,
      );
    }
    // What is fed, for whoever reads the file's own account.
    return { ...options, input: "float32", batch: 1 };
  }
  if (size !== null) {
    if (!Array.isArray(size) || size.length !== 2) throw new OptionError(`export: "size" must be [width, height]`);
    for (const edge of size) checkNumber("export", "size", edge, { min: 1, max: LARGEST.edge, integer: true });
  }
  if (batch !== null) checkNumber("export", "batch", batch, { min: 1, max: LARGEST.batch, integer: true });
  return options;
}

/** Options that a graph can have: a fixed number of slots, and no reduction of large images beforehand. */
function checkReading(given: ExtractOptions): Reading {
  const options = extractOptions(given);
  const { maxFeatures = null, maxEdge, maxSumEdges } = options;
  if (maxEdge !== null || maxSumEdges !== null) {
    throw new UnsupportedError(
      'export: "maxEdge" and "maxSumEdges" are not in an exported graph; scale images down before you feed them',
    );
  }
  if (options.spread) {
    throw new UnsupportedError('export: "spread" is not in an exported graph; its keypoints are the best by score');
  }
  if (maxFeatures === null) {
    throw new OptionError('export: an ONNX file has room for a fixed number of keypoints; give "maxFeatures" a number');
  }
  checkNumber("export", "maxFeatures", maxFeatures, { min: 1, max: LARGEST.slots, integer: true });
  return { ...options, maxFeatures };
}
