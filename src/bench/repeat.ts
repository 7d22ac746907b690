/**
 * Keypoints that are found again in the other image (the repeatability of SuperPoint, DeTone et al. 2018). Keypoints of
 * the other image lie in a grid, so that 10 000 against 10 000 take milliseconds.
 */

import { ShapeError } from "../errors.js";
import { checkFeatures, type Features } from "../features.js";
import { inverse3x3, type Matrix3, projectPoints } from "../geometry/matrix3.js";
import { checkNumber } from "../options.js";
import { isInside } from "./covisible.js";
import { REPEAT_DISTANCE } from "./metrics.js";
import type { PairScores } from "./types.js";

/**
 * Keypoints of a and of b that the other image sees, and how many of these have a keypoint of the other within
 * `distance` pixels of where `homography` (a to b) or its inverse carries them.
 */
export function repeatedKeypoints(
  a: Features,
  b: Features,
  homography: Matrix3,
  distance = REPEAT_DISTANCE,
): Pick<PairScores, "covisible" | "repeated"> {
  const where = "repeatedKeypoints";
  checkFeatures(`${where}: a`, a);
  checkFeatures(`${where}: b`, b);
  checkNumber(where, "distance", distance, { min: 1e-6 });
  const inverse = inverse3x3(homography);
  if (!inverse) throw new ShapeError(`repeatedKeypoints: the homography has no inverse: ${Array.from(homography)}`);
  const [seenA, repeatedA] = countRepeated(a, b, homography, distance);
  const [seenB, repeatedB] = countRepeated(b, a, inverse, distance);
  return { covisible: [seenA, seenB], repeated: [repeatedA, repeatedB] };
}

function countRepeated(from: Features, to: Features, homography: Matrix3, distance: number): [number, number] {
  const projected = projectPoints(homography, from.keypoints);
  const grid = new PointGrid(to.keypoints, to.imageSize, distance);
  let seen = 0;
  let repeated = 0;
  for (let k = 0; k < projected.length; k += 2) {
    const x = projected[k];
    const y = projected[k + 1];
    if (!isInside(x, y, to.imageSize)) continue;
    seen++;
    if (grid.hasNear(x, y)) repeated++;
  }
  return [seen, repeated];
}

/**
 * Points sorted by cell. Cells are at least `distance` wide, so whatever is near a point lies in its cell or in one of
 * the eight around; points outside the image belong to its border cells, which keeps that true.
 */
class PointGrid {
  private readonly cell: number;
  private readonly columns: number;
  private readonly rows: number;
  /** Where each cell begins in `sorted`. */
  private readonly starts: Uint32Array;
  /** x0, y0, x1, y1, … by cell. */
  private readonly sorted: Float32Array;

  constructor(
    points: Float32Array,
    [width, height]: readonly [number, number],
    private readonly distance: number,
  ) {
    const count = points.length / 2;
    // About one point a cell at most: a huge image with few points needs no huge grid.
    this.cell = Math.max(distance, Math.sqrt((width * height) / Math.max(1, count)));
    this.columns = Math.ceil(width / this.cell) + 1;
    this.rows = Math.ceil(height / this.cell) + 1;
    const cells = Uint32Array.from({ length: count }, (_, i) => this.cellOf(points[2 * i], points[2 * i + 1]));
    this.starts = new Uint32Array(this.columns * this.rows + 1);
    for (const cell of cells) this.starts[cell + 1]++;
    for (let cell = 0; cell + 1 < this.starts.length; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.sorted = new Float32Array(points.length);
    for (let i = 0; i < count; i++) {
      const place = next[cells[i]]++;
      this.sorted[2 * place] = points[2 * i];
      this.sorted[2 * place + 1] = points[2 * i + 1];
    }
  }

  /** Whether a point lies within the distance of (x, y). */
  hasNear(x: number, y: number): boolean {
    const column = this.place(x, this.columns);
    const row = this.place(y, this.rows);
    const left = Math.max(0, column - 1);
    const right = Math.min(this.columns - 1, column + 1);
    for (let r = Math.max(0, row - 1); r <= Math.min(this.rows - 1, row + 1); r++) {
      // Cells of one row follow each other.
      const end = this.starts[r * this.columns + right + 1];
      for (let i = this.starts[r * this.columns + left]; i < end; i++) {
        const dx = this.sorted[2 * i] - x;
        const dy = this.sorted[2 * i + 1] - y;
        if (dx * dx + dy * dy <= this.distance * this.distance) return true;
      }
    }
    return false;
  }

  private cellOf(x: number, y: number): number {
    return this.place(y, this.rows) * this.columns + this.place(x, this.columns);
  }

  /** Of NaN the first cell, where no comparison finds it. */
  private place(value: number, cells: number): number {
    return Math.min(cells - 1, Math.max(0, Math.floor(value / this.cell))) || 0;
  }
}
