/** Images in a browser: whatever it can decode, as 8-bit RGB with the orientation applied. */
import { FormatError, IoError, OptionError, ShapeError, UnsupportedError } from "../errors.js";
import { checkPixelLimit, DEFAULT_PIXEL_LIMIT, type Image, newPixels } from "../image/image.js";
import { isPnm, readPnm } from "../image/pnm.js";
import { knownKind } from "../image/sniff.js";
import { withDefaults } from "../options.js";

/** Anything a canvas can draw, bytes of an image file, or the address of one: a URL, or a text relative to the page. */
export type ImageSource =
  | Blob
  | Uint8Array
  | ArrayBuffer
  | DataView
  | URL
  | string
  | ImageBitmap
  | VideoFrame
  | HTMLImageElement
  | SVGImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | ImageData;

/** How an image is decoded. */
export interface LoadImageOptions {
  /** Most pixels that are read. Default 100 megapixels. */
  pixelLimit?: number;
}

/**
 * An image from a file, an address, an element, a frame or a bitmap. Transparency is laid on white. FormatError for what the browser
 * cannot decode, UnsupportedError where that is a kind of file that is known, LimitError for too many pixels, ShapeError
 * for a frame without pixels, IoError for an address that gives nothing, OptionError for what is no image.
 */
export async function loadImage(source: ImageSource, options: LoadImageOptions = {}): Promise<Image> {
  const { pixelLimit } = withDefaults("loadImage", { pixelLimit: DEFAULT_PIXEL_LIMIT }, options);
  const file = await fileOf(source);
  if (file?.length === 0) throw new FormatError("loadImage: the file is empty");
  if (file && isPnm(file)) return readPnm(file, { pixelLimit });
  // What holds pixels that nobody changes is drawn as it is, everything else as it is now.
  const still = !file && isStill(source);
  if (!file) checkFrame("loadImage", source as Drawable);
  const drawn = still ? source : await (file ? decodeFile(file, source) : bitmapOf(source as Drawable));
  try {
    const [width, height] = frameSize(drawn) as [number, number];
    checkPixelLimit("loadImage", width, height, pixelLimit);
    return rgbOf(drawn, width, height);
  } finally {
    if (!still) (drawn as ImageBitmap).close();
  }
}

/** Whether these are pixels already: a plain object, whatever is right or wrong with it. */
export const isPixels = (source: unknown): source is Image =>
  Object.prototype.toString.call(source) === "[object Object]" && "data" in (source as object);

/** Classes of the DOM that not every place has: a worker has no elements, and older browsers no VideoFrame. */
interface Drawables {
  VideoFrame: VideoFrame;
  ImageBitmap: ImageBitmap;
  HTMLVideoElement: HTMLVideoElement;
  HTMLCanvasElement: HTMLCanvasElement;
  OffscreenCanvas: OffscreenCanvas;
  ImageData: ImageData;
}

function isA<N extends keyof Drawables>(name: N, source: unknown): source is Drawables[N] {
  const Class = (globalThis as unknown as Record<string, unknown>)[name];
  return typeof Class === "function" && source instanceof Class;
}

/** Whether it holds pixels that nobody changes. */
export const isStill = (source: unknown): source is ImageBitmap | VideoFrame =>
  isA("ImageBitmap", source) || isA("VideoFrame", source);

/** Pixels across and down of what is drawn with a size of its own; null for other things. */
function frameSize(source: unknown): [number, number] | null {
  if (isA("VideoFrame", source)) return [source.displayWidth, source.displayHeight];
  if (isA("HTMLVideoElement", source)) return [source.videoWidth, source.videoHeight];
  const sized = (["ImageBitmap", "HTMLCanvasElement", "OffscreenCanvas", "ImageData"] as const).some((name) =>
    isA(name, source),
  );
  return sized ? [(source as ImageBitmap).width, (source as ImageBitmap).height] : null;
}

/** Throws a ShapeError for a frame without pixels, with what may be the reason. */
export function checkFrame(where: string, source: Exclude<ImageSource, string>): void {
  const size = frameSize(source);
  if (!size || (size[0] > 0 && size[1] > 0)) return;
  const closed = isStill(source);
  const reason = closed
    ? "it was closed or given away before"
    : size.every((edge) => edge === 0) && "videoWidth" in source
      ? 'the video has no picture yet; wait for its event "loadeddata"'
      : "give it a size before it is drawn on";
  throw new ShapeError(`${where}: a frame of ${size[0]}×${size[1]} pixels has nothing to read: ${reason}`);
}

type Drawable = Exclude<ImageSource, string | URL | ArrayBuffer | DataView | Uint8Array>;

/** The bytes of a source that is a file; null for what can be drawn as it is. */
async function fileOf(source: ImageSource): Promise<Uint8Array<ArrayBuffer> | null> {
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Uint8Array || source instanceof DataView) {
    const { buffer, byteOffset, byteLength } = source;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    // A Blob takes no memory that others may write to.
    return buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
  }
  if (typeof source !== "string" && !(source instanceof URL)) return null;
  try {
    const answer = await fetch(source);
    if (!answer.ok)
      throw new IoError(`loadImage: cannot read ${source}: the server answers with status ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  } catch (cause) {
    if (cause instanceof IoError) throw cause;
    throw new IoError(`loadImage: cannot read ${source}: ${(cause as Error).message}`, { cause });
  }
}

async function decodeFile(file: Uint8Array<ArrayBuffer>, source: ImageSource): Promise<ImageBitmap> {
  try {
    return await bitmapOf(source instanceof Blob ? source : new Blob([file]));
  } catch (cause) {
    const what = knownKind(file);
    if (what) throw new UnsupportedError(`loadImage: ${what} is not read here; save it as PNG or JPEG`, { cause });
    throw cause;
  }
}

/** What is drawn now, as a bitmap of its own. */
export async function bitmapOf(source: Drawable): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(source, { imageOrientation: "from-image" });
  } catch (cause) {
    // A TypeError of its own: what it was given can never be drawn.
    if (cause instanceof TypeError) throw new OptionError(`loadImage: this is no image: ${cause.message}`, { cause });
    throw new FormatError("loadImage: the browser cannot decode this image", { cause });
  }
}

/** Pixels that are on a canvas at once: its memory, and that of what is read from it, is four bytes for each. */
const BAND_PIXELS = 2 ** 22;

/** The colours of a bitmap or frame, on white where it is transparent; band by band. */
function rgbOf(bitmap: ImageBitmap | VideoFrame, width: number, height: number): Image {
  const rows = Math.min(height, Math.max(1, Math.floor(BAND_PIXELS / width)));
  const context = new OffscreenCanvas(width, rows).getContext("2d", { willReadFrequently: true });
  if (!context) throw new FormatError("loadImage: this browser gives no 2-D canvas to read pixels from");
  context.fillStyle = "white";
  const rgb = newPixels("loadImage", width, height);
  for (let top = 0, i = 0; top < height; top += rows) {
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const { data } = context.getImageData(0, 0, width, Math.min(rows, height - top));
    for (let p = 0; p < data.length; i += 3, p += 4) {
      rgb[i] = data[p];
      rgb[i + 1] = data[p + 1];
      rgb[i + 2] = data[p + 2];
    }
  }
  return { width, height, data: rgb };
}
