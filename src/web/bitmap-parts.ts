/** What the browser has decoded, read part by part: a large picture's pixels are nowhere as a whole but in the bitmap. */
import { FormatError } from "../errors.js";
import { type Image, newPixels } from "../image/image.js";
import type { ImageParts } from "../image/parts.js";

/** Pixels that are on the canvas at once: its memory, and that of what is read from it, is four bytes for each. */
const BAND_PIXELS = 2 ** 18;

/** The colours of a bitmap or frame of that size, on white where it is transparent. It has to stay open. */
export function bitmapParts(bitmap: ImageBitmap | VideoFrame, width: number, height: number): ImageParts {
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new FormatError("loadImage: this browser gives no 2-D canvas to read pixels from");
  const part = (left: number, top: number, w: number, h: number): Image => {
    const rgb = newPixels("loadImage", w, h);
    const rows = Math.min(h, Math.max(1, Math.floor(BAND_PIXELS / w)));
    if (canvas.width < w || canvas.height < rows) Object.assign(canvas, { width: w, height: rows });
    context.fillStyle = "white";
    for (let y = 0, i = 0; y < h; y += rows) {
      const down = Math.min(rows, h - y);
      context.fillRect(0, 0, w, down);
      context.drawImage(bitmap, left, top + y, w, down, 0, 0, w, down);
      const { data } = context.getImageData(0, 0, w, down);
      for (let p = 0; p < data.length; i += 3, p += 4) {
        rgb[i] = data[p];
        rgb[i + 1] = data[p + 1];
        rgb[i + 2] = data[p + 2];
      }
    }
    return { width: w, height: h, data: rgb };
  };
  return { width, height, bytes: 4 * width * height, part };
}
