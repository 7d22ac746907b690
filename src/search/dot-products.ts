/**
 * Dot products of a row of 16-bit whole numbers with many rows, in WebAssembly: eight values at a time (i32x4.dot_i16x8_s), four
 * rows at once. Written here instruction by instruction, for it is one loop in another; a host without WebAssembly's vector
 * instructions, or with a policy against it, gets the same numbers from a plain loop.
 */

/** Values that are multiplied at a time; rows have a multiple of them. */
export const VALUES = 8;
/** Rows at once; memory has room for as many beyond the last. */
export const ROWS = 4;

/**
 * Writes products of the row at `x` with `rows` rows from `w` on to `out`, `ROWS` at a time; places are in bytes of the memory.
 * `rowBytes` is a multiple of 16.
 */
export type DotProducts = (x: number, w: number, rows: number, rowBytes: number, out: number) => void;

/** The products over `memory`. */
export function openDotProducts(memory: WebAssembly.Memory): DotProducts {
  try {
    const module = new WebAssembly.Module(moduleBytes());
    return new WebAssembly.Instance(module, { m: { m: memory } }).exports.dots as DotProducts;
  } catch {
    return plainProducts(memory);
  }
}

/** The same in a loop. */
export function plainProducts(memory: WebAssembly.Memory): DotProducts {
  return (x, w, rows, rowBytes, out) => {
    const values = new Int16Array(memory.buffer);
    const products = new Int32Array(memory.buffer);
    const length = rowBytes >> 1;
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let k = 0; k < length; k++) sum += values[(x >> 1) + k] * values[(w >> 1) + row * length + k];
      products[(out >> 2) + row] = sum;
    }
  };
}

const I32 = 0x7f;
const V128 = 0x7b;
// Parameters, then locals.
const [X, W, COUNT, ROW_BYTES, OUT, K] = [0, 1, 2, 3, 4, 5];
const POINTERS = [W, 6, 7, 8];
const [SUMS, VALUE] = [[9, 10, 11, 12], 13];

const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const i32 = (value: number) => [0x41, value];
const ADD = [0x6a];
const load = [0xfd, 0x00, 4, 0];
const ZERO = [0xfd, 0x0c, ...new Array(16).fill(0)];
const addVectors = [0xfd, 0xae, 0x01];
const dotPairs = [0xfd, 0xba, 0x01];
const lane = (n: number) => [0xfd, 0x1b, n];
const store = (offset: number) => [0x36, 2, offset];
const VOID = 0x40;
const END = 0x0b;

/** The sum of a vector's four lanes. */
const total = (vector: number) => [0, 1, 2, 3].flatMap((n) => [...get(vector), ...lane(n), ...(n > 0 ? ADD : [])]);

function body(): number[] {
  const nextPointer = POINTERS.slice(1).flatMap((pointer, i) => [
    ...get(POINTERS[i]),
    ...get(ROW_BYTES),
    ...ADD,
    ...set(pointer),
  ]);
  const multiply = POINTERS.flatMap((pointer, i) => [
    ...[get(SUMS[i]), get(VALUE), get(pointer), get(K), ADD, load].flat(),
    ...[dotPairs, addVectors, set(SUMS[i])].flat(),
  ]);
  const alongRow = [
    ...[0x03, VOID],
    ...[get(X), get(K), ADD, load, set(VALUE)].flat(),
    ...multiply,
    ...[get(K), i32(2 * VALUES), ADD, set(K)].flat(),
    // Again while K < ROW_BYTES (unsigned).
    ...[get(K), get(ROW_BYTES), [0x49], [0x0d, 0], [END]].flat(),
  ];
  return [
    ...[0x02, VOID, 0x03, VOID],
    // Done where no row is left.
    ...[get(COUNT), i32(0), [0x4c], [0x0d, 1]].flat(),
    ...nextPointer,
    ...SUMS.flatMap((sum) => [...ZERO, ...set(sum)]),
    ...[i32(0), set(K)].flat(),
    ...alongRow,
    ...SUMS.flatMap((sum, i) => [...get(OUT), ...total(sum), ...store(4 * i)]),
    ...[get(OUT), i32(4 * ROWS), ADD, set(OUT)].flat(),
    ...[get(POINTERS[3]), get(ROW_BYTES), ADD, set(W)].flat(),
    ...[get(COUNT), i32(ROWS), [0x6b], set(COUNT)].flat(),
    ...[0x0c, 0, END, END, END],
  ];
}

/** A number in groups of seven bits. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >> 7)];
}

const section = (id: number, content: readonly number[]) => [id, ...leb(content.length), ...content];

function moduleBytes(): Uint8Array<ArrayBuffer> {
  // Locals: K and three pointers, then the sums and the value.
  const code = [2, 4, I32, 5, V128, ...body()];
  const name = [..."dots"].map((letter) => letter.charCodeAt(0));
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 5, I32, I32, I32, I32, I32, 0]),
    ...section(2, [1, 1, 0x6d, 1, 0x6d, 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, name.length, ...name, 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}
