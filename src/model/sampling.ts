/**
 * Reading maps at positions, inside a graph. Positions are x, y in cells, cell centres on integers; cells outside a map
 * count 0. The fused operators take their sizes from the data, so one graph serves every image and any number of
 * keypoints; their definitions, the others here, are also what training differentiates.
 */
import { type FusedCall, fused } from "../graph/fused.js";
import { lax, np } from "../graph/jax.js";
import { onnxTypeCode } from "../graph/onnx-types.js";
import type { Arr } from "./operators.js";

/** Column and row of an index y·width + x, as float32. */
export function cellsOf(index: Arr, width: number): { x: Arr; y: Arr } {
  const cell = index.astype(np.float32);
  // Half a cell more keeps the quotient away from whole numbers.
  const y = np.floor(cell.ref.add(0.5).div(width));
  return { x: cell.sub(y.ref.mul(width)), y };
}

/** 1 where points [M, P, 2] lie at least `border` cells inside a map of width × height. */
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

/** What map [M, C, h, w] holds at whole cells [M, P, 2] → [M, P, C]. */
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
 * Bilinear samples of map [M, C, h, w] at points [M, P, 2]. Points get no gradient. Whole rows of channels are gathered:
 * their gradient is one scatter of rows.
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

/** Bilinear samples of map [N, C, h, w] at points [N, P, Q, 2] → [N, C, P, Q]. */
export const sampleLinear = fused({
  name: "sample",
  definition: (map: Arr, points: Arr): Arr => {
    const [n, c] = map.shape;
    const [, p, q] = points.shape;
    const { rows, coverage } = sampleRows(map, points.reshape([n, p * q, 2]));
    coverage.dispose();
    return rows.transpose([0, 2, 1]).reshape([n, c, p, q]);
  },
  lower({ builder, argument }) {
    const [map, points] = [argument(0), argument(1)];
    const { scale, shift } = toGrid(builder, map);
    const grid = builder.node("Add", [builder.node("Mul", [points, scale]), shift]);
    return builder.node("GridSample", [map, grid], { mode: "linear", ...OUTSIDE });
  },
});

/** What map [N, 1, h, w] holds around whole cells [N, P, 2]: at each moved by each of the offsets [Q, 2] → [N, P, Q]. */
export const sampleWindows = fused({
  name: "windows",
  definition: (map: Arr, cells: Arr, offsets: Arr): Arr => {
    const [n, p] = cells.shape;
    const [q] = offsets.shape;
    const around = np.expandDims(cells, 2).add(offsets);
    return pixelRows(map, around.reshape([n, p * q, 2])).reshape([n, p, q]);
  },
  // Cells and offsets are scaled apart: their sums are fifty thousand positions, and one addition. Runtimes add slowly
  // where an axis of two is innermost, so that x, y of each cell are repeated along a row by a product with ones and zeros.
  lower({ builder, argument }) {
    const [map, cells, offsets] = [argument(0), argument(1), argument(2)];
    const { scale, shift } = toGrid(builder, map);
    const places = builder.node("Add", [builder.node("Mul", [cells, scale]), shift]);
    const moves = builder.node("Reshape", [builder.node("Mul", [offsets, scale]), builder.ints([-1])]);
    const each = builder.node("Gather", [builder.node("Shape", [offsets]), builder.ints([0])]);
    const pairs = builder.node("Concat", [builder.ints([2]), each, builder.ints([2])], { axis: 0 });
    const unit = builder.constant("float32", [2, 1, 2], Float32Array.of(1, 0, 0, 1), "unit");
    const repeat = builder.node("Reshape", [builder.node("Expand", [unit, pairs]), builder.ints([2, -1])]);
    const around = builder.node("Add", [builder.node("MatMul", [places, repeat]), moves]);
    const grid = builder.node("Reshape", [around, builder.ints([0, 0, -1, 2])]);
    const values = builder.node("GridSample", [map, grid], { mode: "nearest", ...OUTSIDE });
    return builder.node("Squeeze", [values, builder.ints([1])]);
  },
});

const OUTSIDE = { padding_mode: "zeros", align_corners: 0 };

/** What makes positions in cells of a map GridSample's, (2·p + 1) / size − 1: −1 and 1 are the map's outer edges. */
function toGrid(builder: FusedCall["builder"], map: string): { scale: string; shift: string } {
  const sides = builder.node("Gather", [builder.node("Shape", [map]), builder.ints([3, 2])]);
  const size = builder.node("Cast", [sides], { to: onnxTypeCode("float32") });
  const [one, two] = [1, 2].map((value) => builder.constant("float32", [], Float32Array.of(value), "lit"));
  const shift = builder.node("Sub", [builder.node("Div", [one, size]), one]);
  return { scale: builder.node("Div", [two, size]), shift };
}

/**
 * The top-k of a score map: score [N, 1, H, W], slots [K] (only its length counts, K ≤ H·W) → [N, K, 3] of x, y and
 * score, best first; of equal scores the lower index y·W + x first.
 */
export const topCells = fused({
  name: "topCells",
  definition: (score: Arr, slots: Arr): Arr => {
    const [n, , , width] = score.shape;
    const [k] = slots.shape;
    slots.dispose();
    const [values, cells] = lax.topK(score.reshape([n, -1]), k);
    const { x, y } = cellsOf(cells, width);
    return np.stack([x, y, values], 2);
  },
  // Flattened by Reshape with sizes left open, so that any map size fits.
  lower({ builder, argument }) {
    const [score, slots] = [argument(0), argument(1)];
    const flat = builder.node("Reshape", [score, builder.ints([0, -1])]);
    const k = builder.node("Shape", [slots]);
    const [values, cells] = builder.nodeMany("TopK", [flat, k], { axis: 1, largest: 1, sorted: 1 }, 2);
    const width = builder.node("Gather", [builder.node("Shape", [score]), builder.ints([3])]);
    const float = (name: string) => builder.node("Cast", [name], { to: onnxTypeCode("float32") });
    const columns = [float(builder.node("Mod", [cells, width])), float(builder.node("Div", [cells, width])), values];
    const parts = columns.map((column) => builder.node("Unsqueeze", [column, builder.ints([2])]));
    return builder.node("Concat", parts, { axis: 2 });
  },
});
