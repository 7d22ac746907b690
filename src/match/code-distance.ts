/** Bits in which two codes differ. */
export function codeDistance(a0: number, a1: number, b0: number, b1: number): number {
  let x = a0 ^ b0;
  let y = a1 ^ b1;
  x -= (x >>> 1) & 0x55555555;
  y -= (y >>> 1) & 0x55555555;
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333) + (y & 0x33333333) + ((y >>> 2) & 0x33333333);
  x = (x & 0x0f0f0f0f) + ((x >>> 4) & 0x0f0f0f0f);
  return Math.imul(x, 0x01010101) >>> 24;
}
