/**
 * Hamming distances of descriptors of bits: the number of bits in which two differ. Bytes are taken as 32-bit words; the
 * bits of a word are counted in parallel within it (Warren, Hacker's Delight, section 5-1), and the counts of many words
 * are added before they are taken apart.
 */
import type { Product } from "./product.js";

/** Words whose counts are added as four-bit fields before they become bytes: three, for each counts up to 4. */
const NIBBLE_WORDS = 3;
/** Such groups whose sums fit the bytes of one word: each adds up to 24 to a byte. */
const BYTE_GROUPS = 10;

/** How long the distances of tiles may keep the event loop from signals and timers, in milliseconds. */
const TURN_MS = 100;
let lastTurn = 0;

/**
 * Negated Hamming distances, for the nearest are the largest, of tiles of rows with `b` (row-major columns × bytes).
 * The array may be reused by the next call.
 */
export function hammingProduct(b: Uint8Array, columns: number, bytes: number): Product<Uint8Array> {
  const words = Math.ceil(bytes / 4);
  const right = toWords(b, columns, bytes);
  let distances = new Float32Array(0);
  return {
    async multiply(a, rows) {
      await takeTurn();
      if (distances.length < rows * columns) distances = new Float32Array(rows * columns);
      const left = toWords(a, rows, bytes);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          distances[i * columns + j] = -differing(left, i * words, right, j * words, words);
        }
      }
      return distances.subarray(0, rows * columns);
    },
  };
}

/** The bits in which `words` words of a and b differ. */
function differing(a: Uint32Array, ai: number, b: Uint32Array, bi: number, words: number): number {
  let count = 0;
  for (let k = 0; k < words; ) {
    let bytes = 0;
    const groupsEnd = Math.min(words, k + NIBBLE_WORDS * BYTE_GROUPS);
    while (k < groupsEnd) {
      let nibbles = 0;
      const end = Math.min(groupsEnd, k + NIBBLE_WORDS);
      for (; k < end; k++) {
        let x = a[ai + k] ^ b[bi + k];
        x = (x - ((x >>> 1) & 0x55555555)) | 0;
        nibbles = (nibbles + (x & 0x33333333) + ((x >>> 2) & 0x33333333)) | 0;
      }
      bytes = (bytes + (nibbles & 0x0f0f0f0f) + ((nibbles >>> 4) & 0x0f0f0f0f)) | 0;
    }
    bytes = (bytes & 0x00ff00ff) + ((bytes >>> 8) & 0x00ff00ff);
    count += (bytes & 0xffff) + (bytes >>> 16);
  }
  return count;
}

/** Rows of bytes as rows of words; what fills the last word is 0 on both sides, and so differs in nothing. */
function toWords(rows: Uint8Array, count: number, bytes: number): Uint32Array {
  const stride = 4 * Math.ceil(bytes / 4);
  const padded = new Uint8Array(count * stride);
  if (stride === bytes) padded.set(rows.subarray(0, count * bytes));
  else for (let i = 0; i < count; i++) padded.set(rows.subarray(i * bytes, (i + 1) * bytes), i * stride);
  return new Uint32Array(padded.buffer);
}

/** Lets the event loop go round once in a while, so that many pairs one after the other can be interrupted. */
async function takeTurn(): Promise<void> {
  const now = performance.now();
  if (now - lastTurn < TURN_MS) return;
  await new Promise((resolve) => setTimeout(resolve, 0));
  lastTurn = performance.now();
}
