/**
 * Images in and out, in Node. sharp (libvips) decodes and encodes; PGM and PPM are read by own code. Everything becomes
 * 8-bit sRGB with three channels: grey is repeated, transparency is laid on white, palettes, CMYK and colour profiles
 * are converted, 16 bits are rounded to 8, of animations the first frame is taken.
 *
 * sharp is loaded at the first use, not at import (that takes a tenth of a second, which `strata --help` need not pay).
 */

import { createRequire } from "node:module";
import { extname } from "node:path";
import type { Sharp } from "sharp";
import { checkText } from "../check.js";
import { FormatError, LimitError, OptionError, StrataError, UnsupportedError } from "../errors.js";
import { checkImage, DEFAULT_PIXEL_LIMIT, type Image } from "../image/image.js";
import { isPnm, readPnm } from "../image/pnm.js";
import { sniffImage } from "../image/sniff.js";
import { asLimit } from "../limits.js";
import { checkNumber, withDefaults } from "../options.js";
import { printable } from "../printable.js";
import { checkPath, readFileChecked, writeFileAtomic } from "./atomic.js";
import { decodeImage } from "./image-decode.js";
import { bytesOf, type ImageSource } from "./image-source.js";

/** How an image is decoded. */
export interface LoadImageOptions {
  /** Most pixels that are decoded; default 100 megapixels. Checked from the header, before decoding. */
  pixelLimit?: number;
  /** Whether EXIF orientation is applied; default true. (AVIF carries its own rotation, which is always applied.) */
  orientation?: boolean;
  /** How the image is called in errors; default: its path or address, or "image" for bytes. */
  name?: string;
  /** Told in one line where the image is damaged and yet is read; default: a warning of the process. */
  onWarning?: (warning: string) => void;
}

/** A JPEG's quality unless said otherwise. */
const JPEG_QUALITY = 90;

let loaded: Promise<typeof import("sharp").default> | undefined;

/** sharp, set up once: no cache of opened files (each image is used once), one thread (the network needs the others). */
function loadSharp(): Promise<typeof import("sharp").default> {
  loaded ??= requireSharp();
  return loaded;
}

async function requireSharp(): Promise<typeof import("sharp").default> {
  let sharp: typeof import("sharp").default;
  try {
    // Its CommonJS form: importing the other one takes .15 s of processor time in place of .06.
    sharp = createRequire(import.meta.url)("sharp");
  } catch (cause) {
    throw new UnsupportedError("images cannot be read: the library sharp does not load on this machine", { cause });
  }
  sharp.cache(false);
  sharp.concurrency(1);
  return sharp;
}

/**
 * The image in a file, at a URL or in bytes. IoError when it is missing or unreadable, FormatError when it is empty,
 * truncated, too damaged to be shown or no image, UnsupportedError for kinds of images that are not offered (each by its
 * name), LimitError above the pixel limit; each names the image. Of a damaged image what can be shown is read, and `onWarning`
 * is told: no end marker, wrong bytes in a JPEG's data, at most a twentieth of the pixels missing.
 */
export async function loadImage(source: ImageSource, options: LoadImageOptions = {}): Promise<Image> {
  const { name: called, ...settings } = withDefaults<Required<Omit<LoadImageOptions, "name">> & { name?: string }>(
    "loadImage",
    { pixelLimit: DEFAULT_PIXEL_LIMIT, orientation: true, onWarning: emitWarning, name: undefined },
    options,
  );
  checkNumber("loadImage", "pixelLimit", settings.pixelLimit, { min: 1 });
  const { bytes, name: own } = await bytesOf(source);
  const name = called ?? own;
  if (bytes.length === 0) throw new FormatError(`${name} is empty`);
  if (isPnm(bytes)) return readPnm(bytes, { pixelLimit: settings.pixelLimit, name });
  const format = sniffImage(name, bytes);
  const sharp = await loadSharp();
  return explain(name, format, () => decodeImage(sharp, bytes, format, { ...settings, name }));
}

/** Warnings that were given: an image that is read often is told of once. */
const given = new Set<string>();

/** Tells whoever listens to the process's warnings, by default standard error. */
function emitWarning(warning: string): void {
  if (given.has(warning)) return;
  given.add(warning);
  process.emitWarning(printable(warning), { type: "StrataWarning", code: "STRATA_IMAGE" });
}

/** Pixels of an image file as they are stored, and how EXIF says to turn them (1: not at all), from its header. */
export async function readImageSize(path: string): Promise<{ width: number; height: number; orientation: number }> {
  const bytes = await readFileChecked(path);
  if (isPnm(bytes)) return { ...readPnm(bytes, { pixelLimit: DEFAULT_PIXEL_LIMIT, name: path }), orientation: 1 };
  const format = sniffImage(path, bytes);
  const sharp = await loadSharp();
  return explain(path, format, async () => {
    const {
      width,
      height,
      orientation = 1,
    } = await sharp(bytes, { limitInputPixels: false, failOn: "none" }).metadata();
    return { width, height, orientation };
  });
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
  checkPath("saveImage", path);
  const extension = extname(path).toLowerCase();
  if (extension === ".png") return writeFileAtomic(path, await encodePng(image));
  if (extension === ".jpg" || extension === ".jpeg") return writeFileAtomic(path, await encodeJpeg(image));
  throw new OptionError(`saveImage: ${path} must end in .png, .jpg or .jpeg`);
}

/** An SVG drawn as PNG, one pixel per unit. For own drawings: size limits on what is embedded are lifted. */
export async function renderSvg(svg: string): Promise<Uint8Array> {
  checkText("renderSvg", "svg", svg);
  const sharp = await loadSharp();
  const input = new TextEncoder().encode(svg);
  return explain("renderSvg", "SVG", async () =>
    plain(await sharp(input, { unlimited: true, limitInputPixels: DEFAULT_PIXEL_LIMIT }).png().toBuffer()),
  );
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
