import { LimitError, ShapeError } from "../errors.js";

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
  const { width, height, data } = image;
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new ShapeError(`${where}: image size must be whole and positive, got ${width}×${height}`);
  }
  if (data.length !== 3 * width * height) {
    throw new ShapeError(`${where}: ${width}×${height} RGB needs ${3 * width * height} bytes, got ${data.length}`);
  }
  return image;
}
