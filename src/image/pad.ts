/**
 * Padding to a whole number of network strides. The image grows to the right and down only, so that coordinates stay
 * as they are; the border is replicated, which gives the network no edge to fire on.
 */
import { checkNumber } from "../options.js";
import { checkImage, type Image, newPixels } from "./image.js";

/** The image with width and height rounded up to multiples of `multiple`; the image itself where they are already. */
export function padImage(image: Image, multiple: number): Image {
  checkImage("padImage", image);
  checkNumber("padImage", "multiple", multiple, { min: 1, integer: true });
  const up = (size: number) => Math.ceil(size / multiple) * multiple;
  return padImageTo(image, up(image.width), up(image.height));
}

/** The image grown to width × height, neither of which may be smaller than it is; itself where it has that size. */
export function padImageTo(image: Image, width: number, height: number): Image {
  checkImage("padImageTo", image);
  checkNumber("padImageTo", "width", width, { min: image.width, integer: true });
  checkNumber("padImageTo", "height", height, { min: image.height, integer: true });
  if (width === image.width && height === image.height) return image;

  const data = newPixels("padImage", width, height);
  const row = 3 * image.width;
  for (let y = 0; y < image.height; y++) {
    const to = 3 * y * width;
    data.set(image.data.subarray(y * row, (y + 1) * row), to);
    for (let i = to + row; i < to + 3 * width; i++) data[i] = data[i - 3];
  }
  const last = 3 * (image.height - 1) * width;
  for (let y = image.height; y < height; y++) data.copyWithin(3 * y * width, last, last + 3 * width);
  return { width, height, data };
}
