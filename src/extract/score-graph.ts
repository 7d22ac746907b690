/**
 * Features of a score network, read off inside the graph: maxima of the score, positions between pixels, descriptors
 * sampled at them. It does what strata.ts does on maps, without 28 MB of maps leaving the runtime per 640×480 image.
 */
import { lax, np } from "../graph/jax.js";
import { foldedLayers, foldedPass } from "../model/layers/folded.js";
import type { Network } from "../model/layers/layers.js";
import { type Arr, type Conv, softmaxLast } from "../model/operators.js";
import { sampleLinear, sampleWindows, topCells } from "../model/sampling.js";
import { type ScoreNetwork, scoresOf } from "../model/score-network.js";
import { SOFT_ARGMAX } from "./localize.js";

export interface KeypointInputs {
  /** Normalised image [N, 3, H, W], H and W multiples of 16. */
  image: Arr;
  /** [2, W] and [2, H] of 0 and 1: first row, columns (rows) that belong to the image and not to its padding; second, those that may hold keypoints. */
  columns: Arr;
  rows: Arr;
  /** [K]: only its length counts, the number of keypoints; K ≤ H·W. */
  slots: Arr;
  params: Record<string, Conv>;
}

export interface KeypointOutputs {
  [name: string]: Arr;
  /** [N, K, 2] x, y in pixels. */
  keypoints: Arr;
  /** [N, K], best first; 0 where there are fewer keypoints than slots. */
  scores: Arr;
  /** [N, K, dim], unit length. */
  descriptors: Arr;
}

/**
 * The maps of a network: encoded ones of the descriptor's levels by name, map1…map4 [N, dim, H/2ˡ, W/2ˡ], `attention`
 * [N, 2, H, W] and `score` [N, 1, H, W].
 */
export const denseMaps = (build: Network<ScoreNetwork>) =>
  foldedPass((layers) => {
    const network = build(layers);
    return (image): Record<string, Arr> => {
      const { levels, logits } = network.maps(image);
      const scores = scoresOf(network, logits);
      const encoded = levels.map((map, i) => [`map${network.levels[i]}`, network.encoders[i](map)]);
      return { ...scores, ...Object.fromEntries(encoded) };
    };
  });

/** The network and its reading for windows of (2·radius + 1)² pixels. */
export function scoreKeypoints(
  build: Network<ScoreNetwork>,
  radius: number,
): (inputs: KeypointInputs) => KeypointOutputs {
  return ({ image, columns, rows, slots, params }) => {
    const network = build(foldedLayers(params));
    const { levels, logits } = network.maps(image);
    const { attention, score: whole } = scoresOf(network, logits);
    attention.dispose();
    const frame = (row: number): Arr =>
      rows.ref
        .slice(row)
        .reshape([-1, 1])
        .mul(columns.ref.slice(row).reshape([1, -1]));
    const score = whole.mul(frame(0));
    const peak = np.equal(windowMaximum(score.ref, radius), score.ref);
    const candidates = np.where(peak, score.ref, 0).mul(frame(1));
    rows.dispose();
    columns.dispose();
    const best = topCells(candidates, slots);
    const cells = best.ref.slice([], [], [0, 2]);
    const scores = best.slice([], [], 2);

    const offsets = np.array(windowOffsets(radius));
    const weights = softmaxLast(overTemperature(sampleWindows(score, cells.ref, offsets.ref)));
    const keypoints = cells.add(np.matmul(weights, offsets));

    const sum = describeAt(levels, keypoints.ref, network);
    const norm = np.sqrt(np.sum(np.square(sum.ref), 2, { keepdims: true }));
    return { keypoints, scores, descriptors: sum.div(np.maximum(norm, 1e-12)) };
  };
}

/** Offsets x, y of the cells of a (2·radius + 1)² window, row by row. */
export function windowOffsets(radius: number): number[][] {
  const steps = Array.from({ length: 2 * radius + 1 }, (_, i) => i - radius);
  return steps.flatMap((dy) => steps.map((dx) => [dx, dy]));
}

/** Windows [N, P, Q] of scores, ready for the softmax of a soft-argmax (localize.ts). */
export function overTemperature(values: Arr): Arr {
  const { share, least } = SOFT_ARGMAX;
  return values.ref.div(np.max(values, 2, { keepdims: true }).mul(share).add(least));
}

/**
 * The sum of what encoders see of their levels' maps [N, C, h, w] at keypoints [N, K, 2] → [N, K, dim]. A 1×1 convolution
 * commutes with sampling, so thousands of points are encoded, not a map of a hundred thousand; all levels' channels
 * together make it one product. Cells outside a map give not even the bias; how much of a point lies inside, a map of
 * ones says.
 */
function describeAt(maps: readonly Arr[], keypoints: Arr, { encoders, levels }: ScoreNetwork): Arr {
  const rows: Arr[] = [];
  const kernels: Arr[] = [];
  maps.forEach((map, i) => {
    const places = keypoints.ref
      .add(0.5)
      .mul(0.5 ** levels[i])
      .sub(0.5);
    const points = np.expandDims(places, 1);
    const ones = map.ref.slice([], [0, 1]).mul(0).add(1);
    rows.push(sampleLinear(map, points.ref), sampleLinear(ones, points));
    const { weight, bias } = encoders[i].weights();
    kernels.push(weight.slice([], [], 0, 0).transpose([1, 0]), bias.reshape([1, -1]));
  });
  keypoints.dispose();
  const seen = np.concatenate(rows, 1).slice([], [], 0).transpose([0, 2, 1]);
  return np.matmul(seen, np.concatenate(kernels, 0));
}

/** The largest value of each window, as far as it lies in the map; values must not be negative. One axis at a time. */
function windowMaximum(map: Arr, radius: number): Arr {
  const size = 2 * radius + 1;
  const pad = (across: boolean): [number, number] => (across ? [radius, radius] : [0, 0]);
  const along = (x: Arr, wide: boolean): Arr =>
    lax.reduceWindow(
      np.pad(x, [[0, 0], [0, 0], pad(!wide), pad(wide)]),
      (values) => np.max(values),
      wide ? [1, size] : [size, 1],
      [1, 1],
    );
  return along(along(map, true), false);
}
