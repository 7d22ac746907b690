/** Extraction as the reference does it (reference.md §2): keypoints per level, localized and described there, then joined. */
import { emptyFeatures, type FloatFeatures } from "../features.js";
import { cellToPixel } from "../geometry/coordinates.js";
import type { Image } from "../image/image.js";
import { padImageTo } from "../image/pad.js";
import { ignoreBeside } from "../model/checkpoint.js";
import { fold, foldedPass } from "../model/layers/folded.js";
import type { Layers } from "../model/layers/layers.js";
import { LEVELS, type ReferenceOptions, type ReferenceShape, referenceNetwork } from "../model/reference.js";
import type { WeightReader } from "../model/weights.js";
import type { DenseModel } from "./dense-model.js";
import { cornersInside, normalizeRows, Sampler } from "./describe.js";
import { allCells, type Candidates, hardDetection, windowMaxima } from "./detect.js";
import { newtonStep } from "./localize.js";
import { type Covered, channelOf, type DenseMap, type MapViews, withTop } from "./maps.js";
import type { ExtractOptions } from "./options.js";
import { type PreprocessingName, preprocessings } from "./preprocess.js";
import { bestFirst } from "./select.js";

/** The reference cuts at 0.3 and suppresses nothing unless asked. */
export const REFERENCE_DEFAULTS: Partial<ExtractOptions> = { threshold: 0.3, nms: false, maxFeatures: null };

/** An image smaller than this (after which the deepest map is one cell) is padded up to it. */
const SMALLEST = 32;
/** attention_model averages its levels, which have one size when the stem's output divides by 16. */
const EVEN = 16;

export interface ReferenceModelOptions extends ReferenceOptions {
  preprocessing: PreprocessingName;
}

/** How images are grown: to `even.lost` more than a multiple of `even.multiple`, or to `smallest`; a cell is 2^halvings pixels. */
export interface ReferenceFamily {
  kind: "reference";
  even: { lost: number; multiple: number } | null;
  smallest: number;
  halvings: number;
}

/** The reference network as a dense model, with the weights of a checkpoint. */
export function referenceModel(
  name: string,
  reader: WeightReader,
  sha256: string,
  shape: ReferenceShape,
  options: ReferenceModelOptions,
): DenseModel<ReferenceFamily> {
  const { attention, dim } = shape;
  const even =
    attention === "attention_model"
      ? { lost: options.firstStride === 1 ? 6 : 0, multiple: EVEN * options.firstStride }
      : null;
  const build = (layers: Layers) => referenceNetwork(layers, shape, options);
  const params = fold(build, reader);
  ignoreBeside(reader, attention);
  reader.finish();
  return {
    name,
    family: { kind: "reference", even, smallest: SMALLEST, halvings: halvingsOf(options) },
    sha256,
    dim,
    preprocessing: preprocessings[options.preprocessing],
    network: foldedPass(build),
    params,
    sampleSizes: even
      ? {
          H: [even.lost + 4 * even.multiple, even.lost + 6 * even.multiple],
          W: [even.lost + 5 * even.multiple, even.lost + 8 * even.multiple],
        }
      : { H: [134, 166], W: [160, 204] },
    fit: (image) => fitImage(image, even),
    read: (maps, size, extract) => readFeatures(maps, size, extract, options, dim),
    views: referenceViews,
  };
}

/** Scores level by level. */
export function referenceViews(maps: Record<string, DenseMap>, covered: Covered): MapViews {
  const scores = LEVELS.map((name, i) => withTop(`${name}: score`, channelOf(maps[`score${i}`], 0, covered)));
  return { maps: scores, note: "score of every position, level by level; each map from 0 to its own highest." };
}

/** How often the image was halved before a map's cells. */
function halvingsOf({ firstStride, replaceStrideWithDilation }: ReferenceOptions): number {
  return 3 - (firstStride === 1 ? 1 : 0) - (replaceStrideWithDilation ? 1 : 0);
}

function fitImage(image: Image, even: { lost: number; multiple: number } | null): Image {
  if (even) {
    const whole = (size: number) =>
      Math.ceil(Math.max(size - even.lost, 1) / even.multiple) * even.multiple + even.lost;
    return padImageTo(image, whole(image.width), whole(image.height));
  }
  return padImageTo(image, Math.max(image.width, SMALLEST), Math.max(image.height, SMALLEST));
}

/** Keypoints of one level, in its cells. */
interface LevelPoints {
  positions: Float64Array;
  scores: Float32Array;
}

