import { checkObject, described } from "../check.js";
import { LimitError, ShapeError } from "../errors.js";
import { asLimit } from "../limits.js";

/** An RGB image, 8 bits a channel, row-major, interleaved, orientation already applied. */
export interface Image {
  /** Pixels across. */
  width: number;
  /** Pixels down. */
  height: number;
  /** r, g, b, r, g, b, …; length 3·width·height. */
  data: Uint8Array;
}

/** Largest number of pixels that is decoded unless the caller asks for more: 100 megapixels. */
export const DEFAULT_PIXEL_LIMIT = 100_000_000;

/** Throws a LimitError before anything of that size is allocated. */
export function checkPixelLimit(where: string, width: number, height: number, limit = DEFAULT_PIXEL_LIMIT): void {
  if (width * height > limit) {
    throw new LimitError(
      `${where}: ${width}×${height} is ${(width * height) / 1e6} megapixels, over the limit of ${limit / 1e6}; ` +
        "scale the image down or raise the pixel limit",
    );
  }
}

/** Throws a ShapeError unless sizes are whole, positive and fit the data. */
export function checkImage(where: string, image: Image): Image {
  checkObject(where, "the image", image);
  const { width, height, data } = image;
  checkPixels(where, data);
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new ShapeError(
      `${where}: image size must be whole and positive, got ${described(width)}×${described(height)}`,
    );
  }
  if (data.length !== 3 * width * height) {
    throw new ShapeError(
      `${where}: ${width}×${height} RGB needs ${3 * width * height} bytes, got ${data.length}${hint(image)}`,
    );
  }
  return image;
}

/** Memory for the pixels of an image of that size; a LimitError where there is none. */
export function newPixels(where: string, width: number, height: number): Uint8Array {
  try {
    return new Uint8Array(3 * width * height);
  } catch (error) {
    throw asLimit(error, { what: `${where}: an image of ${width} × ${height} pixels` });
  }
}

/** Of other numbers of channels, which canvases and grey images have. */
function hint({ width, height, data }: Image): string {
  if (data.length === 4 * width * height) return "; it looks like RGBA: leave every fourth value out";
  return data.length === width * height ? "; it looks like grey: repeat each value three times" : "";
}

function checkPixels(where: string, data: unknown): void {
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return;
  const floats = data instanceof Float32Array || data instanceof Float64Array;
  const remedy = floats ? "; of floats in 0..1 make Math.round(255 * value)" : "";
  throw new ShapeError(`${where}: pixels must be a Uint8Array with values 0..255, got ${described(data)}${remedy}`);
}
