/**
 * Reading maps at positions, inside the graph: what turns dense maps into keypoints and descriptors without handing the
 * maps to JavaScript. Both operators take their sizes from the data, so one graph serves every image and any number of
 * keypoints.
 */
import { lax, numpy as np } from "@jax-js/jax";
import { fused } from "../graph/fused.js";
import type { Arr } from "./layers.js";

/**
 * The largest cells of a score map: score [N, 1, H, W], slots [K] (only its length counts, K ≤ H·W) → [N, K, 3] of x, y
 * (cells) and score, best first; of equal scores the lower index y·W + x first.
 */
export const topCells = fused("topCells", {}, (score: Arr, slots: Arr): Arr => {
  const [n, , , width] = score.shape;
  const [k] = slots.shape;
  slots.dispose();
  const [values, cells] = lax.topK(score.reshape([n, -1]), k);
  const index = cells.astype(np.float32);
  const y = np.floor(index.ref.add(0.5).div(width));
  const x = index.sub(y.ref.mul(width));
  return np.stack([x, y, values], 2);
});

/** Map [N, C, h, w] at whole cells x, y [N, 1, P] → [N, C, P]; cells outside the map count 0. Consumes x and y only. */
function valueAt(map: Arr, x: Arr, y: Arr): Arr {
  const [n, c, h, w] = map.shape;
  const [, , p] = x.shape;
  const inside = np.greaterEqual(x.ref, 0).mul(np.less(x.ref, w)).mul(np.greaterEqual(y.ref, 0)).mul(np.less(y.ref, h));
  const cell = np
    .clip(y, 0, h - 1)
    .mul(w)
    .add(np.clip(x, 0, w - 1));
  const all = np.broadcastTo(cell.astype(np.int32), [n, c, p]);
  return np.where(inside, np.takeAlongAxis(map.ref.reshape([n, c, h * w]), all, 2), 0);
}

/** x and y of points [N, …, 2], each [N, 1, P]. */
function columns(points: Arr): [x: Arr, y: Arr] {
  const flat = points.reshape([points.shape[0], 1, -1, 2]);
  const [x, y] = [0, 1].map((i) => flat.ref.slice([], [], [], i));
  flat.dispose();
  return [x, y];
}

/**
 * Bilinear samples of map [N, C, h, w] at points [N, P, Q, 2] (x, y in cells, cell centres on integers) → [N, C, P, Q].
 * Cells outside the map count 0.
 */
export const sampleLinear = fused("sample", {}, (map: Arr, points: Arr): Arr => {
  const [n, c] = map.shape;
  const [, p, q] = points.shape;
  const [x, y] = columns(points);
  const [left, top] = [np.floor(x.ref), np.floor(y.ref)];
  const [fx, fy] = [x.sub(left.ref), y.sub(top.ref)];
  const row = (cy: Arr): Arr =>
    valueAt(map, left.ref, cy.ref)
      .mul(np.subtract(1, fx.ref))
      .add(valueAt(map, left.ref.add(1), cy).mul(fx.ref));
  const result = row(top.ref)
    .mul(np.subtract(1, fy.ref))
    .add(row(top.add(1)).mul(fy));
  for (const used of [left, fx, map]) used.dispose();
  return result.reshape([n, c, p, q]);
});

/**
 * What map [N, 1, h, w] holds around cells [N, P, 2] (x, y): at each moved by each of the offsets [Q, 2], all whole
 * numbers → [N, P, Q]. Cells outside the map count 0.
 */
export const sampleWindows = fused("windows", {}, (map: Arr, cells: Arr, offsets: Arr): Arr => {
  const [n, p] = cells.shape;
  const [q] = offsets.shape;
  const [x, y] = columns(np.expandDims(cells, 2).add(offsets));
  const values = valueAt(map, x, y);
  map.dispose();
  return values.reshape([n, p, q]);
});
