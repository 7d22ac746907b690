/** Kinds of sound TIFF files that decoders do not read, or would read as something else: told by the first directory's tags. */

const [NEW_SUBFILE_TYPE, BITS, COMPRESSION, COLOUR, SUB_IFDS, SAMPLE_FORMAT, DNG_VERSION] = [
  254, 258, 259, 262, 330, 339, 50706,
];

const COLOURS: Record<number, string> = {
  4: "with a transparency mask",
  8: "with CIELAB colours",
  9: "with ICCLAB colours",
  10: "with ITULAB colours",
  32844: "with LogL values",
  32845: "with LogLuv colours",
};

const COMPRESSIONS: Record<number, string> = {
  6: "old-style JPEG",
  9: "JBIG",
  10: "JBIG",
  33003: "JPEG 2000",
  33005: "JPEG 2000",
  34661: "JBIG",
  34676: "SGILog",
  34677: "SGILog",
  34712: "JPEG 2000",
  34887: "LERC",
  34892: "lossy JPEG of DNG",
  34925: "LZMA",
  50000: "Zstandard",
  50001: "WebP",
  50002: "JPEG XL",
  52546: "JPEG XL",
};

/** Compressions that every decoder of TIFF has: none, CCITT, LZW, JPEG, deflate, PackBits. */
const USUAL = [1, 2, 3, 4, 5, 7, 8, 32773, 32946];

/** What such a file is called where it is not read, as in "a TIFF with CIELAB colours"; null for what may be tried. */
export function tiffRefusal(bytes: Uint8Array): string | null {
  if (bytes[8] === 0x43 && bytes[9] === 0x52) return "a camera's raw file"; // CR2
  const tags = readTags(bytes);
  if (!tags) return null;
  const colour = tags.get(COLOUR)?.[0] ?? -1;
  const compression = tags.get(COMPRESSION)?.[0] ?? 1;
  // Most raw files begin with a small picture of the photograph: that is not it.
  const isPreview = ((tags.get(NEW_SUBFILE_TYPE)?.[0] ?? 0) & 1) === 1 && tags.has(SUB_IFDS);
  const isRaw = [32803, 34892].includes(colour) || [32767, 34713, 65535].includes(compression);
  if (tags.has(DNG_VERSION) || isRaw || isPreview) return "a camera's raw file";
  if (colour in COLOURS) return `a TIFF ${COLOURS[colour]}`;
  if (!USUAL.includes(compression))
    return `a TIFF compressed by ${COMPRESSIONS[compression] ?? `method ${compression}`}`;
  const bits = tags.get(BITS) ?? [1];
  if ((tags.get(SAMPLE_FORMAT)?.[0] ?? 1) > 4) return "a TIFF with complex numbers";
  if (bits.some((count) => count !== bits[0])) return `a TIFF with channels of ${bits.join(", ")} bits`;
  const whole = bits[0] % 8 === 0 || (bits.length === 1 && [1, 2, 4].includes(bits[0]));
  return whole ? null : `a TIFF with ${bits[0]} bits a sample`;
}

/** The first values of the first directory's tags (whole numbers only); null where the directory is not in the file. */
function readTags(bytes: Uint8Array): Map<number, number[]> | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const big = (little ? bytes[2] : bytes[3]) === 0x2b;
  const read = (at: number, size: number): number => {
    if (size === 2) return view.getUint16(at, little);
    return size === 4 ? view.getUint32(at, little) : Number(view.getBigUint64(at, little));
  };
  const [word, entry] = big ? [8, 20] : [4, 12];
  try {
    const tags = new Map<number, number[]>();
    const at = read(big ? 8 : 4, word);
    const count = Math.min(read(at, big ? 8 : 2), 4096);
    for (let i = 0; i < count; i++) {
      const tag = at + (big ? 8 : 2) + i * entry;
      const size = { 1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8 }[read(tag + 2, 2)];
      const length = read(tag + 4, word);
      const values: number[] = [];
      const from = size !== undefined && size * length > word ? read(tag + 4 + word, word) : tag + 4 + word;
      if (size !== undefined && size > 1) {
        for (let k = 0; k < Math.min(length, 16); k++) values.push(read(from + k * size, size));
      }
      tags.set(read(tag, 2), values);
    }
    return tags;
  } catch {
    return null; // beyond the end
  }
}
