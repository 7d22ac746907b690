/**
 * The default family's features, read off inside the graph: maxima of the score, positions between pixels, descriptors
 * sampled at them. It does what extract/strata.ts does on maps, without 28 MB of maps leaving the runtime per 640×480
 * image.
 */
import { lax, nn, numpy as np } from "@jax-js/jax";
import type { Join } from "./config.js";
import type { Arr, Conv } from "./layers.js";
import { sampleLinear, sampleNearest, topCells } from "./sampling.js";
import { type StrataParams, strataMaps } from "./strata.js";

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
export function strataKeypoints(radius: number, join: Join): (inputs: KeypointInputs) => KeypointOutputs {
  const size = 2 * radius + 1;
  const steps = Array.from({ length: size }, (_, i) => i - radius);
  const window = steps.flatMap((dy) => steps.map((dx) => [dx, dy]));
  return ({ image, columns, rows, slots, params }) => {
    const { score: whole, attention, levels } = strataMaps({ image, params }, join);
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
    const around = np.expandDims(cells.ref, 2).add(offsets.ref);
    const values = sampleNearest(score, around).slice([], 0);
    const temperature = np.max(values.ref, 2, { keepdims: true }).mul(0.1).add(1e-9);
    const weights = nn.softmax(values.div(temperature), 2);
    const keypoints = cells.add(np.sum(np.expandDims(weights, 3).mul(offsets), 2));

    const seen = levels.map((map, i) => {
      const places = keypoints.ref
        .add(0.5)
        .mul(0.5 ** (i + 1))
        .sub(0.5);
      return encodeAt(map, np.expandDims(places, 1), params.encoders[i]);
    });
    const sum = seen
      .reduce((a, b) => a.add(b))
      .slice([], [], 0)
      .transpose([0, 2, 1]);
    const norm = np.sqrt(np.sum(np.square(sum.ref), 2, { keepdims: true }));
    return { keypoints, scores, descriptors: sum.div(np.maximum(norm, 1e-12)) };
  };
}

/**
 * What an encoder sees of map [N, C, h, w] at points [N, 1, K, 2] → [N, dim, 1, K]. A 1×1 convolution commutes with
 * sampling, so thousands of points are encoded, not a map of a hundred thousand. Cells outside the map give not even
 * the bias; how much of a point lies inside, a map of ones says.
 */
function encodeAt(map: Arr, points: Arr, { weight, bias }: Conv): Arr {
  const ones = map.ref.slice([], [0, 1]).mul(0).add(1);
  const covered = sampleLinear(ones, points.ref);
  const encoded = lax.convGeneralDilated(sampleLinear(map, points), weight, [1, 1], "VALID");
  return encoded.add(covered.mul(bias.reshape([1, -1, 1, 1])));
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
