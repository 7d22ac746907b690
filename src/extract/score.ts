/** Extraction with networks of one score map at full resolution, whose descriptors are summed over levels (model/score-network.ts). */
import { OptionError } from "../errors.js";
import { emptyFeatures, type FloatFeatures } from "../features.js";
import { padImage } from "../image/pad.js";
import { fold } from "../model/layers/folded.js";
import type { Network } from "../model/layers/layers.js";
import { outline } from "../model/layers/record.js";
import type { ScoreConfig } from "../model/score-config.js";
import type { ScoreNetwork } from "../model/score-network.js";
import type { WeightReader } from "../model/weights.js";
import type { DenseModel, GraphReading } from "./dense-model.js";
import { normalizeRows, Sampler } from "./describe.js";
import { allCells, candidateBox, type MapArea, windowMaxima } from "./detect.js";
import { softArgmax } from "./localize.js";
import { type Covered, channelOf, type DenseMap, type MapViews, normsOf, withTop } from "./maps.js";
import type { ExtractOptions } from "./options.js";
import { fromUnit } from "./preprocess.js";
import { denseMaps, scoreKeypoints } from "./score-graph.js";
import { bestFirst } from "./select.js";
import type { Extent } from "./tiles.js";

/** Options that such a model comes with. */
export function scoreDefaults({ detection }: ScoreConfig): Partial<ExtractOptions> {
  const { threshold, maxKeypoints, scales = [1] } = detection;
  return { threshold, nms: true, maxFeatures: maxKeypoints, scales };
}

/** Images grow to a multiple of `padMultiple`; `border` pixels at the edge have no keypoints. */
export interface ScoreGeometry {
  kind: string;
  padMultiple: number;
  border: number;
}

/** The network as a dense model, with the weights of a file. */
export function scoreModel(
  kind: string,
  config: ScoreConfig,
  build: Network<ScoreNetwork>,
  reader: WeightReader,
  sha256: string,
): DenseModel<ScoreGeometry> {
  const params = fold(build, reader);
  reader.finish();
  return {
    name: config.name,
    family: { kind, padMultiple: config.input.padMultiple, border: config.detection.border },
    sha256,
    dim: config.descriptorDim,
    verdict: config.verdict,
    preprocessing: fromUnit(config.input.mean, config.input.std),
    network: denseMaps(build),
    params,
    sampleSizes: { H: [128, 160], W: [160, 208] },
    checkOptions: (options) => checkOptions(config.name, options),
    fit: (image) => padImage(image, config.input.padMultiple),
    tiles: tilesOf(build, config),
    read: (maps, size, options) => readFeatures(maps, size, options, config),
    reading: (options) => readInGraph(options, config, build),
    leavesFlatOut: true,
    views: scoreViews,
  };
}

/** What a keypoint depends on: its window's scores, and the descriptor at a position anywhere in the window. */
function tilesOf(build: Network<ScoreNetwork>, { input, detection }: ScoreConfig): DenseModel["tiles"] {
  const { reach } = outline(build).network;
  return reach === undefined ? undefined : { margin: reach + detection.nmsRadius, multiple: input.padMultiple };
}

/** Repeatability, reliability, their product, and each level's share of the descriptor. */
export function scoreViews(maps: Record<string, DenseMap>, covered: Covered): MapViews {
  const heads = [
    { name: "repeatability", map: channelOf(maps.attention, 0, covered), top: 1 },
    { name: "reliability", map: channelOf(maps.attention, 1, covered), top: 1 },
    withTop("score: their product", channelOf(maps.score, 0, covered)),
  ];
  const norms = Object.entries(maps).flatMap(([name, map]) => {
    const level = /^map(\d+)$/.exec(name)?.[1];
    return level === undefined ? [] : [withTop(`level ${level}: added length`, normsOf(map, covered))];
  });
  // The levels are summed, so that one scale for all of them shows which one speaks.
  const top = norms.reduce((most, one) => Math.max(most, one.top), 0);
  return {
    maps: [...heads, ...norms.map((one) => ({ ...one, top }))],
    note: "scores at full resolution, and the length of what each level, early to deep, adds to the descriptor (one scale for all levels).",
  };
}

