/**
 * The words nearest to a descriptor, by two steps: the nearest cells, then the words in them. Measured against all 16 384
 * words: docs/search.md. Plain arithmetic in one order, so that Node and a page find the same words.
 */
import { ShapeError } from "../errors.js";
import { checkNumber } from "../options.js";
import type { Vocabulary } from "./vocabulary.js";

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

/** The `neighbours` words nearest to each of `count` unit rows, among those of the `probes` nearest cells. */
export function assignWords(
  vocabulary: Pick<Vocabulary, "dim" | "cells" | "starts" | "coarse" | "centres">,
  descriptors: Float32Array,
  count: number,
  neighbours = 1,
  probes = DEFAULT_PROBES,
): Assigned {
  const where = "assignWords";
  checkNumber(where, "neighbours", neighbours, { min: 1, max: 64, integer: true });
  checkNumber(where, "probes", probes, { min: 1, integer: true });
  const { dim, cells, starts, coarse, centres } = vocabulary;
  if (descriptors.length < count * dim) {
    throw new ShapeError(`${where}: ${count} descriptors of ${dim} values expected, got ${descriptors.length} values`);
  }
  const words = new Uint32Array(count * neighbours).fill(NO_WORD);
  const similarities = new Float32Array(count * neighbours).fill(-Infinity);
  const looked = Math.min(probes, cells);
  const nearest = new Uint32Array(looked);
  const best = new Float32Array(looked);
  for (let i = 0; i < count; i++) {
    best.fill(-Infinity);
    scan(coarse, 0, cells, descriptors, i * dim, dim, nearest, best, 0, looked);
    for (let p = 0; p < looked; p++) {
      const cell = nearest[p];
      scan(
        centres,
        starts[cell],
        starts[cell + 1],
        descriptors,
        i * dim,
        dim,
        words,
        similarities,
        i * neighbours,
        neighbours,
      );
    }
  }
  return { words, similarities };
}

/** Takes rows `first` to `end` − 1 into the `most` best at `at`; of equal ones the earlier stays. Two rows at a time. */
function scan(
  rows: Float32Array,
  first: number,
  end: number,
  x: Float32Array,
  xAt: number,
  dim: number,
  indices: Uint32Array,
  values: Float32Array,
  at: number,
  most: number,
): void {
  const last = at + most - 1;
  let row = first;
  for (; row + 4 <= end; row += 4) {
    const a = row * dim;
    const b = a + dim;
    const c = b + dim;
    const d = c + dim;
    let sa = 0;
    let sb = 0;
    let sc = 0;
    let sd = 0;
    for (let k = 0; k < dim; k++) {
      const v = x[xAt + k];
      sa += v * rows[a + k];
      sb += v * rows[b + k];
      sc += v * rows[c + k];
      sd += v * rows[d + k];
    }
    if (sa > values[last]) insert(indices, values, at, last, row, sa);
    if (sb > values[last]) insert(indices, values, at, last, row + 1, sb);
    if (sc > values[last]) insert(indices, values, at, last, row + 2, sc);
    if (sd > values[last]) insert(indices, values, at, last, row + 3, sd);
  }
  for (; row < end; row++) {
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += x[xAt + k] * rows[row * dim + k];
    if (sum > values[last]) insert(indices, values, at, last, row, sum);
  }
}

function insert(indices: Uint32Array, values: Float32Array, at: number, last: number, index: number, value: number) {
  let to = last;
  for (; to > at && values[to - 1] < value; to--) {
    values[to] = values[to - 1];
    indices[to] = indices[to - 1];
  }
  values[to] = value;
  indices[to] = index;
}
