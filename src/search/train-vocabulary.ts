/**
 * A vocabulary from descriptors: spherical k-means in two levels (Nistér and Stewénius 2006), cells first and then words in
 * each cell, as many as it has descriptors; a few flat rounds over neighbouring cells then let words settle across borders.
 */
import { checkFunction, checkNumbers, checkObject } from "../check.js";
import { OptionError, ShapeError } from "../errors.js";
import { checkNumber, withDefaults } from "../options.js";
import { Random } from "../random.js";
import { nearestOf, Quantizer } from "./quantize.js";
import {
  checkIdentity,
  MOST_WORDS,
  type ModelIdentity,
  readVocabulary,
  type Vocabulary,
  writeVocabulary,
} from "./vocabulary.js";

/** How a vocabulary is trained. */
export interface VocabularyOptions {
  /** Number of words; default 16 384. Fewer than asked for where there are not twice as many descriptors. */
  words?: number;
  /** Rounds of k-means at each level; default 10. */
  iterations?: number;
  /** Same descriptors, same seed: the same words. Default 0. */
  seed?: number;
  /** Stops between two steps with the signal's reason. */
  signal?: AbortSignal;
  /** How much is done, 0 to 1. */
  onProgress?: (share: number) => void;
}

/** Descriptors of the pictures that a vocabulary is made of. */
export interface TrainingDescriptors {
  /** Row-major count × dim, unit rows. */
  descriptors: Float32Array;
  dim: number;
  /** First descriptor of each picture, then the number of all. */
  pictures: Uint32Array;
}

/** Descriptors of a cell's k-means per word that it makes; more change little. */
const PER_CELL = 256;
/** Rounds over neighbouring cells. */
const FLAT_ROUNDS = 2;
const FLAT_PROBES = 3;
/** Descriptors that are assigned between two looks at the clock and the signal. */
const CHUNK = 8192;

/** The vocabulary of `model` from its descriptors. Takes minutes for a million of them. */
export async function trainVocabulary(
  model: ModelIdentity,
  training: TrainingDescriptors,
  options: VocabularyOptions = {},
): Promise<Vocabulary> {
  const where = "trainVocabulary";
  checkIdentity(where, model);
  const { descriptors, dim, pictures } = checkTraining(where, training);
  const given = withDefaults<VocabularyOptions>(
    where,
    { words: 16_384, iterations: 10, seed: 0, signal: undefined, onProgress: undefined },
    options,
  );
  const { signal, onProgress } = given;
  if (onProgress !== undefined) checkFunction(where, "onProgress", onProgress);
  const asked = checkNumber(where, "words", given.words, { min: 1, max: MOST_WORDS, integer: true });
  const iterations = checkNumber(where, "iterations", given.iterations, { min: 1, max: 1000, integer: true });
  const random = new Random(checkNumber(where, "seed", given.seed, { min: 0, max: 2 ** 32 - 1, integer: true }));
  const count = descriptors.length / dim;
  if (count < 2)
    throw new OptionError(`${where}: ${count} descriptors are too few for a vocabulary; give more pictures`);
  const words = Math.min(asked, count >> 1);
  const cells = Math.max(1, Math.min(words, Math.round(Math.sqrt(words))));
  const pause = async (share: number) => {
    signal?.throwIfAborted();
    onProgress?.(share);
    await new Promise((resolve) => setTimeout(resolve, 0));
  };

  const sample = draw(count, Math.min(count, PER_CELL * cells), random);
  const coarse = await kMeans(descriptors, dim, sample, cells, iterations, random, pause, 0, 0.1);
  const members = await byCell(descriptors, dim, count, coarse, cells, (share) => pause(0.1 + 0.15 * share));
  const shares = wordsPerCell(members, words);
  const centres = new Float32Array(words * dim);
  const starts = new Uint32Array(cells + 1);
  for (let cell = 0; cell < cells; cell++) {
    starts[cell + 1] = starts[cell] + shares[cell];
    if (shares[cell] === 0) continue;
    const own = members[cell];
    const from = [0.25 + (0.4 * cell) / cells, 0.4 / cells] as const;
    centres.set(
      await kMeans(descriptors, dim, own, shares[cell], iterations, random, pause, ...from),
      starts[cell] * dim,
    );
  }
  const rows = { dim, words, cells, starts, coarse, centres };
  for (let round = 0; round < FLAT_ROUNDS; round++) {
    const sums = new Float64Array(words * dim);
    const quantizer = new Quantizer(rows);
    await inChunks(count, pause, 0.65 + (0.25 * round) / FLAT_ROUNDS, 0.25 / FLAT_ROUNDS, (first, n) => {
      const part = descriptors.subarray(first * dim, (first + n) * dim);
      addRows(sums, part, dim, quantizer.assign(part, n, 1, FLAT_PROBES).words);
    });
    settle(sums, centres, words, dim);
    centreCells(rows);
  }
  const idf = new Float32Array(words).fill(1);
  const untrained = readVocabulary(writeVocabulary({ model, ...rows, idf }));
  await weighWords(untrained, descriptors, pictures, (share) => pause(0.9 + 0.1 * share));
  onProgress?.(1);
  return readVocabulary(writeVocabulary(untrained));
}

