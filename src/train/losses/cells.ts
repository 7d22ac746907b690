/** Cells of a grid as numbers: which one a target falls on, which ones lie around it, and what a map holds there. */
import { numpy as np } from "@jax-js/jax";
import type { Arr } from "../../model/operators.js";

export interface Grid {
  width: number;
  height: number;
}

/** Column and row of cells, float32 [N, P] (or [1, P]). */
export interface CellPositions {
  x: Arr;
  y: Arr;
}

/** The cells nearest to targets [N, P, 2]; clamped, so that what does not count cannot point outside either. */
export function targetCells(targets: Arr, { width, height }: Grid): CellPositions {
  const nearest = np.floor(targets.add(0.5));
  const [n, p] = nearest.shape;
  const part = (i: number, size: number) => np.clip(nearest.ref.slice([], [], [i, i + 1]).reshape([n, p]), 0, size - 1);
  const cells = { x: part(0, width), y: part(1, height) };
  nearest.dispose();
  return cells;
}

/** The cells of the grid itself, in order: x, y [1, P]. */
export function gridCells({ width, height }: Grid): CellPositions {
  const count = width * height;
  const values = (of: (i: number) => number) =>
    np.array(Float32Array.from({ length: count }, (_, i) => of(i))).reshape([1, count]);
  return { x: values((i) => i % width), y: values((i) => Math.floor(i / width)) };
}

/** y·width + x as int32. */
export function cellIndex({ x, y }: CellPositions, { width }: Grid): Arr {
  return y.mul(width).add(x).astype(np.int32);
}

/**
 * 1 where a cell of the grid lies at most `radius` (Chebyshev) from a centre, 0 elsewhere: centres [N, P] → [N, P, h·w].
 * Columns and rows are compared apart, so that only one array of the full size is made.
 */
export function nearCells({ x, y }: CellPositions, { width, height }: Grid, radius: number): Arr {
  const [n, p] = x.shape;
  const along = (centre: Arr, size: number) => {
    const axis = np.array(Float32Array.from({ length: size }, (_, i) => i)).reshape([1, 1, size]);
    const apart = np.abs(centre.reshape([n, p, 1]).sub(axis));
    return np.lessEqual(apart, radius).astype(np.float32);
  };
  const rows = along(y, height).reshape([n, p, height, 1]);
  const columns = along(x, width).reshape([n, p, 1, width]);
  return rows.mul(columns).reshape([n, p, height * width]);
}

/** Rows [N, P, C] at int32 indices [N, Q] → [N, Q, C]. */
export function takeRows(rows: Arr, index: Arr): Arr {
  const [n, p, c] = rows.shape;
  return np.take(rows.reshape([n * p, c]), inBatch(index, n, p), 0);
}

/** Values [N, P] at int32 indices [N, Q] → [N, Q]. */
export function takeValues(values: Arr, index: Arr): Arr {
  const [n, p] = values.shape;
  return np.take(values.reshape([n * p]), inBatch(index, n, p), 0);
}

/** Indices into each of N rows of P as indices into all of them in a row. */
function inBatch(index: Arr, n: number, p: number): Arr {
  const starts = np.array(Int32Array.from({ length: n }, (_, i) => i * p)).reshape([n, 1]);
  return index.add(starts);
}
