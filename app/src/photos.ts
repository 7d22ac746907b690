/** Photographs: pixels, a name, and an address by which the page shows them. */
import { type Shrunk, shrinkToEdge } from "../../src/image/shrink.js";
import { DEFAULT_PIXEL_LIMIT, type Image, loadImage } from "../../src/web/index.js";

export interface Photo {
  name: string;
  image: Image;
  /** `blob:`; let go by `closePhoto`. */
  href: string;
  /** What was done to it that its reader should know. */
  note?: string;
}

/** Decodes a file. One of more pixels than can be read is scaled down, and the note says so. */
export async function openPhoto(file: Blob, name: string): Promise<Photo> {
  try {
    return { name, image: await loadImage(file), href: URL.createObjectURL(file) };
  } catch (error) {
    if ((error as { code?: string }).code !== "E_LIMIT") throw error;
  }
  const whole = await createImageBitmap(file);
  const { width, height } = whole;
  whole.close();
  const resizeWidth = Math.floor(width * Math.sqrt((0.99 * DEFAULT_PIXEL_LIMIT) / (width * height)));
  const bitmap = await createImageBitmap(file, { resizeWidth, resizeQuality: "high" });
  const image = await loadImage(bitmap);
  bitmap.close();
  const megapixels = Math.round((width * height) / 1e6);
  const note = `${name} has ${megapixels} megapixels; it is used at ${image.width} × ${image.height}`;
  return { name, image, href: URL.createObjectURL(await encodePhoto(image)), note };
}

const smaller = new WeakMap<Image, Shrunk>();

/**
 * The picture as it is looked at: its longer edge at most `edge` pixels, 0: as it is. The same image whenever the same is
 * asked for again, so that its features can be kept by it.
 */
export function lookedAt(image: Image, edge: number): Shrunk {
  if (edge === 0 || Math.max(image.width, image.height) <= edge) return { image, step: [1, 1] };
  const kept = smaller.get(image);
  if (kept && Math.max(kept.image.width, kept.image.height) === edge) return kept;
  const small = shrinkToEdge(image, edge);
  smaller.set(image, small);
  return small;
}

export function closePhoto(photo: Photo | null): void {
  if (photo) URL.revokeObjectURL(photo.href);
}

/** An image as a file: PNG, or JPEG where that is asked for. */
export async function encodePhoto({ width, height, data }: Image, type = "image/png"): Promise<Blob> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let i = 0, p = 0; i < rgba.length; i += 4, p += 3) {
    rgba[i] = data[p];
    rgba[i + 1] = data[p + 1];
    rgba[i + 2] = data[p + 2];
    rgba[i + 3] = 255;
  }
  context.putImageData(new ImageData(rgba, width, height), 0, 0);
  return canvas.convertToBlob({ type, quality: 0.9 });
}
