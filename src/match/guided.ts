/**
 * Matching a second time, guided by a geometry (Hartley and Zisserman, 4.8 and 11.6): a keypoint is compared with those
 * alone that lie near where the homography takes it, or near its epipolar line. Neighbours that were confused with others
 * elsewhere in the image are found, and the ratio test asks only rivals that could be right. Keypoints of b lie in a grid,
 * so each meets few of them.
 */

import { checkNumbers, checkObject } from "../check.js";
import { ShapeError } from "../errors.js";
import { unitRows } from "../extract/describe.js";
import { checkFeatures, type Features, type Matches } from "../features.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { differing, toWords } from "./binary.js";
import { COSINE, checkComparable, hammingScale, type MatchOptions, selectPairs } from "./mutual.js";
import { emptyNearest, type Nearest } from "./nearest.js";

/** What a keypoint of a allows in b: a point (homography, a to b) or a line (fundamental matrix, x_bᵀ F x_a = 0). */
export interface GuidingGeometry {
  model: "homography" | "fundamental";
  /** Row-major 3×3, for pixels. */
  matrix: ArrayLike<number>;
}

/** How matching is guided. */
export interface GuidedMatchOptions extends Pick<MatchOptions, "mutual" | "ratio" | "minSimilarity"> {
  /** Largest distance in pixels of b from the point or line. Default 3. */
  radius?: number;
}

const DEFAULTS: Required<GuidedMatchOptions> = { mutual: true, ratio: null, minSimilarity: null, radius: 3 };

/**
 * Pairs of keypoints that are nearest neighbours among those that the geometry allows; tests and order as in
 * `matchFeatures`. Throws a ShapeError for descriptors that cannot be compared or a matrix that is not nine numbers.
 */
export function matchGuided(
  a: Features,
  b: Features,
  geometry: GuidingGeometry,
  options: GuidedMatchOptions = {},
): Matches {
  const where = "matchGuided";
  const { radius, mutual, ratio, minSimilarity } = withDefaults(where, DEFAULTS, options, ["ratio", "minSimilarity"]);
  checkNumber(where, "radius", radius, { min: 1e-3 });
  if (ratio !== null) checkNumber(where, "ratio", ratio, { min: 0, max: 1 });
  if (minSimilarity !== null) checkNumber(where, "minSimilarity", minSimilarity, { min: -1, max: 1 });
  checkFeatures(`${where}: a`, a);
  checkFeatures(`${where}: b`, b);
  checkObject(where, "the geometry", geometry);
  checkChoice(where, "model", geometry.model, ["homography", "fundamental"]);
  const matrix = checkNumbers(where, "the geometry's matrix", geometry.matrix);
  if (matrix.length !== 9) throw new ShapeError(`${where}: the matrix has 9 numbers, got ${matrix.length}`);
  if (a.count === 0 || b.count === 0) return { count: 0, pairs: new Uint32Array(0), scores: new Float32Array(0) };
  const isBinary = checkComparable(where, a, b);
  const compare = isBinary ? compareBits(a, b) : compareFloats(a, b);
  const nearest = emptyNearest(a.count, b.count);
  const grid = new Grid(b.keypoints, b.count, Math.max(2 * radius, LEAST_CELL));
  const search = geometry.model === "homography" ? searchNearPoint : searchNearLine;
  for (let i = 0; i < a.count; i++) search(grid, matrix, a.keypoints, i, radius, nearest, compare);
  return selectPairs(nearest, { mutual, ratio, minSimilarity }, isBinary ? hammingScale(8 * a.dim) : COSINE);
}

/** Least side of the grid's cells in pixels. */
const LEAST_CELL = 8;

/** A value of which the largest is the nearest, of keypoint i of a and j of b. */
type Compare = (i: number, j: number) => number;

function compareFloats(a: Features, b: Features): Compare {
  const { dim } = a;
  const left = unitRows(a.descriptors as Float32Array, dim);
  const right = unitRows(b.descriptors as Float32Array, dim);
  return (i, j) => {
    let sum = 0;
    for (let k = 0, p = i * dim, q = j * dim; k < dim; k++) sum += left[p + k] * right[q + k];
    return sum;
  };
}

function compareBits(a: Features, b: Features): Compare {
  const words = Math.ceil(a.dim / 4);
  const left = toWords(a.descriptors as Uint8Array, a.count, a.dim);
  const right = toWords(b.descriptors as Uint8Array, b.count, a.dim);
  return (i, j) => 8 * a.dim - 2 * differing(left, i * words, right, j * words, words);
}

/** Keypoints sorted by the cell they lie in. */
class Grid {
  readonly left: number = Infinity;
  readonly top: number = Infinity;
  readonly columns: number;
  readonly rows: number;
  /** Where each cell's keypoints begin in `order`. */
  readonly starts: Uint32Array;
  readonly order: Uint32Array;

