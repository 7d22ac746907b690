/** The codes of a run of JPEG's blocks: all that lies between two restarts of a sequential scan. */

/** The tables of one block of an MCU. */
export interface RunTables {
  dc: Uint16Array;
  ac: Uint16Array;
}

export interface Run {
  /** MCUs that were there whole. */
  found: number;
  /** Whether a code was none, or data is left that belongs to no block. */
  damaged: boolean;
}

/** Reads at most `mcus` MCUs of these blocks in `bytes[from..to)`, where every 0xff is followed by a zero that counts for nothing. */
export function decodeRun(
  bytes: Uint8Array,
  from: number,
  to: number,
  blocks: readonly RunTables[],
  mcus: number,
): Run {
  let at = from;
  /** The next bits, of which the lowest `held` count; `padded` of them are zeros from behind the end. */
  let bits = 0;
  let held = 0;
  let padded = 0;
  let damaged = false;
  for (let found = 0; found < mcus; found++) {
    for (const { dc, ac } of blocks) {
      // Coefficient 0 is DC, the others AC; a symbol is a number of zeros to skip and of bits to read.
      for (let k = 0; k < 64; k++) {
        while (held <= 24) {
          bits <<= 8;
          if (at < to) {
            const byte = bytes[at++];
            bits |= byte;
            if (byte === 0xff) at++;
          } else padded += 8;
          held += 8;
        }
        const code = (k === 0 ? dc : ac)[(bits >>> (held - 16)) & 0xffff];
        if (code === 0) damaged = true;
        held -= code === 0 ? 16 : code >> 8;
        const size = code & 15;
        if (k > 0) {
          const zeros = (code >> 4) & 15;
          if (size === 0 && zeros < 15) break;
          k += zeros;
          if (k > 63) damaged = true;
        } else if ((code & 0xff) > 15) damaged = true;
        // At most 16 of at least 25 bits are gone, so up to nine are there for sure.
        if (size > held) {
          bits = (bits << 8) | (at < to ? bytes[at] : 0);
          if (at >= to) padded += 8;
          else if (bytes[at++] === 0xff) at++;
          held += 8;
        }
        held -= size;
      }
      if (held < padded) return { found, damaged };
    }
  }
  // What fills the last byte is no data; whole bytes of zeros or ones behind it are some cameras' padding.
  const left = (held - padded) >> 3;
  let rest = at < to && bytes.subarray(at, to).some((byte) => byte !== 0 && byte !== 0xff);
  for (let i = 0; i < left; i++) {
    const byte = (bits >>> (padded + 8 * i)) & 0xff;
    if (byte !== 0 && byte !== 0xff) rest = true;
  }
  return { found: mcus, damaged: damaged || rest };
}
