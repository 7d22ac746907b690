/**
 * Bytes of an image file to pixels, by sharp (libvips). Damaged files follow one rule: what can be shown is read, and a warning
 * says what is wrong; an image of which more than a twentieth is missing, or at which the decoder gives up, is an error.
 */
import type { Metadata, Sharp } from "sharp";
import { FormatError, UnsupportedError } from "../errors.js";
import { viewOf } from "../formats/ndarray.js";
import { checkImage, checkPixelLimit, type Image } from "../image/image.js";
import { checkJpeg } from "../image/jpeg-check.js";
import type { DecodedFormat } from "../image/sniff.js";

type SharpModule = typeof import("sharp").default;

export interface DecodeOptions {
  /** How the image is called in errors and warnings. */
  name: string;
  pixelLimit: number;
  orientation: boolean;
  onWarning(warning: string): void;
}

/** Part of the pixels that may be missing. */
const MAY_MISS = 1 / 20;

/** How strictly the decoder is asked to read; it stops at what its level says. */
type Strictness = "warning" | "error" | "none";

/** What is known of a file before it is decoded. */
interface Condition {
  /** From the strictest; the first at which the file can be decoded counts. */
  levels: readonly Strictness[];
  /** What is wrong, in words. */
  wrong: string[];
  /** Part of the pixels that is missing, where that is known. */
  missing?: number;
}

export async function decodeImage(
  sharp: SharpModule,
  bytes: Uint8Array,
  format: DecodedFormat,
  { name, pixelLimit, orientation, onWarning }: DecodeOptions,
): Promise<Image> {
  const { levels, wrong, missing } = conditionOf(name, format, bytes);
  // From the header alone, which is read whatever is wrong behind it.
  const metadata = await sharp(bytes, { limitInputPixels: false, failOn: "none" }).metadata();
  checkPixelLimit(name, metadata.width, metadata.height, pixelLimit);
  if (metadata.depth !== "uchar" && metadata.depth !== "ushort") {
    throw new UnsupportedError(`${name}: samples of type ${metadata.depth} are not read; save it with 8 or 16 bits`);
  }
  checkMissing(name, format, missing);
  const open = (failOn: Strictness) => sharp(bytes, { limitInputPixels: Math.ceil(pixelLimit), failOn });
  for (const [i, level] of levels.entries()) {
    try {
      const image = await decode(orientation ? open(level).autoOrient() : open(level), metadata);
      if (i > 0) wrong.push("its data cannot be read to the end");
      if (i > 0 && missing === undefined) {
        // Rows that a decoder could not fill stay empty.
        const empty = emptyRows(await decode(open(level), metadata));
        checkMissing(name, format, empty);
        if (empty > 0) wrong.push(`${percent(empty)} of its pixels are missing`);
      }
      if (wrong.length > 0) onWarning(`${name}: the ${format} file is damaged: ${wrong.join("; ")}`);
      return image;
    } catch (error) {
      if (i === levels.length - 1 || error instanceof FormatError) throw error;
    }
  }
  throw new FormatError(`${name}: there is no way to read it`);
}

function conditionOf(name: string, format: DecodedFormat, bytes: Uint8Array): Condition {
  if (format === "PNG") {
    const wrong = hasPngEnd(bytes) ? [] : ["the end marker is missing"];
    return { levels: ["error", "none"], wrong };
  }
  if (format === "GIF") return { levels: ["error", "none"], wrong: [] };
  if (format !== "JPEG") return { levels: ["error"], wrong: [] };
  const state = checkJpeg(bytes);
  if (!state) return { levels: ["error", "none"], wrong: [] };
  if (state.unsupported)
    throw new UnsupportedError(`${name}: ${state.unsupported} is not read; save it as a usual one`);
  const wrong: string[] = [];
  if (state.missing > 0) wrong.push(`${percent(state.missing)} of its pixels are missing and grey`);
  else if (!state.ended) wrong.push("the end marker is missing");
  if (state.damaged) wrong.push("there are wrong bytes in its data, so parts of the picture may be wrong");
  // Of a progressive JPEG the decoder knows more: it reads all scans before it gives a pixel.
  return { levels: wrong.length > 0 ? ["none"] : ["warning", "error", "none"], wrong, missing: state.missing };
}

function checkMissing(name: string, format: DecodedFormat, missing = 0): void {
  if (missing <= MAY_MISS) return;
  const part = missing < 1 ? `; ${percent(missing)} of its pixels are missing` : "";
  throw new FormatError(`${name}: cannot be decoded as ${format}; the file is truncated or damaged${part}`);
}

const percent = (part: number): string => `${(100 * part).toPrecision(2).replace(/\.0$/, "")} %`;

/** Whether the chunks of a PNG come to its end. */
function hasPngEnd(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    if (view.getUint32(at + 4) === 0x49454e44) return true;
  }
  return false;
}

/** Part of the rows, from the lowest up, that have one colour and that of the last pixel. */
function emptyRows({ width, height, data }: Image): number {
  const last = data.subarray(data.length - 3);
  let at = data.length - 1;
  while (at >= 0 && data[at] === last[at % 3]) at--;
  return Math.floor((data.length - 1 - at) / (3 * width)) / height;
}

async function decode(image: Sharp, { hasProfile, depth, space }: Metadata): Promise<Image> {
  const deep = depth === "ushort";
  // sharp converts profiles of 16-bit colour to Display P3 and expects the output to say so; ask for sRGB in its place.
  const converted = hasProfile && space === "rgb16" ? image.withIccProfile("srgb") : image;
  const { data, info } = await converted
    .toColourspace(deep ? "rgb16" : "srgb")
    .raw({ depth: deep ? "ushort" : "uchar" })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const rgb = deep
    ? toRgb8(viewOf(bytes, 0, "uint16", bytes.length / 2) as Uint16Array, channels, 65535)
    : toRgb8(bytes, channels, 255);
  return checkImage("loadImage", { width, height, data: rgb });
}

/** Samples 0..max of three channels, or four with alpha, as 8 bits on white; rounded once. */
function toRgb8(samples: Uint8Array | Uint16Array, channels: number, max: number): Uint8Array {
  if (channels === 3 && samples instanceof Uint8Array) return samples;
  const pixels = samples.length / channels;
  const out = new Uint8Array(3 * pixels);
  const scale = 255 / max;
  for (let i = 0, from = 0, to = 0; i < pixels; i++, from += channels) {
    const alpha = channels === 4 ? samples[from + 3] / max : 1;
    const white = 255 * (1 - alpha) + 0.5;
    const weight = alpha * scale;
    for (let c = 0; c < 3; c++) out[to++] = samples[from + c] * weight + white;
  }
  return out;
}
