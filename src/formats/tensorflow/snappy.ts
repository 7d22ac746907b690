/**
 * Snappy's raw blocks (google/snappy, format_description.txt), in which the blocks of a LevelDB table may be packed.
 *
 * snappyjs is not used for untrusted files: nine bytes whose literal has a length of four bytes, read as a negative
 * number, send it backwards for ever, and it does not notice when fewer bytes come out than were announced.
 */
import { FormatError, LimitError } from "../../errors.js";

/** An element of three bytes copies at most 64, so no block grows more than that. */
const MAX_RATIO = 22;

/** The content of a packed block; FormatError for damage, LimitError over `limit` bytes. */
export function unpackSnappy(where: string, bytes: Uint8Array, limit: number): Uint8Array {
  const damaged = (what: string) => new FormatError(`${where}: snappy data is damaged: ${what}`);
  let at = 0;
  /** A little-endian number of `length` bytes, passed. */
  const number = (length: number): number => {
    if (at + length > bytes.length) throw damaged("it ends within an element");
    let value = 0;
    for (let i = 0; i < length; i++) value += bytes[at++] * 256 ** i;
    return value;
  };

  let size = 0;
  for (let shift = 0, byte = 128; byte >= 128; shift += 7) {
    byte = number(1);
    size += (byte & 127) * 2 ** shift;
    if (shift > 28) throw damaged("its length has no end");
  }
  if (size > bytes.length * MAX_RATIO) throw damaged(`${bytes.length} bytes claim to hold ${size}`);
  if (size > limit) throw new LimitError(`${where}: a block of ${size} bytes, over the limit of ${limit}`);

  const out = new Uint8Array(size);
  let to = 0;
  while (at < bytes.length) {
    const tag = number(1);
    const kind = tag & 3;
    let length = (tag >> 2) + 1;
    if (kind === 0) {
      if (length > 60) length = number(length - 60) + 1;
      if (at + length > bytes.length) throw damaged("a literal is cut off");
      if (to + length > size) throw damaged("more comes out than it says");
      out.set(bytes.subarray(at, at + length), to);
      at += length;
    } else {
      let distance: number;
      if (kind === 1) {
        length = ((tag >> 2) & 7) + 4;
        distance = (tag >> 5) * 256 + number(1);
      } else distance = number(kind === 2 ? 2 : 4);
      if (distance === 0 || distance > to) throw damaged("a copy begins before the data");
      if (to + length > size) throw damaged("more comes out than it says");
      // By bytes: a copy may reach into what it writes.
      for (let i = to; i < to + length; i++) out[i] = out[i - distance];
    }
    to += length;
  }
  if (to !== size) throw damaged(`${to} bytes come out, it says ${size}`);
  return out;
}
