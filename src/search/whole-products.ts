/**
 * The rows nearest to a vector, by dot products of unit vectors in whole numbers: vectors become whole numbers of a length below
 * 256, so a product fits 32 bits, is exact, and is the same on every machine.
 */
import { type DotProducts, openDotProducts, ROWS, VALUES } from "./dot-products.js";

/** Length of a vector in whole numbers: rounding, at most ½ a value, must not take it above 255.9. */
const lengthOf = (dim: number): number => 255.9 - 0.5 * Math.sqrt(dim);

/** What a product of two whole vectors is multiplied with to be a cosine. */
export const cosinePerProduct = (dim: number): number => 1 / lengthOf(dim) ** 2;

/** Values of a row in memory. */
const strideOf = (dim: number): number => VALUES * Math.ceil(dim / VALUES);

/** Unit rows in whole numbers, each followed by zeros up to a multiple of VALUES. */
export interface WholeRows {
  dim: number;
  stride: number;
  values: Int16Array;
}

/** `count` unit rows in whole numbers. */
export function wholeRows(rows: Float32Array, count: number, dim: number): WholeRows {
  const length = lengthOf(dim);
  const stride = strideOf(dim);
  const values = new Int16Array(count * stride);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < dim; k++) values[i * stride + k] = Math.floor(length * rows[i * dim + k] + 0.5);
  }
  return { dim, stride, values };
}

/** The best rows of each vector so far: `most` each, the best first. */
export interface BestRows {
  most: number;
  indices: Uint32Array;
  /** Products; -Infinity where there is no row yet. */
  products: Float64Array;
}

/** Rows that are in the memory at once: 512 × 64 values stay in a core's second cache. */
const MOST_ROWS = 512;
const PAGE = 65536;

/** The memory that products are made in; one for all, for each takes address space. */
let scratch: { memory: WebAssembly.Memory; dots: DotProducts } | undefined;

function scratchOf(bytes: number): { memory: WebAssembly.Memory; dots: DotProducts } {
  if (!scratch) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    scratch = { memory, dots: openDotProducts(memory) };
  }
  const missing = bytes - scratch.memory.buffer.byteLength;
  if (missing > 0) scratch.memory.grow(Math.ceil(missing / PAGE));
  return scratch;
}

/** Compares vectors with blocks of rows, each with some of the vectors. */
export class Comparison {
  private readonly memory: WebAssembly.Memory;
  private readonly dots: DotProducts;
  private readonly rowsAt: number;
  private readonly vectorsAt: number;

  /** Whoever makes one compares before anybody else makes another: they share the memory. */
  constructor(private readonly vectors: WholeRows) {
    const { stride, values } = vectors;
    this.rowsAt = 4 * (MOST_ROWS + ROWS);
    this.vectorsAt = this.rowsAt + 2 * stride * (MOST_ROWS + ROWS);
    ({ memory: this.memory, dots: this.dots } = scratchOf(this.vectorsAt + 2 * values.length));
    new Int16Array(this.memory.buffer, this.vectorsAt, values.length).set(values);
  }

  /** Takes rows `first` to `end` − 1 into the best of the vectors that `list` names; of equal ones the first taken stays. */
  take(rows: WholeRows, first: number, end: number, list: Uint32Array, { most, indices, products }: BestRows): void {
    const { stride } = this.vectors;
    const room = new Int16Array(this.memory.buffer, this.rowsAt, MOST_ROWS * stride);
    const sums = new Int32Array(this.memory.buffer, 0, MOST_ROWS);
    for (let from = first; from < end; from += MOST_ROWS) {
      const count = Math.min(MOST_ROWS, end - from);
      room.set(rows.values.subarray(from * stride, (from + count) * stride));
      for (const vector of list) {
        this.dots(this.vectorsAt + 2 * stride * vector, this.rowsAt, count, 2 * stride, 0);
        const at = vector * most;
        const last = at + most - 1;
        let least = products[last];
        for (let i = 0; i < count; i++) {
          if (sums[i] > least) least = insert(indices, products, at, last, from + i, sums[i]);
        }
      }
    }
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
