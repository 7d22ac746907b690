/**
 * Points of a batch of pairs. Arrays hold M = 2N images, the first images of N pairs before the second ones; "the other
 * image" of m is m ± N. Positions are x, y in pixels, pixel centres on integers. Shapes never depend on the data.
 */
import { lax, nn, numpy as np } from "@jax-js/jax";
import type { Arr } from "../../model/layers.js";
import { cellsOf, gridCells } from "../losses/cells.js";

/** [2N, …] with the halves swapped: what belongs to the other image. */
export function swapHalves(x: Arr): Arr {
  const n = x.shape[0] / 2;
  const second = x.ref.slice([n, 2 * n]);
  return np.concatenate([second, x.slice([0, n])], 0);
}

/** Points [M, P, 2] by homographies [M, 9], row-major. */
export function project(points: Arr, matrices: Arr): Arr {
  const entry = (i: number) => matrices.ref.slice([], [i, i + 1]);
  const [x, y] = [0, 1].map((i) => points.ref.slice([], [], i));
  const row = (i: number) =>
    entry(i)
      .mul(x.ref)
      .add(entry(i + 1).mul(y.ref))
      .add(entry(i + 2));
  const depth = row(6);
  const result = np.stack([row(0).div(depth.ref), row(3).div(depth)], 2);
  for (const used of [points, matrices, x, y]) used.dispose();
  return result;
}

/** 1 where points [M, P, 2] lie at least `border` pixels inside an image of width × height. */
export function inside(points: Arr, width: number, height: number, border: number): Arr {
  const within = (i: number, size: number) => {
    const along = points.ref.slice([], [], i);
    const above = np.greaterEqual(along.ref, border).astype(np.float32);
    return above.mul(np.lessEqual(along, size - 1 - border).astype(np.float32));
  };
  const result = within(0, width).mul(within(1, height));
  points.dispose();
  return result;
}

/**
 * The best pixel of each cell of cell × cell pixels: score [M, 1, H, W] → [M, P, 2], cells row by row. Which pixel that
 * is has no gradient.
 */
export function bestPixels(score: Arr, cell: number): Arr {
  const [m, , height, width] = score.shape;
  const grid = { width: width / cell, height: height / cell };
  const cells = lax
    .stopGradient(score)
    .reshape([m, grid.height, cell, grid.width, cell])
    .transpose([0, 1, 3, 2, 4])
    .reshape([m, grid.height * grid.width, cell * cell]);
  const best = cellsOf(np.argmax(cells, 2), { width: cell, height: cell });
  const from = gridCells(grid);
  return np.stack([from.x.mul(cell).add(best.x), from.y.mul(cell).add(best.y)], 2);
}

/**
 * Positions between pixels as extraction finds them: the mean offset of the (2·radius + 1)² window of each keypoint,
 * weighted by exp(score / (0.1 · largest + 1e-9)). Keypoints [M, P, 2] are pixels; score [M, 1, H, W] gets the gradient.
 */
export function softPositions(score: Arr, keypoints: Arr, radius: number): Arr {
  const steps = Array.from({ length: 2 * radius + 1 }, (_, i) => i - radius);
  const offsets = np.array(steps.flatMap((dy) => steps.map((dx) => [dx, dy])));
  const [m, p] = keypoints.shape;
  const window = steps.length ** 2;
  const around = keypoints.ref
    .reshape([m, p, 1, 2])
    .add(offsets.ref)
    .reshape([m, p * window, 2]);
  const values = pixelRows(score, around).reshape([m, p, window]);
  const largest = np.max(values.ref, 2, { keepdims: true });
  const weights = nn.softmax(values.div(largest.mul(0.1).add(1e-9)), 2);
  return keypoints.add(np.sum(weights.reshape([m, p, window, 1]).mul(offsets), 2));
}

/** What map [M, C, h, w] holds at whole cells [M, P, 2] → [M, P, C]; 0 outside. */
export function pixelRows(map: Arr, cells: Arr): Arr {
  const [m, c, h, w] = map.shape;
  const [, p] = cells.shape;
  const [x, y] = [0, 1].map((i) => cells.ref.slice([], [], i));
  const counts = inside(cells, w, h, 0);
  return takeCells(map, x, y)
    .reshape([m, p, c])
    .mul(counts.reshape([m, p, 1]));
}

export interface Samples {
  /** [M, P, C]. */
  rows: Arr;
  /** Share of the four cells' weights that lies in the map, [M, P]. */
  coverage: Arr;
}

/**
 * Bilinear samples of map [M, C, h, w] at points [M, P, 2] in its cells; cells outside count 0. Points get no gradient.
 * Whole rows of channels are gathered: their gradient is one scatter of rows.
 */
export function sampleRows(map: Arr, points: Arr): Samples {
  const [m, , h, w] = map.shape;
  const [, p] = points.shape;
  const places = lax.stopGradient(points);
  // Corners come first: adding up the first axis is what runtimes do fastest.
  const right = np.array([0, 1, 0, 1]).reshape([4, 1, 1]);
  const below = np.array([0, 0, 1, 1]).reshape([4, 1, 1]);
  // Weight of a corner: f where it lies on the far side, 1 − f on the near one; 0 where it is outside the map.
  const along = (i: number, size: number, far: Arr): [cell: Arr, weight: Arr] => {
    const place = places.ref.slice([], [], i).reshape([1, m, p]);
    const low = np.floor(place.ref);
    const fraction = place.sub(low.ref);
    const cell = low.add(far.ref);
    const within = np
      .greaterEqual(cell.ref, 0)
      .astype(np.float32)
      .mul(np.lessEqual(cell.ref, size - 1).astype(np.float32));
    const share = fraction.mul(far.ref.mul(2).sub(1)).add(np.subtract(1, far));
    return [cell, share.mul(within)];
  };
  const [x, weightX] = along(0, w, right);
  const [y, weightY] = along(1, h, below);
  places.dispose();
  const weights = weightX.mul(weightY);
  const rows = takeCells(map, x, y).mul(weights.ref.reshape([4, m, p, 1]));
  return { rows: np.sum(rows, 0), coverage: np.sum(weights, 0) };
}

/** Rows of channels of map [M, C, h, w] at cells x, y […, M, P], moved to the nearest cell of the map → […, M, P, C]. */
function takeCells(map: Arr, x: Arr, y: Arr): Arr {
  const [m, c, h, w] = map.shape;
  const starts = np.array(Float32Array.from({ length: m }, (_, i) => i * h * w)).reshape([m, 1]);
  const index = np
    .clip(y, 0, h - 1)
    .mul(w)
    .add(np.clip(x, 0, w - 1))
    .add(starts);
  return np.take(map.transpose([0, 2, 3, 1]).reshape([m * h * w, c]), lax.stopGradient(index).astype(np.int32), 0);
}

/** Squared distances of points a [M, P, 2] and b [M, Q, 2] → [M, P, Q]. */
export function squaredDistances(a: Arr, b: Arr): Arr {
  const [m, p] = a.shape;
  const [, q] = b.shape;
  const along = (i: number) =>
    np.square(
      a.ref
        .slice([], [], i)
        .reshape([m, p, 1])
        .sub(b.ref.slice([], [], i).reshape([m, 1, q])),
    );
  const result = along(0).add(along(1));
  a.dispose();
  b.dispose();
  return result;
}
