/**
 * Images in and out, in Node. sharp (libvips) decodes and encodes; PGM and PPM are read by own code. Everything becomes
 * 8-bit sRGB with three channels: grey is repeated, transparency is laid on white, palettes, CMYK and colour profiles
 * are converted, 16 bits are rounded to 8, of animations the first frame is taken.
 *
 * sharp is loaded at the first use, not at import (that takes a tenth of a second, which `strata --help` need not pay).
 */
import { extname } from "node:path";
import type { Metadata, Sharp } from "sharp";
import { FormatError, LimitError, OptionError, StrataError, UnsupportedError } from "../errors.js";
import { viewOf } from "../formats/ndarray.js";
import { checkImage, checkPixelLimit, DEFAULT_PIXEL_LIMIT, type Image } from "../image/image.js";
import { isPnm, readPnm } from "../image/pnm.js";
import { asLimit } from "../limits.js";
import { checkNumber, withDefaults } from "../options.js";
import { readFileChecked, writeFileAtomic } from "./atomic.js";

export interface LoadImageOptions {
  /** Most pixels that are decoded; default 100 megapixels. Checked from the header, before decoding. */
  pixelLimit?: number;
  /** Whether EXIF orientation is applied; default true. (AVIF carries its own rotation, which is always applied.) */
  orientation?: boolean;
  /** How the image is called in errors; default: its path, or "image" for bytes. */
  name?: string;
}

const FORMATS = "JPEG, PNG, WebP, AVIF, TIFF, GIF, PGM and PPM";

/** A JPEG's quality unless said otherwise. */
const JPEG_QUALITY = 90;

let loaded: Promise<typeof import("sharp").default> | undefined;

/** sharp, set up once: no cache of opened files (each image is used once), one thread (the network needs the others). */
function loadSharp(): Promise<typeof import("sharp").default> {
  loaded ??= import("sharp").then(
    ({ default: sharp }) => {
      sharp.cache(false);
      sharp.concurrency(1);
      return sharp;
    },
    (cause: unknown) => {
      throw new UnsupportedError("images cannot be read: the library sharp does not load on this machine", { cause });
    },
  );
  return loaded;
}

/**
 * The image in a file or in bytes. IoError when the file is missing or unreadable, FormatError when it is empty,
 * truncated, damaged or no image, UnsupportedError for kinds of images that are not offered, LimitError above the pixel
 * limit; each names the image.
 */
export async function loadImage(source: string | Uint8Array, options: LoadImageOptions = {}): Promise<Image> {
  const { pixelLimit, orientation, name } = withDefaults<Required<LoadImageOptions>>(
    "loadImage",
    { pixelLimit: DEFAULT_PIXEL_LIMIT, orientation: true, name: typeof source === "string" ? source : "image" },
    options,
  );
  checkNumber("loadImage", "pixelLimit", pixelLimit, { min: 1 });
  const bytes = typeof source === "string" ? await readFileChecked(source) : source;
  if (bytes.length === 0) throw new FormatError(`${name} is empty`);
  if (isPnm(bytes)) return readPnm(bytes, { pixelLimit, name });
  const format = sniff(name, bytes);

  const sharp = await loadSharp();
  return explain(name, format, async () => {
    const metadata = await sharp(bytes, { limitInputPixels: false, failOn: "error" }).metadata();
    checkPixelLimit(name, metadata.width, metadata.height, pixelLimit);
    if (metadata.depth !== "uchar" && metadata.depth !== "ushort") {
      throw new UnsupportedError(`${name}: samples of type ${metadata.depth} are not read; save it with 8 or 16 bits`);
    }
    const image = sharp(bytes, { limitInputPixels: Math.ceil(pixelLimit), failOn: "error" });
    return decode(orientation ? image.autoOrient() : image, metadata);
  });
}