  constructor(
    readonly points: Float32Array,
    count: number,
    readonly cell: number,
  ) {
    let [right, bottom] = [-Infinity, -Infinity];
    for (let j = 0; j < count; j++) {
      const [x, y] = [points[2 * j], points[2 * j + 1]];
      if (!Number.isFinite(x + y)) continue;
      this.left = Math.min(this.left, x);
      this.top = Math.min(this.top, y);
      right = Math.max(right, x);
      bottom = Math.max(bottom, y);
    }
    // At most as many cells a side as keypoints: a far one does not cost memory.
    this.cell = Math.max(cell, (right - this.left) / count, (bottom - this.top) / count) || cell;
    this.columns = Math.max(0, Math.floor((right - this.left) / this.cell) + 1) || 0;
    this.rows = Math.max(0, Math.floor((bottom - this.top) / this.cell) + 1) || 0;
    this.starts = new Uint32Array(this.columns * this.rows + 1);
    const at = (j: number) => this.row(points[2 * j + 1]) * this.columns + this.column(points[2 * j]);
    const known = (j: number) => Number.isFinite(points[2 * j] + points[2 * j + 1]);
    for (let j = 0; j < count; j++) if (known(j)) this.starts[at(j) + 1]++;
    for (let k = 1; k < this.starts.length; k++) this.starts[k] += this.starts[k - 1];
    this.order = new Uint32Array(this.starts[this.starts.length - 1]);
    const next = this.starts.slice();
    for (let j = 0; j < count; j++) if (known(j)) this.order[next[at(j)]++] = j;
  }

  column(x: number): number {
    return Math.floor((x - this.left) / this.cell);
  }

  row(y: number): number {
    return Math.floor((y - this.top) / this.cell);
  }
}

function searchNearPoint(
  grid: Grid,
  h: ArrayLike<number>,
  keypoints: Float32Array,
  i: number,
  radius: number,
  nearest: Nearest,
  compare: Compare,
): void {
  const [px, py] = [keypoints[2 * i], keypoints[2 * i + 1]];
  const w = h[6] * px + h[7] * py + h[8];
  const x = (h[0] * px + h[1] * py + h[2]) / w;
  const y = (h[3] * px + h[4] * py + h[5]) / w;
  if (!Number.isFinite(x + y)) return;
  const { points, columns, starts, order } = grid;
  const first = Math.max(0, grid.column(x - radius));
  const last = Math.min(columns - 1, grid.column(x + radius));
  const bottom = Math.min(grid.rows - 1, grid.row(y + radius));
  for (let row = Math.max(0, grid.row(y - radius)); row <= bottom && first <= last; row++) {
    for (let k = starts[row * columns + first]; k < starts[row * columns + last + 1]; k++) {
      const j = order[k];
      if ((points[2 * j] - x) ** 2 + (points[2 * j + 1] - y) ** 2 <= radius * radius)
        take(nearest, i, j, compare(i, j));
    }
  }
}

function searchNearLine(
  grid: Grid,
  f: ArrayLike<number>,
  keypoints: Float32Array,
  i: number,
  radius: number,
  nearest: Nearest,
  compare: Compare,
): void {
  const [px, py] = [keypoints[2 * i], keypoints[2 * i + 1]];
  let a = f[0] * px + f[1] * py + f[2];
  let b = f[3] * px + f[4] * py + f[5];
  let c = f[6] * px + f[7] * py + f[8];
  const length = Math.hypot(a, b);
  if (!(length > 0) || !Number.isFinite(c / length)) return;
  a /= length;
  b /= length;
  c /= length;
  const { points, columns, rows, cell, left, top, starts, order } = grid;
  // Cell by cell along the line: along x where it is flat, along y where it is steep.
  const flat = Math.abs(b) >= Math.abs(a);
  const [along, across] = flat ? [columns, rows] : [rows, columns];
  for (let s = 0; s < along; s++) {
    const from = (flat ? left : top) + s * cell;
    const one = flat ? -(a * from + c) / b : -(b * from + c) / a;
    const other = flat ? -(a * (from + cell) + c) / b : -(b * (from + cell) + c) / a;
    // The band is at most √2 times as wide along an axis as across the line.
    const reach = radius * Math.SQRT2;
    const low = Math.min(one, other) - reach;
    const high = Math.max(one, other) + reach;
    const first = Math.max(0, flat ? grid.row(low) : grid.column(low));
    const last = Math.min(across - 1, flat ? grid.row(high) : grid.column(high));
    for (let t = first; t <= last; t++) {
      const at = flat ? t * columns + s : s * columns + t;
      for (let k = starts[at]; k < starts[at + 1]; k++) {
        const j = order[k];
        if (Math.abs(a * points[2 * j] + b * points[2 * j + 1] + c) <= radius) take(nearest, i, j, compare(i, j));
      }
    }
  }
}

/** Takes in a pair's value; of equal ones the lower index is the neighbour, whatever the order they come in. */
function take(nearest: Nearest, i: number, j: number, value: number): void {
  const { rowIndex, rowBest, rowSecond, columnIndex, columnBest } = nearest;
  if (value > rowBest[i] || (value === rowBest[i] && j < rowIndex[i])) {
    rowSecond[i] = rowBest[i];
    rowBest[i] = value;
    rowIndex[i] = j;
  } else if (value > rowSecond[i]) rowSecond[i] = value;
  if (value > columnBest[j]) {
    columnBest[j] = value;
    columnIndex[j] = i;
  }
}
