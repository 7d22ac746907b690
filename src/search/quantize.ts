/**
 * The words nearest to a descriptor, by two steps: the nearest cells, then the words in them, cell by cell for all descriptors
 * of an image. Measured against all 16 384 words: docs/search.md. In whole numbers, so Node and a page find the same words.
 */
import { ShapeError } from "../errors.js";
import { checkNumber } from "../options.js";
import type { Vocabulary } from "./vocabulary.js";
import { type BestRows, Comparison, cosinePerProduct, type WholeRows, wholeRows } from "./whole-products.js";

/** Marks the place of a word where there are fewer than were asked for. */
export const NO_WORD = 0xffffffff;

/** Cells that are looked into. */
export const DEFAULT_PROBES = 3;

/** Words of descriptors. */
export interface Assigned {
  /** Row-major count × neighbours, the nearest first; NO_WORD where there are no more. */
  words: Uint32Array;
  /** Cosine similarities to them. */
  similarities: Float32Array;
}

/** What words are looked for in. */
type Words = Pick<Vocabulary, "dim" | "words" | "cells" | "starts" | "coarse" | "centres">;

/** Finds the words of descriptors; words that change need a new one. */
export class Quantizer {
  private readonly coarse: WholeRows;
  private readonly fine: WholeRows;
  private readonly starts: Uint32Array;

  constructor({ dim, words, cells, starts, coarse, centres }: Words) {
    this.coarse = wholeRows(coarse, cells, dim);
    this.fine = wholeRows(centres, words, dim);
    this.starts = starts;
  }

  /** The `neighbours` words nearest to each of `count` unit rows, among those of the `probes` nearest cells. */
  assign(descriptors: Float32Array, count: number, neighbours = 1, probes = DEFAULT_PROBES): Assigned {
    const where = "assign";
    checkNumber(where, "neighbours", neighbours, { min: 1, max: 64, integer: true });
    checkNumber(where, "probes", probes, { min: 1, integer: true });
    const { fine, starts } = this;
    const cells = starts.length - 1;
    const comparison = new Comparison(this.whole(where, descriptors, count));
    const nearest = this.nearest(comparison, count, Math.min(probes, cells));
    const best = noRows(count, neighbours);
    for (const [cell, members] of byCell(nearest, cells)) {
      comparison.take(fine, starts[cell], starts[cell + 1], members, best);
    }
    return assigned(best, fine.dim);
  }

  /** The cell nearest to each of `count` unit rows. */
  nearestCells(descriptors: Float32Array, count: number): Assigned {
    const comparison = new Comparison(this.whole("nearestCells", descriptors, count));
    return assigned(this.nearest(comparison, count, 1), this.coarse.dim);
  }

  private nearest(comparison: Comparison, count: number, most: number): BestRows {
    return nearestRows(comparison, this.coarse, this.starts.length - 1, count, most);
  }

  private whole(where: string, descriptors: Float32Array, count: number): WholeRows {
    const { dim } = this.fine;
    if (descriptors.length < count * dim) {
      throw new ShapeError(
        `${where}: ${count} descriptors of ${dim} values expected, got ${descriptors.length} values`,
      );
    }
    return wholeRows(descriptors, count, dim);
  }
}

const quantizers = new WeakMap<Vocabulary, Quantizer>();

/** That of a vocabulary that does not change any more. */
export function quantizerOf(vocabulary: Vocabulary): Quantizer {
  let quantizer = quantizers.get(vocabulary);
  if (!quantizer) {
    quantizer = new Quantizer(vocabulary);
    quantizers.set(vocabulary, quantizer);
  }
  return quantizer;
}

/** The nearest of `count` rows (row-major k × dim) to each descriptor: words without cells. */
export function nearestOf(
  rows: Float32Array,
  k: number,
  dim: number,
  descriptors: Float32Array,
  count: number,
): Assigned {
  const comparison = new Comparison(wholeRows(descriptors, count, dim));
  return assigned(nearestRows(comparison, wholeRows(rows, k, dim), k, count, 1), dim);
}

const noRows = (count: number, most: number): BestRows => ({
  most,
  indices: new Uint32Array(count * most).fill(NO_WORD),
  products: new Float64Array(count * most).fill(-Infinity),
});

function nearestRows(comparison: Comparison, rows: WholeRows, k: number, count: number, most: number): BestRows {
  const best = noRows(count, most);
  const all = Uint32Array.from({ length: count }, (_, i) => i);
  comparison.take(rows, 0, k, all, best);
  return best;
}

/** Each cell that is near to a descriptor, with these descriptors; both ascend. */
function* byCell({ indices, most }: BestRows, cells: number): Generator<[cell: number, members: Uint32Array]> {
  const ends = new Uint32Array(cells + 1);
  for (const cell of indices) ends[cell + 1]++;
  for (let cell = 0; cell < cells; cell++) ends[cell + 1] += ends[cell];
  const at = ends.slice();
  const members = new Uint32Array(indices.length);
  for (let i = 0; i < indices.length; i++) members[at[indices[i]]++] = Math.floor(i / most);
  for (let cell = 0; cell < cells; cell++) {
    if (ends[cell + 1] > ends[cell]) yield [cell, members.subarray(ends[cell], ends[cell + 1])];
  }
}

function assigned({ indices, products }: BestRows, dim: number): Assigned {
  const scale = cosinePerProduct(dim);
  return { words: indices, similarities: Float32Array.from(products, (product) => scale * product) };
}
