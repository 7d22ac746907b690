/**
 * Points of a batch of pairs. Arrays hold M = 2N images, the first images of N pairs before the second ones; "the other
 * image" of m is m ± N. Positions are x, y in pixels, pixel centres on integers. Shapes never depend on the data.
 */
import { lax, nn, numpy as np } from "@jax-js/jax";
import "../../graph/jax-now.js";
import { overTemperature, windowOffsets } from "../../extract/score-graph.js";
import type { Arr } from "../../model/operators.js";
import { cellsOf, pixelRows } from "../../model/sampling.js";
import { gridCells } from "../losses/cells.js";

/** [2N, …] with the halves swapped: what belongs to the other image. */
export function swapHalves(x: Arr): Arr {
  const n = x.shape[0] / 2;
  const second = x.ref.slice([n, 2 * n]);
  return np.concatenate([second, x.slice([0, n])], 0);
}

/** How points of an image are carried into the other one: by its homography, or by that of the plane they show. */
export interface Carrying {
  /** Row-major, [M, 9], or [M, L, 9] for L planes. */
  matrices: Arr;
  /** Of several planes: which one each pixel shows, [M, 1, H, W]; none where there is one. */
  labels?: Arr;
}

/** The homography of each of points [M, P, 2], that of the pixel they fall on: [M, P, 9]; of one plane [M, 9]. */
export function matricesAt(points: Arr, { matrices, labels }: Carrying): Arr {
  if (!labels) {
    points.dispose();
    return matrices;
  }
  const [, planes] = matrices.shape;
  const every = np.array(Float32Array.from({ length: planes }, (_, i) => i)).reshape([1, 1, planes]);
  const chosen = np.equal(pixelRows(labels, nearestPixel(points)), every).astype(np.float32);
  return np.matmul(chosen, matrices);
}

/** 1 where points [M, P, 2] of the images and their places [M, P, 2] in the others show the same plane, [M, P]. */
export function samePlane(points: Arr, places: Arr, labels: Arr, others: Arr): Arr {
  const [m, p] = points.shape;
  const [own, there] = [pixelRows(labels, nearestPixel(points)), pixelRows(others, nearestPixel(places))];
  return np.equal(own, there).astype(np.float32).reshape([m, p]);
}

const nearestPixel = (points: Arr): Arr => np.floor(lax.stopGradient(points).add(0.5));

/** Points [M, P, 2] by homographies, row-major: one for each image [M, 9], or for each point [M, P, 9]. */
export function project(points: Arr, matrices: Arr): Arr {
  const each = matrices.shape.length === 3;
  const entry = (i: number) => (each ? matrices.ref.slice([], [], i) : matrices.ref.slice([], [i, i + 1]));
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
  const best = cellsOf(np.argmax(cells, 2), cell);
  const from = gridCells(grid);
  return np.stack([from.x.mul(cell).add(best.x), from.y.mul(cell).add(best.y)], 2);
}

/**
 * Positions between pixels as extraction finds them: the mean offset of the (2·radius + 1)² window of each keypoint,
 * weighted by exp(score / temperature). Keypoints [M, P, 2] are pixels; score [M, 1, H, W] gets the gradient.
 */
export function softPositions(score: Arr, keypoints: Arr, radius: number): Arr {
  const offsets = np.array(windowOffsets(radius));
  const [m, p] = keypoints.shape;
  const window = (2 * radius + 1) ** 2;
  const around = keypoints.ref
    .reshape([m, p, 1, 2])
    .add(offsets.ref)
    .reshape([m, p * window, 2]);
  const values = pixelRows(score, around).reshape([m, p, window]);
  const weights = nn.softmax(overTemperature(values), 2);
  return keypoints.add(np.sum(weights.reshape([m, p, window, 1]).mul(offsets), 2));
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
