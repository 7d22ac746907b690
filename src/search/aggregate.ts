/**
 * An image as aggregated, binarised residuals per word (ASMK, Tolias, Avrithis and Jégou 2013 and 2016): of all descriptors of
 * a word, the sum of how they differ from it, of which the signs are kept. However often a word occurs (burstiness), it counts
 * once. Words are directions, so what differs is what lies across the word: along it, all descriptors fall short of it alike.
 */
import { NO_WORD } from "./quantize.js";
import type { Vocabulary } from "./vocabulary.js";

/** Bits of a signature. */
export const SIGNATURE_BITS = 64;

/** Words of an image, ascending, with their signatures. */
export interface Aggregated {
  words: Uint32Array;
  /** Two 32-bit parts per word; of shorter descriptors the rest is 0. */
  signatures: Int32Array;
}

/** Bits that say something: a value of the descriptor each. */
export const signatureBits = (dim: number): number => Math.min(SIGNATURE_BITS, dim);

/** Aggregates `count` descriptors by their words (row-major count × neighbours, as a Quantizer gives them). */
export function aggregate(
  { dim, centres }: Pick<Vocabulary, "dim" | "centres">,
  descriptors: Float32Array,
  count: number,
  assigned: Uint32Array,
): Aggregated {
  const neighbours = count === 0 ? 1 : assigned.length / count;
  // Sorted by word, then by descriptor: sums are added in one order wherever this runs.
  const order = Float64Array.from(assigned, (word, at) => word * assigned.length + at)
    .filter((_, at) => assigned[at] !== NO_WORD)
    .sort();
  const words: number[] = [];
  const signatures = new Int32Array(2 * order.length);
  const bits = signatureBits(dim);
  const residual = new Float64Array(dim);
  for (let i = 0; i < order.length; ) {
    const word = Math.floor(order[i] / assigned.length);
    residual.fill(0);
    for (; i < order.length; i++) {
      const at = order[i] - word * assigned.length;
      if (at >= assigned.length) break;
      const row = Math.floor(at / neighbours) * dim;
      for (let d = 0; d < dim; d++) residual[d] += descriptors[row + d];
    }
    removeAlong(residual, 0, centres, word * dim, dim);
    for (let b = 0; b < bits; b++) {
      if (residual[Math.floor((b * dim) / bits)] > 0) signatures[2 * words.length + (b >> 5)] |= 1 << (b & 31);
    }
    words.push(word);
  }
  return { words: Uint32Array.from(words), signatures: signatures.slice(0, 2 * words.length) };
}

/** Takes the part along the unit row of `centres` at `centre` out of the row of `rows` at `at`. */
export function removeAlong(
  rows: Float32Array | Float64Array,
  at: number,
  centres: Float32Array,
  centre: number,
  dim: number,
): void {
  let along = 0;
  for (let d = 0; d < dim; d++) along += rows[at + d] * centres[centre + d];
  for (let d = 0; d < dim; d++) rows[at + d] -= along * centres[centre + d];
}

/** 1 / √ of the idf of all words of an image, so that images with many words are no better matches for it; 0 without words. */
export function normOf(idf: Float32Array, words: Uint32Array): number {
  let sum = 0;
  for (const word of words) sum += idf[word];
  return sum > 0 ? 1 / Math.sqrt(sum) : 0;
}