/**
 * The reading of `readFeatures` inside the graph, where a number of keypoints is asked for, with suppression and
 * positions between pixels: 37 ms less per 640×480 image on one core, most of them for maps that are not copied.
 */
function readInGraph(
  { nms, refine, maxFeatures, threshold }: ExtractOptions,
  config: ScoreConfig,
  build: Network<ScoreNetwork>,
) {
  if (!nms || refine !== "subpixel" || maxFeatures === null) return null;
  const { descriptorDim: dim } = config;
  const { nmsRadius, border } = config.detection;
  const reading: GraphReading = {
    kind: "keypoints",
    network: scoreKeypoints(build, nmsRadius),
    inputs: { columns: { shape: [2, "W"] }, rows: { shape: [2, "H"] }, slots: { shape: ["K"] } },
    dims: { K: [50, 60] },
    feeds: (size, fitted, asked) => ({
      columns: {
        data: frame(size.width, fitted.width, border, size.core?.left, size.core?.right),
        shape: [2, fitted.width],
      },
      rows: {
        data: frame(size.height, fitted.height, border, size.core?.top, size.core?.bottom),
        shape: [2, fitted.height],
      },
      slots: slots(Math.min(asked.maxFeatures ?? maxFeatures, fitted.width * fitted.height)),
    }),
    read(outputs, i, { width, height }) {
      const [keypoints, scores, descriptors] = ["keypoints", "scores", "descriptors"].map(
        (name) => outputs[name].data as Float32Array,
      );
      const each = outputs.scores.shape[1];
      const from = i * each;
      // Best first: what has no score, or too little, is at the end.
      let count = 0;
      while (count < each && scores[from + count] > 0 && scores[from + count] >= threshold) count++;
      if (count === 0) return emptyFeatures([width, height], dim);
      return {
        count,
        dim,
        imageSize: [width, height],
        keypoints: keypoints.slice(2 * from, 2 * (from + count)),
        scores: scores.slice(from, from + count),
        descriptors: descriptors.slice(dim * from, dim * (from + count)),
      };
    },
  };
  return reading;
}

/** [2, padded]: ones where the image is; ones where it may hold keypoints, from `from` to `to` − 1 and not at its border. */
function frame(length: number, padded: number, border: number, from = 0, to = length): Float32Array {
  const rows = new Float32Array(2 * padded).fill(1, 0, length);
  const first = Math.max(border, from);
  return rows.fill(1, padded + first, padded + Math.max(first, Math.min(length - border, to)));
}

const slots = (count: number) => ({ data: new Float32Array(count), shape: [count] });

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
  { width, height, core }: Extent,
  options: ExtractOptions,
  config: ScoreConfig,
): FloatFeatures {
  const { nmsRadius: radius, border } = config.detection;
  const { data: score, width: stride } = maps.score;
  const area = { width, height, stride, border, core };
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
  for (const [name, map] of Object.entries(maps)) {
    if (!name.startsWith("map")) continue;
    const [sx, sy] = [map.width / paddedWidth, map.height / paddedHeight];
    sampler.place(keypoints, map, [sx, sy, 0.5 * sx - 0.5, 0.5 * sy - 0.5]);
    sampler.add(map, dim, descriptors);
  }
  return { count, dim, imageSize: [width, height], keypoints, scores, descriptors: normalizeRows(descriptors, dim) };
}

/** Without suppression: every cell of the unpadded image, or of its core, away from its border. */
function insideCells(score: Float32Array, area: MapArea, threshold: number) {
  const { width, height, stride = width } = area;
  const { left, top, right, bottom } = candidateBox(area);
  const cut = new Float32Array(width * height);
  for (let y = top; y < bottom; y++) {
    const from = y * stride;
    cut.set(score.subarray(from + left, from + Math.max(left, right)), y * width + left);
  }
  return allCells(cut, threshold);
}