function readFeatures(
  maps: Record<string, DenseMap>,
  { width, height }: { width: number; height: number },
  options: ExtractOptions,
  network: ReferenceModelOptions,
  dim: number,
): FloatFeatures {
  const halvings = halvingsOf(network);
  const levels = LEVELS.map((_, i) => {
    const points = detect(maps[`map${i}`], maps[`score${i}`], options);
    return keepInside(points, maps[`map${i}`], halvings, width, height);
  });
  const all = concat(levels.map(({ scores }) => scores));
  const order = bestFirst(
    all,
    options.threshold === 0 ? Number.NEGATIVE_INFINITY : options.threshold,
    options.maxFeatures,
  );
  if (order.length === 0) return { ...emptyFeatures([width, height], dim), levels: new Uint8Array(0) };
  return join(levels, order, maps, options, { dim, halvings, width, height });
}

function concat(arrays: Float32Array[]): Float32Array {
  const out = new Float32Array(arrays.reduce((n, a) => n + a.length, 0));
  let at = 0;
  for (const array of arrays) {
    out.set(array, at);
    at += array.length;
  }
  return out;
}

/** Detection and localization on one level. Hard detection works on the descriptor map, in the detected channel. */
function detect(map: DenseMap, score: DenseMap, options: ExtractOptions): LevelPoints {
  const { width, height } = map;
  const hard = options.detection === "d2net";
  // What falls below the threshold anyway need not be localized.
  const found: Candidates = hard
    ? hardDetection(map.data, map.channels, width, height)
    : options.nms
      ? windowMaxima(score.data, { width, height }, 1, options.threshold)
      : allCells(score.data, options.threshold);
  const positions = new Float64Array(2 * found.cells.length);
  const scores = new Float32Array(found.cells.length);
  const step = new Float64Array(2);
  const n = width * height;
  let count = 0;
  for (let k = 0; k < found.cells.length; k++) {
    const x = found.cells[k] % width;
    const y = (found.cells[k] - x) / width;
    if (options.refine === "subpixel") {
      const channel = found.channels?.[k] ?? 0;
      const plane = hard ? map.data.subarray(channel * n, (channel + 1) * n) : score.data;
      if (!newtonStep(plane, x, y, width, height, step)) continue;
    }
    positions[2 * count] = x + step[0];
    positions[2 * count + 1] = y + step[1];
    scores[count++] = found.scores[k];
  }
  return { positions: positions.subarray(0, 2 * count), scores: scores.subarray(0, count) };
}

/** Drops positions that cannot be described (a corner outside the map) or that lie outside the image. */
function keepInside(points: LevelPoints, map: DenseMap, halvings: number, width: number, height: number): LevelPoints {
  const { positions, scores } = points;
  let count = 0;
  for (let k = 0; k < scores.length; k++) {
    const [x, y] = [positions[2 * k], positions[2 * k + 1]];
    if (!cornersInside(x, y, map.width, map.height)) continue;
    if (cellToPixel(x, halvings) > width - 0.5 || cellToPixel(y, halvings) > height - 0.5) continue;
    positions[2 * count] = x;
    positions[2 * count + 1] = y;
    scores[count++] = scores[k];
  }
  return { positions: positions.subarray(0, 2 * count), scores: scores.subarray(0, count) };
}

interface Geometry {
  dim: number;
  halvings: number;
  width: number;
  height: number;
}

/** Describes the chosen points level by level and puts them in order. */
function join(
  levels: LevelPoints[],
  order: Uint32Array,
  maps: Record<string, DenseMap>,
  options: ExtractOptions,
  { dim, halvings, width, height }: Geometry,
): FloatFeatures {
  const count = order.length;
  const features: FloatFeatures = {
    count,
    dim,
    imageSize: [width, height],
    keypoints: new Float32Array(2 * count),
    scores: new Float32Array(count),
    levels: new Uint8Array(count),
    descriptors: new Float32Array(count * dim),
  };
  let start = 0;
  levels.forEach(({ positions, scores }, level) => {
    const end = start + scores.length;
    const places = [...order.keys()].filter((k) => order[k] >= start && order[k] < end);
    const own = new Float64Array(2 * places.length);
    places.forEach((k, i) => {
      own[2 * i] = positions[2 * (order[k] - start)];
      own[2 * i + 1] = positions[2 * (order[k] - start) + 1];
    });
    const rows = new Float32Array(places.length * dim);
    const sampler = new Sampler(places.length);
    const map = maps[`map${level}`];
    sampler.place(own, map, [1, 1, 0, 0], options.sumDescriptors ? maps[`score${level}`].data : undefined);
    sampler.add(map, dim, rows);
    normalizeRows(rows, dim);
    places.forEach((k, i) => {
      features.keypoints[2 * k] = cellToPixel(own[2 * i], halvings);
      features.keypoints[2 * k + 1] = cellToPixel(own[2 * i + 1], halvings);
      features.scores[k] = scores[order[k] - start];
      (features.levels as Uint8Array)[k] = level;
      features.descriptors.set(rows.subarray(i * dim, (i + 1) * dim), k * dim);
    });
    start = end;
  });
  return features;
}
