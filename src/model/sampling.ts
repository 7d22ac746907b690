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

/**
 * Samples of map [N, C, h, w] at points [N, P, Q, 2] (x, y in cells, cell centres on integers) → [N, C, P, Q]. Cells
 * outside the map count 0.
 */
function sampler(mode: "linear" | "nearest") {
  return fused("sample", { mode }, (map: Arr, points: Arr): Arr => {
    const [n, c, h, w] = map.shape;
    const [, p, q] = points.shape;
    const [x, y] = [0, 1].map((i) => points.ref.slice([], [], [], i).reshape([n, 1, p * q]));
    points.dispose();
    const cells = map.reshape([n, c, h * w]);
    const valueAt = (cx: Arr, cy: Arr): Arr => {
      const inside = np
        .greaterEqual(cx.ref, 0)
        .mul(np.less(cx.ref, w))
        .mul(np.greaterEqual(cy.ref, 0))
        .mul(np.less(cy.ref, h));
      const cell = np
        .clip(cy, 0, h - 1)
        .mul(w)
        .add(np.clip(cx, 0, w - 1));
      const all = np.broadcastTo(cell.astype(np.int32), [n, c, p * q]);
      return np.where(inside, np.takeAlongAxis(cells.ref, all, 2), 0);
    };
    let result: Arr;
    if (mode === "nearest") {
      result = valueAt(np.floor(x.add(0.5)), np.floor(y.add(0.5)));
    } else {
      const [left, top] = [np.floor(x.ref), np.floor(y.ref)];
      const [fx, fy] = [x.sub(left.ref), y.sub(top.ref)];
      const row = (cy: Arr): Arr =>
        valueAt(left.ref, cy.ref)
          .mul(np.subtract(1, fx.ref))
          .add(valueAt(left.ref.add(1), cy).mul(fx.ref));
      result = row(top.ref)
        .mul(np.subtract(1, fy.ref))
        .add(row(top.add(1)).mul(fy));
      left.dispose();
      fx.dispose();
    }
    cells.dispose();
    return result.reshape([n, c, p, q]);
  });
}

/** Bilinear samples. */
export const sampleLinear = sampler("linear");

/** The cell nearest to each point. */
export const sampleNearest = sampler("nearest");
