/**
 * An image as one vector (VLAD, Jégou et al. 2010): of each cell the sum of how its descriptors differ from it, each cell's
 * to unit length (Arandjelović and Zisserman 2013), kept in signed bytes. The small form of an index: it is compared with all.
 */
import { descriptorBytes } from "../packed.js";
import { removeAlong } from "./aggregate.js";
import { quantizerOf } from "./quantize.js";
import type { Vocabulary } from "./vocabulary.js";

/** Cells × dim signed bytes; all zeros for an image without keypoints. */
export function vladOf(vocabulary: Vocabulary, descriptors: Float32Array, count: number): Int8Array {
  const { dim, cells, coarse } = vocabulary;
  const { words } = quantizerOf(vocabulary).nearestCells(descriptors, count);
  const sums = new Float32Array(cells * dim);
  for (let i = 0; i < count; i++) {
    const to = words[i] * dim;
    for (let d = 0; d < dim; d++) sums[to + d] += descriptors[i * dim + d];
  }
  for (let cell = 0; cell < cells; cell++) {
    removeAlong(sums, cell * dim, coarse, cell * dim, dim);
    let square = 0;
    for (let d = cell * dim; d < (cell + 1) * dim; d++) square += sums[d] * sums[d];
    const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let d = cell * dim; d < (cell + 1) * dim; d++) sums[d] *= scale;
  }
  return descriptorBytes({ descriptors: sums, count: 1, dim: cells * dim });
}

/** Cosine similarities of a vector with rows of the same length. */
export function vladScores(query: Int8Array, rows: Int8Array, scores: Float32Array): void {
  const length = query.length;
  const own = Math.sqrt(dot(query, query, 0));
  for (let i = 0; i < scores.length; i++) {
    const row = rows.subarray(i * length, (i + 1) * length);
    const size = own * Math.sqrt(dot(row, row, 0));
    scores[i] = size > 0 ? dot(query, rows, i * length) / size : 0;
  }
}

function dot(a: Int8Array, b: Int8Array, at: number): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d] * b[at + d];
  return sum;
}
