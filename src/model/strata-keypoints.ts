/**
 * The default family's features, read off inside the graph: maxima of the score, positions between pixels, descriptors
 * sampled at them. It does what extract/strata.ts does on maps, without 28 MB of maps leaving the runtime per 640×480
 * image.
 */
import { lax, numpy as np } from "@jax-js/jax";
import { type Arr, type Conv, softmaxLast } from "./operators.js";
import { sampleLinear, sampleWindows, topCells } from "./sampling.js";
import { type StrataParams, strataMaps } from "./strata.js";
import type { StrataForm } from "./strata-form.js";

export interface KeypointInputs {
  /** Normalised image [N, 3, H, W], H and W multiples of 16. */
  image: Arr;
  /** [2, W] and [2, H] of 0 and 1: first row, columns (rows) that belong to the image and not to its padding; second, those that may hold keypoints. */
  columns: Arr;
  rows: Arr;
  /** [K]: only its length counts, the number of keypoints; K ≤ H·W. */
  slots: Arr;
  params: StrataParams<Conv>;
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

/** The network and its reading for windows of (2·radius + 1)² pixels. */
export function strataKeypoints(radius: number, form: StrataForm): (inputs: KeypointInputs) => KeypointOutputs {
  const size = 2 * radius + 1;
  const steps = Array.from({ length: size }, (_, i) => i - radius);
  const window = steps.flatMap((dy) => steps.map((dx) => [dx, dy]));
  return ({ image, columns, rows, slots, params }) => {
    const { score: whole, attention, levels } = strataMaps({ image, params }, form);
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

    // Soft-argmax: the mean offset of the window, weighted by exp(score / (0.1 · largest + 1e-9)).
    const offsets = np.array(window);
    const values = sampleWindows(score, cells.ref, offsets.ref);
    const temperature = np.max(values.ref, 2, { keepdims: true }).mul(0.1).add(1e-9);
    const weights = softmaxLast(values.div(temperature));
    const keypoints = cells.add(np.matmul(weights, offsets));

    const sum = describeAt(levels, keypoints.ref, params.encoders, form.descriptorLevels);
    const norm = np.sqrt(np.sum(np.square(sum.ref), 2, { keepdims: true }));
    return { keypoints, scores, descriptors: sum.div(np.maximum(norm, 1e-12)) };
  };
}

/**
 * The sum of what encoders see of their levels' maps [N, C, h, w] at keypoints [N, K, 2] → [N, K, dim]. A 1×1 convolution
 * commutes with sampling, so thousands of points are encoded, not a map of a hundred thousand; all levels' channels
 * together make it one product. Cells outside a map give not even the bias; how much of a point lies inside, a map of
 * ones says.
 */
function describeAt(maps: readonly Arr[], keypoints: Arr, encoders: readonly Conv[], levels: readonly number[]): Arr {
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
    const { weight, bias } = encoders[i];
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
