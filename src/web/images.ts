/** Images in a browser: whatever it can decode, as 8-bit RGB with the orientation applied. */
import { FormatError, IoError, OptionError, ShapeError, UnsupportedError } from "../errors.js";
import { checkPixelLimit, DEFAULT_PIXEL_LIMIT, type Image } from "../image/image.js";
import { type ImageParts, wholeOf } from "../image/parts.js";
import { isPnm, readPnm } from "../image/pnm.js";
import { withDefaults } from "../options.js";
import { bitmapParts } from "./bitmap-parts.js";

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
  const opened = await openImage(source, options);
  try {
    return wholeOf(opened.image);
  } finally {
    opened.close();
  }
}

/** An image that may be large, to be closed when it is read. */
export interface OpenedImage {
  image: Image | ImageParts;
  close(): void;
}

/** Images of more pixels stay in the browser's bitmap and are read part by part. */
const WHOLE_PIXELS = 2 ** 22;

/** What loadImage gives, large ones part by part. What the caller owns has to stay open until then. */
export async function openImage(source: ImageSource, options: LoadImageOptions = {}): Promise<OpenedImage> {
  const { pixelLimit } = withDefaults("loadImage", { pixelLimit: DEFAULT_PIXEL_LIMIT }, options);
  const file = await fileOf(source);
  if (file?.blob.size === 0) throw new FormatError("loadImage: the file is empty");
  if (file && isPnm(file.start)) {
    const bytes = file.start.length === file.blob.size ? file.start : await bytesOf(file.blob);
    return { image: readPnm(bytes, { pixelLimit }), close() {} };
  }
  if (!file) checkFrame("loadImage", source as Drawable);
  // What holds pixels that nobody changes is drawn as it is, everything else as it is now.
  const still = !file && isStill(source) ? source : null;
  const drawn = still ?? (await (file ? decodeFile(file.blob) : bitmapOf(source as Drawable)));
  const close = () => drawn !== still && drawn.close();
  try {
    const [width, height] = frameSize(drawn) as [number, number];
    checkPixelLimit("loadImage", width, height, pixelLimit);
    const image = bitmapParts(drawn, width, height);
    if (width * height > WHOLE_PIXELS) return { image, close };
    const whole = wholeOf(image);
    close();
    return { image: whole, close() {} };
  } catch (error) {
    close();
    throw error;
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

/** A file, and how it begins. */
interface SourceFile {
  blob: Blob;
  start: Uint8Array;
}

/** A source that is a file; null for what can be drawn as it is. A Blob's bytes are not brought here: they may be many. */
async function fileOf(source: ImageSource): Promise<SourceFile | null> {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    const bytes =
      source instanceof ArrayBuffer
        ? new Uint8Array(source)
        : new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength);
    // A Blob takes no memory that others may write to.
    return { blob: new Blob([bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice()]), start: bytes };
  }
  const blob =
    source instanceof Blob
      ? source
      : typeof source === "string" || source instanceof URL
        ? await fetched(source)
        : null;
  return blob && { blob, start: await bytesOf(blob.slice(0, 16)) };
}

async function fetched(address: string | URL): Promise<Blob> {
  try {
    const answer = await fetch(address);
    if (!answer.ok)
      throw new IoError(`loadImage: cannot read ${address}: the server answers with status ${answer.status}`);
    return await answer.blob();
  } catch (cause) {
    if (cause instanceof IoError) throw cause;
    throw new IoError(`loadImage: cannot read ${address}: ${(cause as Error).message}`, { cause });
  }
}

/** The bytes of a file; it may have gone since it was chosen. */
async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw new IoError(`loadImage: the file cannot be read: ${(cause as Error).message}`, { cause });
  }
}

async function decodeFile(file: Blob): Promise<ImageBitmap> {
  try {
    return await bitmapOf(file);
  } catch (cause) {
    // Few files are of another kind: the list of kinds is loaded when one is.
    const { knownKind } = await import("../image/sniff.js");
    const what = knownKind(await bytesOf(file));
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