function checkTraining(where: string, training: TrainingDescriptors): TrainingDescriptors {
  checkObject(where, "training", training);
  const { descriptors, dim, pictures } = training;
  checkNumber(where, "dim", dim, { min: 1, max: 1024, integer: true });
  if (!(descriptors instanceof Float32Array) || descriptors.length % dim !== 0) {
    throw new ShapeError(`${where}: descriptors must be a Float32Array of whole rows of ${dim} values`);
  }
  checkNumbers(where, "descriptors", descriptors);
  const fits = pictures instanceof Uint32Array && pictures.length > 1 && pictures[0] === 0;
  if (!fits || pictures.at(-1) !== descriptors.length / dim || pictures.some((p, i) => i > 0 && p < pictures[i - 1])) {
    throw new ShapeError(`${where}: pictures must be a Uint32Array that rises from 0 to the number of descriptors`);
  }
  return training;
}

type Pause = (share: number) => Promise<void>;

/** `most` different numbers below `count`, in a drawn order. */
function draw(count: number, most: number, random: Random): Uint32Array {
  const all = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < most; i++) {
    const j = i + random.integer(count - i);
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all.slice(0, most);
}

/** `k` unit centres of the chosen rows; a centre without rows moves to the row that its own centre fits worst. */
async function kMeans(
  descriptors: Float32Array,
  dim: number,
  chosen: Uint32Array,
  k: number,
  iterations: number,
  random: Random,
  pause: Pause,
  from: number,
  share: number,
): Promise<Float32Array> {
  const own = chosen.length > PER_CELL * k ? pick(chosen, draw(chosen.length, PER_CELL * k, random)) : chosen;
  const rows = new Float32Array(own.length * dim);
  for (const [to, i] of own.entries()) rows.set(descriptors.subarray(i * dim, (i + 1) * dim), to * dim);
  const centres = new Float32Array(k * dim);
  for (const [to, i] of draw(own.length, k, random).entries())
    centres.set(rows.subarray(i * dim, (i + 1) * dim), to * dim);
  for (let round = 0; round < iterations; round++) {
    await pause(from + (share * round) / iterations);
    const { words, similarities } = nearestOf(centres, k, dim, rows, own.length);
    const sums = new Float64Array(k * dim);
    addRows(sums, rows, dim, words);
    const taken = new Uint32Array(k);
    for (const word of words) taken[word]++;
    const worst = [...taken.keys()].filter((w) => taken[w] === 0);
    if (worst.length > 0) {
      const order = Uint32Array.from(own.keys()).sort((a, b) => similarities[a] - similarities[b] || a - b);
      for (const [n, word] of worst.entries()) {
        const row = order[n % order.length];
        for (let d = 0; d < dim; d++) sums[word * dim + d] = rows[row * dim + d];
      }
    }
    settle(sums, centres, k, dim);
  }
  return centres;
}

const pick = (from: Uint32Array, indices: Uint32Array): Uint32Array => indices.map((i) => from[i]);

