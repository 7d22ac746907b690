/** An image that is read part by part, as a page has large ones, and the pixels of each part that was asked for. */
import { cropImage } from "../src/image/crop.js";
import type { Image } from "../src/image/image.js";
import type { ImageParts } from "../src/image/parts.js";

export function readInParts(image: Image, bytes = 4 * image.width * image.height): ImageParts & { asked: number[] } {
  const asked: number[] = [];
  const part = (left: number, top: number, width: number, height: number): Image => {
    const inside = left >= 0 && top >= 0 && left + width <= image.width && top + height <= image.height;
    if (!inside || width < 1 || height < 1) throw new Error(`no such part: ${[left, top, width, height]}`);
    asked.push(width * height);
    return cropImage(image, left, top, width, height);
  };
  return { width: image.width, height: image.height, bytes, part, asked };
}
