/**
 * Descriptors as 64 bits each: whether values lie above their median over the targets. Descriptors of one place differ in
 * about a sixth of them, others in nearly half, so that bits find the pairs whose exact similarity is worth computing, in
 * plain JavaScript and on any thread.
 */
import type { FloatFeatures } from "../features.js";
import { codeDistance } from "../match/code-distance.js";

/** Bits of a code: 32-bit words, and how many. */
export const CODE_WORDS = 2;
const CODE_BITS = 32 * CODE_WORDS;

/** Which values make the bits, and from where on a bit is 1. */
export interface Coding {
  values: Uint16Array;
  thresholds: Float32Array;
}

/** The coding of a set of descriptors: up to 64 of their values, evenly taken, and the median of each. */
export function codingOf(features: readonly FloatFeatures[]): Coding {
  const dim = features.length > 0 ? features[0].dim : 0;
  const count = Math.min(CODE_BITS, dim);
  const values = Uint16Array.from({ length: count }, (_, k) => Math.floor((k * dim) / count));
  const total = features.reduce((sum, one) => sum + one.count, 0);
  const column = new Float32Array(total);
  const thresholds = Float32Array.from(values, (value) => {
    let n = 0;
    for (const { count, descriptors } of features) {
      for (let i = 0; i < count; i++) column[n++] = descriptors[i * dim + value];
    }
    return total === 0 ? 0 : column.sort()[total >> 1];
  });
  return { values, thresholds };
}

/** Two 32-bit words per descriptor. */
export function codesOf({ values, thresholds }: Coding, { count, dim, descriptors }: FloatFeatures): Int32Array {
  const codes = new Int32Array(CODE_WORDS * count);
  for (let i = 0; i < count; i++) {
    for (let b = 0; b < values.length; b++) {
      if (descriptors[i * dim + values[b]] > thresholds[b]) codes[CODE_WORDS * i + (b >> 5)] |= 1 << (b & 31);
    }
  }
  return codes;
}

/** Pairs of codes that are each other's nearest, at most `most` bits apart: i0, j0, i1, j1, … */
export function mutualNearest(a: Int32Array, b: Int32Array, most: number): number[] {
  const countB = b.length / CODE_WORDS;
  const nearestA = new Uint8Array(countB).fill(255);
  const indexA = new Int32Array(countB).fill(-1);
  const chosen = new Int32Array(a.length / CODE_WORDS).fill(-1);
  for (let i = 0; i < chosen.length; i++) {
    const [a0, a1] = [a[CODE_WORDS * i], a[CODE_WORDS * i + 1]];
    let least = most + 1;
    for (let j = 0; j < countB; j++) {
      const distance = codeDistance(a0, a1, b[CODE_WORDS * j], b[CODE_WORDS * j + 1]);
      if (distance < nearestA[j]) {
        nearestA[j] = distance;
        indexA[j] = i;
      }
      if (distance < least) {
        least = distance;
        chosen[i] = j;
      }
    }
  }
  const pairs: number[] = [];
  for (let i = 0; i < chosen.length; i++) if (chosen[i] >= 0 && indexA[chosen[i]] === i) pairs.push(i, chosen[i]);
  return pairs;
}

/** Bits of a part of a code by which the index files it. */
const PART_BITS = 8;
const PARTS = CODE_BITS / PART_BITS;
const VALUES = 2 ** PART_BITS;

/**
 * Codes of many targets, filed by each of their eight bytes (multi-index hashing; Norouzi, Punjani, Fleet 2012): a code near
 * another shares a byte with it, and only those are compared.
 */
export class CodeIndex {
  private readonly starts = new Int32Array(PARTS * VALUES + 1);
  private readonly entries: Int32Array;
  private readonly codes: Int32Array;
  private readonly owners: Uint16Array;

  constructor(private readonly targets: readonly Int32Array[]) {
    const total = targets.reduce((sum, codes) => sum + codes.length / CODE_WORDS, 0);
    this.codes = new Int32Array(CODE_WORDS * total);
    this.owners = new Uint16Array(total);
    let at = 0;
    for (const [t, codes] of targets.entries()) {
      this.codes.set(codes, CODE_WORDS * at);
      this.owners.fill(t, at, at + codes.length / CODE_WORDS);
      at += codes.length / CODE_WORDS;
    }
    const { starts, codes } = this;
    for (let i = 0; i < total; i++) for (let p = 0; p < PARTS; p++) starts[p * VALUES + partOf(codes, i, p) + 1]++;
    for (let k = 0; k < PARTS * VALUES; k++) starts[k + 1] += starts[k];
    const next = starts.slice(0, -1);
    this.entries = new Int32Array(PARTS * total);
    for (let i = 0; i < total; i++) {
      for (let p = 0; p < PARTS; p++) this.entries[next[p * VALUES + partOf(codes, i, p)]++] = i;
    }
  }

  /** How many of the codes `a` have their nearest, at most `most` bits away, in each target. */
  votes(a: Int32Array, most: number): Float64Array {
    const { starts, entries, codes, owners } = this;
    const votes = new Float64Array(this.targets.length);
    for (let i = 0; i < a.length / CODE_WORDS; i++) {
      const [a0, a1] = [a[CODE_WORDS * i], a[CODE_WORDS * i + 1]];
      let least = most + 1;
      let owner = -1;
      for (let p = 0; p < PARTS; p++) {
        const list = p * VALUES + partOf(a, i, p);
        for (let k = starts[list]; k < starts[list + 1]; k++) {
          const entry = entries[k];
          const distance = codeDistance(a0, a1, codes[CODE_WORDS * entry], codes[CODE_WORDS * entry + 1]);
          if (distance >= least) continue;
          least = distance;
          owner = owners[entry];
        }
      }
      if (owner >= 0) votes[owner]++;
    }
    return votes;
  }
}

/** A byte of a code. */
function partOf(codes: Int32Array, i: number, part: number): number {
  return (codes[CODE_WORDS * i + (part >> 2)] >>> (PART_BITS * (part & 3))) & (VALUES - 1);
}