/** Pixels of an image file as they are stored, and how EXIF says to turn them (1: not at all), from its header. */
export async function readImageSize(path: string): Promise<{ width: number; height: number; orientation: number }> {
  const bytes = await readFileChecked(path);
  if (isPnm(bytes)) return { ...readPnm(bytes, { pixelLimit: DEFAULT_PIXEL_LIMIT, name: path }), orientation: 1 };
  const format = sniff(path, bytes);
  const sharp = await loadSharp();
  return explain(path, format, async () => {
    const { width, height, orientation = 1 } = await sharp(bytes, { limitInputPixels: false }).metadata();
    return { width, height, orientation };
  });
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
  const bytes = plain(data);
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

/** The format by its first bytes. Only what is recognised here ever reaches a decoder. */
function sniff(name: string, bytes: Uint8Array): string {
  const text = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  if (text(0, 3) === "\xff\xd8\xff") return "JPEG";
  if (text(0, 8) === "\x89PNG\r\n\x1a\n") return "PNG";
  if (text(0, 4) === "GIF8") return "GIF";
  if (text(0, 4) === "RIFF" && text(8, 12) === "WEBP") return "WebP";
  if (["II*\0", "MM\0*", "II+\0", "MM\0+"].includes(text(0, 4))) return "TIFF";
  if (text(4, 8) === "ftyp") {
    // The main brand and the compatible ones, four letters each; the box begins with its length.
    if (/avif|avis/.test(text(8, Math.min(bytes[3], 128)))) return "AVIF";
    throw new UnsupportedError(`${name}: HEIC images and videos are not read; convert it to JPEG or PNG`);
  }
  throw new FormatError(`${name}: not an image that can be read; offered are ${FORMATS}`);
}

/** Runs sharp; what libvips says becomes one plain sentence, with its own words kept as the cause. */
async function explain<T>(name: string, format: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof StrataError) throw cause;
    const limit = asLimit(cause, { what: name });
    if (limit !== cause) throw limit;
    const said = (cause as Error).message;
    if (/pixel limit/i.test(said)) throw new LimitError(`${name}: more pixels than the pixel limit allows`, { cause });
    throw new FormatError(`${name}: cannot be decoded as ${format}; the file is truncated or damaged`, { cause });
  }
}

/** The image as PNG. */
export function encodePng(image: Image): Promise<Uint8Array> {
  return encode("encodePng", image, (sharp) => sharp.png());
}

/** The image as JPEG of that quality, 1 to 100. */
export function encodeJpeg(image: Image, quality = JPEG_QUALITY): Promise<Uint8Array> {
  checkNumber("encodeJpeg", "quality", quality, { min: 1, max: 100, integer: true });
  return encode("encodeJpeg", image, (sharp) => sharp.jpeg({ quality }));
}

async function encode(where: string, image: Image, as: (sharp: Sharp) => Sharp): Promise<Uint8Array> {
  const { width, height, data } = checkImage(where, image);
  const sharp = await loadSharp();
  try {
    return plain(await as(sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })).toBuffer());
  } catch (cause) {
    const limit = asLimit(cause, { what: `${where}, an image of ${width} × ${height} pixels` });
    if (limit !== cause) throw limit;
    throw new LimitError(`${where}: ${width}×${height} is more than the format can hold`, { cause });
  }
}

/** Writes the image as PNG or JPEG, as the path's ending says; whole or not at all. */
export async function saveImage(path: string, image: Image): Promise<void> {
  const extension = extname(path).toLowerCase();
  if (extension === ".png") return writeFileAtomic(path, await encodePng(image));
  if (extension === ".jpg" || extension === ".jpeg") return writeFileAtomic(path, await encodeJpeg(image));
  throw new OptionError(`saveImage: ${path} must end in .png, .jpg or .jpeg`);
}

/** An SVG drawn as PNG, one pixel per unit. For own drawings: size limits on what is embedded are lifted. */
export async function renderSvg(svg: string): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const input = new TextEncoder().encode(svg);
  return explain("renderSvg", "SVG", async () =>
    plain(await sharp(input, { unlimited: true, limitInputPixels: DEFAULT_PIXEL_LIMIT }).png().toBuffer()),
  );
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
