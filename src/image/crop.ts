/** Parts of images. */
import { type Image, newPixels } from "./image.js";

/** The width × height pixels from (left, top) on, all of them inside the image; the image itself where they are all it has. */
export function cropImage(image: Image, left: number, top: number, width: number, height: number): Image {
  if (left === 0 && top === 0 && width === image.width && height === image.height) return image;
  const data = newPixels("cropImage", width, height);
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(from, from + 3 * width), 3 * y * width);
  }
  return { width, height, data };
}
