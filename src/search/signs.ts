/**
 * A vector as bits that tell its angle to others: the signs of its projections on directions that a randomised Hadamard transform
 * gives (Charikar 2002; Ailon and Chazelle 2009). The share of bits in which two vectors differ is their angle over π, give or
 * take 0.0055. Whole numbers below 2⁵³ throughout, so every machine finds the same bits.
 */
import { Random } from "../random.js";

/** Bits of a vector's signs. */
const BITS = 8192;
/** Bytes of a vector's signs. */
export const SIGN_BYTES = BITS / 8;
/** Mixed twice, so that vectors with few values other than 0 spread as well. */
const ROUNDS = 2;
/** Short vectors are filled up with zeros: among few directions there are not enough different ones. */
const LEAST_SIZE = 256;

/** SIGN_BYTES bytes, least bit first. */
export function signsOf(vector: Int8Array): Uint8Array {
  const bits = new Uint8Array(SIGN_BYTES);
  const size = 2 ** Math.ceil(Math.log2(Math.max(LEAST_SIZE, vector.length)));
  const values = new Float64Array(size);
  for (let block = 0, at = 0; at < BITS; block++) {
    values.fill(0);
    values.set(vector);
    for (const flips of flipsOf(size, block)) {
      for (let i = 0; i < size; i++) values[i] *= flips[i];
      hadamard(values);
    }
    for (let i = 0; i < size && at < BITS; i++, at++) if (values[i] > 0) bits[at >> 3] |= 1 << (at & 7);
  }
  return bits;
}

/** In place: the fast Walsh–Hadamard transform, not scaled. */
function hadamard(values: Float64Array): void {
  for (let half = 1; half < values.length; half *= 2) {
    for (let from = 0; from < values.length; from += 2 * half) {
      for (let i = from; i < from + half; i++) {
        const [a, b] = [values[i], values[i + half]];
        values[i] = a + b;
        values[i + half] = a - b;
      }
    }
  }
}

const drawn = new Map<string, Int8Array[]>();

/** Drawn signs, the same in every run; a block has its own. */
function flipsOf(size: number, block: number): Int8Array[] {
  const key = `${size},${block}`;
  let flips = drawn.get(key);
  if (!flips) {
    const random = new Random(block);
    flips = Array.from({ length: ROUNDS }, () =>
      Int8Array.from({ length: size }, () => (random.uniform() < 0.5 ? -1 : 1)),
    );
    drawn.set(key, flips);
  }
  return flips;
}
