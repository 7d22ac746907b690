/** Extraction with the default family: one score map at full resolution, descriptors summed over four levels. */
import { OptionError } from "../errors.js";
import { emptyFeatures, type Features } from "../features.js";
import { padImage } from "../image/pad.js";
import type { StrataConfig } from "../model/config.js";
import { type StrataParams, strataNetwork } from "../model/strata.js";
import type { ConvWeights } from "../model/weights.js";
import type { DenseMap, DenseModel } from "./dense.js";
import { normalizeRows, Sampler } from "./describe.js";
import { allCells, windowMaxima } from "./detect.js";
import { softArgmax } from "./localize.js";
import type { ExtractOptions } from "./options.js";
import { fromUnit } from "./preprocess.js";
import { bestFirst } from "./select.js";

/** Options that a model of this family comes with. */
export function strataDefaults({ detection }: StrataConfig): Partial<ExtractOptions> {
  return { threshold: detection.threshold, nms: true, maxFeatures: detection.maxKeypoints };
}

/** The default family as a dense model. */
export function strataModel(config: StrataConfig, params: StrataParams<ConvWeights>, sha256: string): DenseModel {
  return {
    name: config.name,
    sha256,
    dim: config.descriptorDim,
    preprocessing: fromUnit(config.input.mean, config.input.std),
    network: strataNetwork,
    params: params as never,
    sampleSizes: { H: [128, 160], W: [160, 192] },
    checkOptions: (options) => checkOptions(config.name, options),
    fit: (image) => padImage(image, config.input.padMultiple),
    read: (maps, size, options) => readFeatures(maps, size, options, config),
  };
}

function checkOptions(name: string, { detection, sumDescriptors }: ExtractOptions): void {
  if (detection !== "attention") {
    throw new OptionError(`${name} detects by its score map; detection "${detection}" is for the reference network`);
  }
  if (sumDescriptors) {
    throw new OptionError(`${name} always sums its levels; "sumDescriptors" is for the reference network`);
  }
}

function readFeatures(
  maps: Record<string, DenseMap>,
  { width, height }: { width: number; height: number },
  options: ExtractOptions,
  config: StrataConfig,
): Features {
  const { nmsRadius: radius, border } = config.detection;
  const { data: score, width: stride } = maps.score;
  const area = { width, height, stride, border };
  const found = options.nms
    ? windowMaxima(score, area, radius, options.threshold)
    : insideCells(score, area, options.threshold);
  const order = bestFirst(found.scores, options.threshold, options.maxFeatures);
  const count = order.length;
  const dim = config.descriptorDim;
  if (count === 0) return emptyFeatures([width, height], dim);

  const keypoints = new Float32Array(2 * count);
  const scores = new Float32Array(count);
  const step = new Float64Array(2);
  for (let k = 0; k < count; k++) {
    const cell = found.cells[order[k]];
    const x = cell % width;
    const y = (cell - x) / width;
    if (options.refine === "subpixel") softArgmax(score, x, y, width, height, stride, radius, step);
    keypoints[2 * k] = x + step[0];
    keypoints[2 * k + 1] = y + step[1];
    scores[k] = found.scores[order[k]];
  }
  const descriptors = new Float32Array(count * dim);
  const sampler = new Sampler(count);
  const { width: paddedWidth, height: paddedHeight } = maps.score;
  for (const map of [maps.map1, maps.map2, maps.map3, maps.map4]) {
    const [sx, sy] = [map.width / paddedWidth, map.height / paddedHeight];
    sampler.place(keypoints, map, [sx, sy, 0.5 * sx - 0.5, 0.5 * sy - 0.5]);
    sampler.add(map, dim, descriptors);
  }
  return { count, dim, imageSize: [width, height], keypoints, scores, descriptors: normalizeRows(descriptors, dim) };
}

/** Without suppression: every cell of the unpadded image away from its border. */
function insideCells(
  score: Float32Array,
  area: { width: number; height: number; stride: number; border: number },
  threshold: number,
) {
  const { width, height, stride, border } = area;
  const cut = new Float32Array(width * height);
  for (let y = border; y < height - border; y++) {
    const from = y * stride;
    cut.set(score.subarray(from + border, from + Math.max(border, width - border)), y * width + border);
  }
  return allCells(cut, threshold);
}
