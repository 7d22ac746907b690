/** A small TIFF, uncompressed unless its bytes are something else; every tag can be set. */
export function drawTiff(tags: Record<number, number[]> = {}, width = 16, height = 12): Uint8Array {
  const bits = tags[258] ?? [8, 8, 8];
  const data = new Uint8Array(Math.ceil((width * height * bits.reduce((sum, n) => sum + n, 0)) / 8)).fill(100);
  const all: Record<number, number[]> = {
    256: [width],
    257: [height],
    258: bits,
    259: [1],
    262: [2],
    273: [0],
    277: [bits.length],
    278: [height],
    279: [data.length],
    284: [1],
    ...tags,
  };
  const entries = Object.entries(all).map(([tag, values]) => [Number(tag), values] as const);
  const start = 8 + 2 + 12 * entries.length + 4;
  const extra = entries.reduce((sum, [, values]) => sum + (values.length > 1 ? 4 * values.length : 0), 0);
  const bytes = new Uint8Array(start + extra + data.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x49, 0x49, 42, 0, 8, 0, 0, 0]);
  view.setUint16(8, entries.length, true);
  let beyond = start;
  for (const [i, [tag, values]] of entries.entries()) {
    const at = 10 + 12 * i;
    view.setUint16(at, tag, true);
    view.setUint16(at + 2, 4, true);
    view.setUint32(at + 4, values.length, true);
    view.setUint32(at + 8, tag === 273 ? start + extra : values.length > 1 ? beyond : values[0], true);
    if (values.length === 1) continue;
    for (const value of values) {
      view.setUint32(beyond, value, true);
      beyond += 4;
    }
  }
  bytes.set(data, start + extra);
  return bytes;
}
