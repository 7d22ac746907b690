/** Huffman tables of JPEG as one look-up of 16 bits. */

/**
 * `table[next 16 bits]` is 256 · (length of the code) + symbol, 0 where no code begins so. `counts` has the number of codes of
 * each length from 1 to 16, `symbols` what they mean. Null for more codes than there can be, or too few symbols.
 */
export function huffmanTable(counts: Uint8Array, symbols: Uint8Array): Uint16Array | null {
  const table = new Uint16Array(1 << 16);
  let [code, at] = [0, 0];
  for (let length = 1; length <= 16; length++) {
    const width = 1 << (16 - length);
    for (let i = 0; i < counts[length - 1]; i++, at++, code += width) {
      if (code + width > table.length || at >= symbols.length) return null;
      table.fill((length << 8) | symbols[at], code, code + width);
    }
  }
  return table;
}
