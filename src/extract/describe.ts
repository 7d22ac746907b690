/**
 * Descriptors: bilinear samples of a descriptor map [dim, height, width] at keypoints. Channels are the outer loop, so
 * that one plane at a time is in the cache.
 */

/** A descriptor map of one image. */
export interface DescriptorMap {
  data: Float32Array;
  width: number;
  height: number;
}

/** Scratch for the four corners of each keypoint; reused from map to map. */
export class Sampler {
  private readonly cells: Int32Array;
  private readonly weights: Float32Array;

  constructor(private readonly count: number) {
    this.cells = new Int32Array(4 * count);
    this.weights = new Float32Array(4 * count);
  }

  /**
   * Sets the positions, in cells of a width × height map: x = (keypoint x)·scaleX + shiftX, likewise y. A corner outside
   * the map counts 0. `scores`, where given, scale each corner by the score map's value there.
   */
  place(
    positions: Float32Array | Float64Array,
    { width, height }: { width: number; height: number },
    [scaleX, scaleY, shiftX, shiftY]: readonly [number, number, number, number] = [1, 1, 0, 0],
    scores?: Float32Array,
  ): void {
    const { cells, weights } = this;
    for (let k = 0; k < this.count; k++) {
      const x = positions[2 * k] * scaleX + shiftX;
      const y = positions[2 * k + 1] * scaleY + shiftY;
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const [fx, fy] = [x - left, y - top];
      for (let corner = 0; corner < 4; corner++) {
        const cx = left + (corner & 1);
        const cy = top + (corner >> 1);
        const inside = cx >= 0 && cy >= 0 && cx < width && cy < height;
        const cell = inside ? cy * width + cx : 0;
        const weight = ((corner & 1) === 1 ? fx : 1 - fx) * (corner >> 1 === 1 ? fy : 1 - fy);
        cells[4 * k + corner] = cell;
        weights[4 * k + corner] = inside ? weight * (scores ? scores[cell] : 1) : 0;
      }
    }
  }

  /** Adds the samples at the placed positions to `out` (row-major count × dim). */
  add({ data, width, height }: DescriptorMap, dim: number, out: Float32Array): void {
    const { cells, weights, count } = this;
    const n = width * height;
    for (let c = 0; c < dim; c++) {
      const plane = data.subarray(c * n, (c + 1) * n);
      for (let k = 0, i = 0, o = c; k < count; k++, i += 4, o += dim) {
        out[o] +=
          weights[i] * plane[cells[i]] +
          weights[i + 1] * plane[cells[i + 1]] +
          weights[i + 2] * plane[cells[i + 2]] +
          weights[i + 3] * plane[cells[i + 3]];
      }
    }
  }
}

/** Whether all four corners of a position lie in the map; a whole coordinate needs no neighbour on that axis. */
export function cornersInside(x: number, y: number, width: number, height: number): boolean {
  return x >= 0 && y >= 0 && Math.ceil(x) < width && Math.ceil(y) < height;
}

/** Scales each row of a row-major rows × dim matrix to unit length; a row of zeros stays. */
export function normalizeRows(rows: Float32Array, dim: number): Float32Array {
  for (let start = 0; start < rows.length; start += dim) {
    let sum = 0;
    for (let i = start; i < start + dim; i++) sum += rows[i] * rows[i];
    const scale = 1 / Math.max(Math.sqrt(sum), 1e-12);
    for (let i = start; i < start + dim; i++) rows[i] *= scale;
  }
  return rows;
}

/** How far the length of a unit vector may be from 1: float32 errs by less, half floats and bytes by more. */
const UNIT_TOLERANCE = 1e-5;

/**
 * Rows of length 1: `rows` itself where they all are, else a copy with the others scaled, as foreign descriptors need it
 * (SIFT's have length 512). What is of length 1 already stays as it is, bit for bit; so does a row of zeros.
 */
export function unitRows(rows: Float32Array, dim: number): Float32Array {
  let out = rows;
  for (let start = 0; start < rows.length; start += dim) {
    let sum = 0;
    for (let i = start; i < start + dim; i++) sum += rows[i] * rows[i];
    // Squares: the root is twice as far from 1, and is not needed for rows that are right.
    if (Math.abs(sum - 1) <= 2 * UNIT_TOLERANCE || sum === 0) continue;
    if (out === rows) out = rows.slice();
    normalizeRows(out.subarray(start, start + dim), dim);
  }
  return out;
}
