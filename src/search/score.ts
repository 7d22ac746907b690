/** Scores of images by the words that they share with a query (the selective match kernel of ASMK). */
import { codeDistance } from "../match/code-distance.js";
import type { Aggregated } from "./aggregate.js";

/** The images of one word: their ordinals in a segment, ascending, with their signatures. */
export interface Postings {
  images: Uint32Array;
  /** Two 32-bit parts per image. */
  signatures: Int32Array;
}

/** How alike two signatures must be to count, and how much more the alike ones count. */
export interface Selectivity {
  /** Correlation of bits, −1 to 1, above which a word counts. */
  threshold: number;
  /** Power of the correlation. */
  exponent: number;
}

/** What a shared word counts by the Hamming distance of its signatures of so many bits. */
export function similarityTable(bits: number, { threshold, exponent }: Selectivity): Float32Array {
  return Float32Array.from({ length: bits + 1 }, (_, distance) => {
    const correlation = 1 - (2 * distance) / bits;
    return correlation > threshold ? correlation ** exponent : 0;
  });
}

/** Adds what one word of a query is worth to the scores of the images that have it. */
export function addScores(
  scores: Float32Array,
  { images, signatures }: Postings,
  query: Aggregated,
  at: number,
  idf: number,
  table: Float32Array,
): void {
  const low = query.signatures[2 * at];
  const high = query.signatures[2 * at + 1];
  let far = 0;
  while (far < table.length && table[far] > 0) far++;
  for (let i = 0; i < images.length; i++) {
    const distance = codeDistance(signatures[2 * i], signatures[2 * i + 1], low, high);
    if (distance < far) scores[images[i]] += idf * table[distance];
  }
}
