/**
 * Dot products of unit vectors in whole numbers, three at a time: vectors become whole numbers of a length below 256, so a
 * product lies below 2¹⁶ and three of them fit side by side in the 53 bits of a double (x · (a + b·2¹⁷ + c·2³⁴)). Exact, so the same
 * on every machine, and three times as fast as one by one.
 */

const LANES = 3;
const ROWS = 9;
const STEP = 2 ** 17;
const STEP_TWO = 2 ** 34;

/** Length of a vector in whole numbers: rounding, at most ½ a value, must not take it above 255.9. */
const lengthOf = (dim: number): number => 255.9 - 0.5 * Math.sqrt(dim);

/** What a product of two whole vectors is multiplied with to be a cosine. */
export const cosinePerProduct = (dim: number): number => 1 / lengthOf(dim) ** 2;

/** Unit rows in whole numbers. */
export function wholeRows(rows: Float32Array, count: number, dim: number): Float64Array {
  const length = lengthOf(dim);
  const whole = new Float64Array(count * dim);
  for (let i = 0; i < whole.length; i++) whole[i] = Math.floor(length * rows[i] + 0.5);
  return whole;
}

/** Rows in blocks, nine at a time: three doubles for each value of a vector, of three rows each. */
export interface PackedRows {
  dim: number;
  /** First row of each block, then the number of rows. */
  starts: Uint32Array;
  /** First nine of each block. */
  nines: Uint32Array;
  packed: Float64Array;
}

/** Packs unit rows; `starts` gives the first row of each block, then the number of rows. */
export function packRows(rows: Float32Array, dim: number, starts: Uint32Array): PackedRows {
  const blocks = starts.length - 1;
  const nines = new Uint32Array(starts.length);
  for (let b = 0; b < blocks; b++) nines[b + 1] = nines[b] + Math.ceil((starts[b + 1] - starts[b]) / ROWS);
  const whole = wholeRows(rows, starts[blocks], dim);
  const packed = new Float64Array(nines[blocks] * dim * LANES);
  for (let b = 0; b < blocks; b++) {
    for (let row = starts[b]; row < starts[b + 1]; row++) {
      const place = row - starts[b];
      const nine = nines[b] + Math.floor(place / ROWS);
      const to = nine * dim * LANES + Math.floor((place % ROWS) / LANES);
      const step = STEP ** (place % LANES);
      for (let k = 0; k < dim; k++) packed[to + k * LANES] += step * whole[row * dim + k];
    }
  }
  return { dim, starts, nines, packed };
}

/** The best rows of each vector so far: `most` each, the best first. */
export interface BestRows {
  most: number;
  indices: Uint32Array;
  /** Products; -Infinity where there is no row yet. */
  products: Float64Array;
}

/** Vectors that are multiplied with nine rows while these are near: 32 × 64 values stay in a core's first cache. */
const CHUNK = 32;

/** Takes the rows of a block into the best of the vectors that `list` names (rows of `whole`); of equal ones the first taken stays. */
export function takeBlock(
  { dim, starts, nines, packed }: PackedRows,
  block: number,
  whole: Float64Array,
  list: Uint32Array,
  { most, indices, products }: BestRows,
): void {
  const sums = new Float64Array(4 * LANES);
  const end = starts[block + 1];
  for (let from = 0; from < list.length; from += CHUNK) {
    const to = Math.min(from + CHUNK, list.length);
    for (let nine = nines[block]; nine < nines[block + 1]; nine++) {
      const row = starts[block] + ROWS * (nine - nines[block]);
      for (let n = from; n < to; n += 4) {
        const a = list[n];
        const b = list[Math.min(n + 1, to - 1)];
        const c = list[Math.min(n + 2, to - 1)];
        const d = list[Math.min(n + 3, to - 1)];
        multiply(packed, nine * dim * LANES, whole, a * dim, b * dim, c * dim, d * dim, dim, sums);
        takeSums(sums, 0, row, end, a * most, a * most + most - 1, indices, products);
        if (n + 1 < to) takeSums(sums, 3, row, end, b * most, b * most + most - 1, indices, products);
        if (n + 2 < to) takeSums(sums, 6, row, end, c * most, c * most + most - 1, indices, products);
        if (n + 3 < to) takeSums(sums, 9, row, end, d * most, d * most + most - 1, indices, products);
      }
    }
  }
}

/** Four vectors, from `a`, `b`, `c` and `d` of `x` on, times nine rows. */
function multiply(
  packed: Float64Array,
  at: number,
  x: Float64Array,
  a: number,
  b: number,
  c: number,
  d: number,
  dim: number,
  out: Float64Array,
): void {
  let a0 = 0;
  let a1 = 0;
  let a2 = 0;
  let b0 = 0;
  let b1 = 0;
  let b2 = 0;
  let c0 = 0;
  let c1 = 0;
  let c2 = 0;
  let d0 = 0;
  let d1 = 0;
  let d2 = 0;
  let to = at;
  for (let k = 0; k < dim; k++) {
    const p = packed[to];
    const q = packed[to + 1];
    const r = packed[to + 2];
    to += LANES;
    let value = x[a + k];
    a0 += value * p;
    a1 += value * q;
    a2 += value * r;
    value = x[b + k];
    b0 += value * p;
    b1 += value * q;
    b2 += value * r;
    value = x[c + k];
    c0 += value * p;
    c1 += value * q;
    c2 += value * r;
    value = x[d + k];
    d0 += value * p;
    d1 += value * q;
    d2 += value * r;
  }
  out[0] = a0;
  out[1] = a1;
  out[2] = a2;
  out[3] = b0;
  out[4] = b1;
  out[5] = b2;
  out[6] = c0;
  out[7] = c1;
  out[8] = c2;
  out[9] = d0;
  out[10] = d1;
  out[11] = d2;
}

/** Unpacks three sums, of the rows from `first` on, and takes what is better than the worst of the best. */
function takeSums(
  sums: Float64Array,
  from: number,
  first: number,
  end: number,
  at: number,
  last: number,
  indices: Uint32Array,
  products: Float64Array,
): void {
  let least = products[last];
  for (let t = from, row = first; t < from + LANES; t++, row += LANES) {
    const sum = sums[t];
    const high = Math.floor(sum * (1 / STEP_TWO) + 0.5);
    const rest = sum - high * STEP_TWO;
    const middle = Math.floor(rest * (1 / STEP) + 0.5);
    const low = rest - middle * STEP;
    if (low > least && row < end) least = insert(indices, products, at, last, row, low);
    if (middle > least && row + 1 < end) least = insert(indices, products, at, last, row + 1, middle);
    if (high > least && row + 2 < end) least = insert(indices, products, at, last, row + 2, high);
  }
}

/** The worst of the best from now on. */
function insert(
  indices: Uint32Array,
  products: Float64Array,
  at: number,
  last: number,
  index: number,
  product: number,
): number {
  let to = last;
  for (; to > at && products[to - 1] < product; to--) {
    products[to] = products[to - 1];
    indices[to] = indices[to - 1];
  }
  products[to] = product;
  indices[to] = index;
  return products[last];
}