function addRows(sums: Float64Array, rows: Float32Array, dim: number, words: Uint32Array): void {
  for (let i = 0; i < words.length; i++) {
    const to = words[i] * dim;
    for (let d = 0; d < dim; d++) sums[to + d] += rows[i * dim + d];
  }
}

/** Centres become the sums' directions; one without a sum stays. */
function settle(sums: Float64Array, centres: Float32Array, count: number, dim: number): void {
  for (let w = 0; w < count; w++) {
    let square = 0;
    for (let d = w * dim; d < (w + 1) * dim; d++) square += sums[d] * sums[d];
    if (square === 0) continue;
    const scale = 1 / Math.sqrt(square);
    for (let d = w * dim; d < (w + 1) * dim; d++) centres[d] = sums[d] * scale;
  }
}

/** Cells get the direction of their words' sum. */
function centreCells({
  dim,
  cells,
  starts,
  coarse,
  centres,
}: Pick<Vocabulary, "dim" | "cells" | "starts" | "coarse" | "centres">) {
  const sums = new Float64Array(cells * dim);
  for (let cell = 0; cell < cells; cell++) {
    for (let w = starts[cell]; w < starts[cell + 1]; w++) {
      for (let d = 0; d < dim; d++) sums[cell * dim + d] += centres[w * dim + d];
    }
  }
  settle(sums, coarse, cells, dim);
}

async function inChunks(
  count: number,
  pause: Pause,
  from: number,
  share: number,
  work: (first: number, n: number) => void,
): Promise<void> {
  for (let first = 0; first < count; first += CHUNK) {
    await pause(from + (share * first) / count);
    work(first, Math.min(CHUNK, count - first));
  }
}

async function byCell(
  descriptors: Float32Array,
  dim: number,
  count: number,
  coarse: Float32Array,
  cells: number,
  pause: Pause,
): Promise<Uint32Array[]> {
  const lists: number[][] = Array.from({ length: cells }, () => []);
  await inChunks(count, pause, 0, 1, (first, n) => {
    const { words } = nearestOf(coarse, cells, dim, descriptors.subarray(first * dim, (first + n) * dim), n);
    for (const [i, cell] of words.entries()) lists[cell].push(first + i);
  });
  return lists.map((list) => Uint32Array.from(list));
}

/** Words by the number of descriptors, the largest remainders first; none for a cell without any. */
function wordsPerCell(members: readonly Uint32Array[], words: number): Uint32Array {
  const total = members.reduce((sum, { length }) => sum + length, 0);
  const wanted = members.map(({ length }) => (words * length) / total);
  const shares = Uint32Array.from(wanted, (share, cell) => Math.min(members[cell].length, Math.floor(share)));
  let left = words - shares.reduce((sum, share) => sum + share, 0);
  const order = [...members.keys()].sort((a, b) => (wanted[b] % 1) - (wanted[a] % 1) || a - b);
  for (let i = 0; left > 0; i = (i + 1) % order.length) {
    if (shares[order[i]] >= members[order[i]].length) continue;
    shares[order[i]]++;
    left--;
  }
  return shares;
}

/** Weighs each word by how few pictures have it. */
async function weighWords(
  vocabulary: Vocabulary,
  descriptors: Float32Array,
  pictures: Uint32Array,
  pause: Pause,
): Promise<void> {
  const { dim, words, idf } = vocabulary;
  const holding = new Uint32Array(words);
  const last = new Int32Array(words).fill(-1);
  const total = pictures.length - 1;
  const quantizer = new Quantizer(vocabulary);
  for (let picture = 0; picture < total; picture++) {
    const [first, end] = [pictures[picture], pictures[picture + 1]];
    const own = quantizer.assign(descriptors.subarray(first * dim, end * dim), end - first).words;
    for (const word of own) {
      if (last[word] === picture) continue;
      last[word] = picture;
      holding[word]++;
    }
    if (picture % 16 === 0) await pause(picture / total);
  }
  for (let w = 0; w < words; w++) idf[w] = Math.log(1 + total / (holding[w] + 1));
}
