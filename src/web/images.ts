/** Images in a browser: whatever it can decode, as 8-bit RGB with the orientation applied. */
import { FormatError } from "../errors.js";
import { checkPixelLimit, DEFAULT_PIXEL_LIMIT, type Image } from "../image/image.js";
import { isPnm, readPnm } from "../image/pnm.js";
import { withDefaults } from "../options.js";

/** Anything a canvas can draw, or bytes of an image file. */
export type ImageSource =
  | Blob
  | Uint8Array
  | ImageBitmap
  | HTMLImageElement
  | HTMLCanvasElement
  | HTMLVideoElement
  | ImageData;

export interface LoadImageOptions {
  /** Most pixels that are read. Default 100 megapixels. */
  pixelLimit?: number;
}

/**
 * An image from a file, an element or a bitmap. Transparency is laid on white. FormatError for what the browser cannot
 * decode, LimitError for too many pixels.
 */
export async function loadImage(source: ImageSource, options: LoadImageOptions = {}): Promise<Image> {
  const { pixelLimit } = withDefaults("loadImage", { pixelLimit: DEFAULT_PIXEL_LIMIT }, options);
  if (source instanceof Uint8Array || source instanceof Blob) {
    const bytes = source instanceof Blob ? new Uint8Array(await source.arrayBuffer()) : source;
    if (isPnm(bytes)) return readPnm(bytes, { pixelLimit });
  }
  const bitmap = await decode(source);
  try {
    const { width, height } = bitmap;
    checkPixelLimit("loadImage", width, height, pixelLimit);
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (!context) throw new FormatError("loadImage: this browser gives no 2-D canvas to read pixels from");
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0);
    return rgbOf(context.getImageData(0, 0, width, height));
  } finally {
    bitmap.close();
  }
}

async function decode(source: ImageSource): Promise<ImageBitmap> {
  const drawable = source instanceof Uint8Array ? new Blob([source as Uint8Array<ArrayBuffer>]) : source;
  try {
    return await createImageBitmap(drawable, { imageOrientation: "from-image" });
  } catch (error) {
    throw new FormatError("loadImage: the browser cannot decode this image", { cause: error });
  }
}

/** The colours of a canvas, without its alpha. */
function rgbOf({ data, width, height }: ImageData): Image {
  const rgb = new Uint8Array(3 * width * height);
  for (let i = 0, p = 0; i < rgb.length; i += 3, p += 4) {
    rgb[i] = data[p];
    rgb[i + 1] = data[p + 1];
    rgb[i + 2] = data[p + 2];
  }
  return { width, height, data: rgb };
}
