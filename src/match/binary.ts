/**
 * Descriptors of bits, compared by their Hamming distance h: the number of bits in which two differ. Values are
 * bits − 2h, whole numbers of which the largest is the nearest. On a runtime they come out of its matrix product, for
 * bits as ±1: sums of so few ones are exact in float32 in whatever order, and multiplying is what runtimes are fast at
 * (10 000 × 10 000 × 256 bits: 1.6 s of processor time on two threads, against 3.1 s on one). Without one, bits are
 * counted in 32-bit words, all of a word at a time (Warren, Hacker's Delight, section 5-1).
 */
import type { Runtime } from "../graph/session.js";
import { openProduct, type Product } from "./product.js";

/** Most bits of b that are laid out as floats, four bytes each. */
const MOST_SIGNS = 2 ** 26;

/** Compares tiles of rows with `b` (row-major columns × bytes); `runtime` and `threads` as openProduct's. */
export async function openHamming(
  runtime: Runtime | null,
  b: Uint8Array,
  columns: number,
  bytes: number,
  threads?: number,
): Promise<Product<Uint8Array>> {
  if (runtime === null || b.length * 8 > MOST_SIGNS) return wordProduct(b, columns, bytes);
  const product = await openProduct(runtime, toSigns(b), columns, 8 * bytes, threads);
  return { multiply: (a, rows) => product.multiply(toSigns(a), rows) };
}

/** Bits as ±1, in the order of their bytes, the lowest first. */
function toSigns(rows: Uint8Array): Float32Array {
  const signs = new Float32Array(8 * rows.length);
  for (let i = 0; i < signs.length; i++) signs[i] = (((rows[i >> 3] >> (i & 7)) & 1) << 1) - 1;
  return signs;
}

/** How long words are counted before the event loop has a turn, for signals and timers; in milliseconds. */
const TURN_MS = 100;
let lastTurn = 0;

function wordProduct(b: Uint8Array, columns: number, bytes: number): Product<Uint8Array> {
  const words = Math.ceil(bytes / 4);
  const right = toWords(b, columns, bytes);
  let values = new Float32Array(0);
  return {
    async multiply(a, rows) {
      if (performance.now() - lastTurn > TURN_MS) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        lastTurn = performance.now();
      }
      if (values.length < rows * columns) values = new Float32Array(rows * columns);
      const left = toWords(a, rows, bytes);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          values[i * columns + j] = 8 * bytes - 2 * differing(left, i * words, right, j * words, words);
        }
      }
      return values.subarray(0, rows * columns);
    },
  };
}

/** Rows of bytes as rows of words; what fills the last word is 0 on both sides, and so differs in nothing. */
export function toWords(rows: Uint8Array, count: number, bytes: number): Uint32Array {
  const stride = 4 * Math.ceil(bytes / 4);
  const padded = new Uint8Array(count * stride);
  if (stride === bytes) padded.set(rows.subarray(0, count * bytes));
  else for (let i = 0; i < count; i++) padded.set(rows.subarray(i * bytes, (i + 1) * bytes), i * stride);
  return new Uint32Array(padded.buffer);
}

/** Words whose counts fit the bytes of one word together: each adds up to eight to a byte of at most 255. */
const GROUP = 30;

/** The bits in which `words` words of a and b differ. */
export function differing(a: Uint32Array, ai: number, b: Uint32Array, bi: number, words: number): number {
  let count = 0;
  for (let from = 0; from < words; from += GROUP) {
    const end = Math.min(words, from + GROUP);
    let bytes = 0;
    let k = from;
    // The counts of three words fit four bits: they are added before they are taken apart.
    for (; k + 3 <= end; k += 3) {
      const x = perFourBits(a[ai + k] ^ b[bi + k]);
      const y = perFourBits(a[ai + k + 1] ^ b[bi + k + 1]);
      const z = perFourBits(a[ai + k + 2] ^ b[bi + k + 2]);
      bytes = (bytes + perByte((x + y + z) | 0)) | 0;
    }
    for (; k < end; k++) bytes = (bytes + perByte(perFourBits(a[ai + k] ^ b[bi + k]))) | 0;
    const halves = (bytes & 0x00ff00ff) + ((bytes >>> 8) & 0x00ff00ff);
    count += (halves & 0xffff) + (halves >>> 16);
  }
  return count;
}

/** The number of ones in each four bits of a word. */
function perFourBits(word: number): number {
  const pairs = (word - ((word >>> 1) & 0x55555555)) | 0;
  return (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
}

/** The sum of the two counts in each byte. */
function perByte(counts: number): number {
  return (counts & 0x0f0f0f0f) + ((counts >>> 4) & 0x0f0f0f0f);
}
