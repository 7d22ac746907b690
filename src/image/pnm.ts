/**
 * The portable any-map formats (PGM and PPM, plain and raw, 8 and 16 bit), which HPatches and most vision data sets
 * use. Read here, without a library, so that Node and browsers get the same pixels from the same bytes.
 */
import { checkBytes } from "../check.js";
import { FormatError, UnsupportedError } from "../errors.js";
import { checkNumber, withDefaults } from "../options.js";
import { checkPixelLimit, DEFAULT_PIXEL_LIMIT, type Image } from "./image.js";

export interface PnmOptions {
  /** Most pixels that are decoded; default 100 megapixels. */
  pixelLimit?: number;
  /** How the image is called in errors; default "PNM image". */
  name?: string;
}

const NEWLINE = 10;
const HASH = 35;
const DIGIT_0 = 48;

/** Whether the bytes begin like a portable any-map of any kind, also one of those that are not offered. */
export function isPnm(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] > DIGIT_0 && bytes[1] <= DIGIT_0 + 7 && (isSpace(bytes[2]) || bytes[2] === HASH);
}

/**
 * Decodes P2, P3, P5 or P6. Samples are scaled from 0..maxval to 0..255 by rounding v·255/maxval; grey becomes equal
 * r, g and b. Of a file with several images the first is read. Throws a FormatError for bytes that are no PNM or that
 * end early, an UnsupportedError for bitmaps and PAM, a LimitError above the pixel limit; all before allocating.
 */
export function readPnm(bytes: Uint8Array, options: PnmOptions = {}): Image {
  const { pixelLimit, name } = withDefaults<Required<PnmOptions>>(
    "readPnm",
    { pixelLimit: DEFAULT_PIXEL_LIMIT, name: "PNM image" },
    options,
  );
  checkNumber("readPnm", "pixelLimit", pixelLimit, { min: 1 });
  checkBytes("readPnm", bytes);
  if (!isPnm(bytes)) throw new FormatError(`${name}: expected a PGM or PPM file (P2, P3, P5, P6), got other bytes`);
  const kind = bytes[1] - DIGIT_0;
  if (kind === 1 || kind === 4 || kind === 7) {
    throw new UnsupportedError(`${name}: P${kind} files are not read; save the image as PPM (P6), PGM (P5) or PNG`);
  }
  const text = new TextSamples(bytes, 2, name);
  const width = text.next("width", 2 ** 31 - 1);
  const height = text.next("height", 2 ** 31 - 1);
  const maxval = text.next("maxval", 65535);
  if (width === 0 || height === 0 || maxval === 0) {
    throw new FormatError(`${name}: width, height and maxval must be positive, got ${width}×${height}, ${maxval}`);
  }
  checkPixelLimit(name, width, height, pixelLimit);

  const channels = kind === 3 || kind === 6 ? 3 : 1;
  const samples = width * height * channels;
  const plain = kind <= 3;
  const sampleBytes = maxval > 255 ? 2 : 1;
  const start = text.endOfHeader();
  // A plain sample takes at least a digit and, but for the last, a separator.
  const needed = plain ? 2 * samples - 1 : samples * sampleBytes;
  if (bytes.length - start < needed) {
    throw new FormatError(
      `${name}: truncated: ${width}×${height} needs ${plain ? "at least " : ""}${needed} bytes of pixels, ` +
        `${Math.max(0, bytes.length - start)} are there`,
    );
  }
  if (kind === 6 && maxval === 255) {
    // A copy; a Buffer's own `slice` would be a view.
    return { width, height, data: new Uint8Array(bytes.subarray(start, start + samples)) };
  }

  const data = new Uint8Array(3 * width * height);
  let largest = 0;
  for (let i = 0, from = start; i < samples; i++, from += sampleBytes) {
    let value: number;
    if (plain) value = text.next("sample", maxval);
    else value = sampleBytes === 1 ? bytes[from] : 256 * bytes[from] + bytes[from + 1];
    if (value > largest) largest = value;
    const scaled = Math.floor((value * 255) / maxval + 0.5);
    if (channels === 3) data[i] = scaled;
    else data.fill(scaled, 3 * i, 3 * i + 3);
  }
  if (largest > maxval) throw new FormatError(`${name}: a sample is ${largest}, above the file's maxval ${maxval}`);
  return { width, height, data };
}

/** Unsigned decimal numbers between white space and comments. */
class TextSamples {
  constructor(
    private readonly bytes: Uint8Array,
    /** Where the next byte is read. */
    public position: number,
    private readonly name: string,
  ) {}

  next(what: string, max: number): number {
    const { bytes } = this;
    let at = this.position;
    while (at < bytes.length && (isSpace(bytes[at]) || bytes[at] === HASH)) {
      if (bytes[at] === HASH) while (at < bytes.length && bytes[at] !== NEWLINE) at++;
      else at++;
    }
    const first = at;
    let value = 0;
    while (at < bytes.length && bytes[at] >= DIGIT_0 && bytes[at] <= DIGIT_0 + 9 && value <= max) {
      value = 10 * value + bytes[at++] - DIGIT_0;
    }
    if (value > max) throw new FormatError(`${this.name}: a ${what} is above ${max}`);
    const ended = at === bytes.length || isSpace(bytes[at]) || bytes[at] === HASH;
    if (at === first || !ended) {
      const found = at < bytes.length ? `byte ${bytes[at]} at ${at}` : "the end of the file";
      throw new FormatError(`${this.name}: expected a number (${what}), got ${found}`);
    }
    this.position = at;
    return value;
  }

  /** Where raw samples begin: after the one white space (or comment line) that ends the header. */
  endOfHeader(): number {
    const { bytes, position } = this;
    if (bytes[position] !== HASH) return position + 1;
    const newline = bytes.indexOf(NEWLINE, position);
    return newline < 0 ? bytes.length : newline + 1;
  }
}

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}
