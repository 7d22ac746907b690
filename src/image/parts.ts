/** Images of which parts can be had without the whole: what holds a large image need not hold its pixels as ours. */
import { cropImage } from "./crop.js";
import type { Image } from "./image.js";

/** An image that is read part by part. */
export interface ImageParts {
  readonly width: number;
  readonly height: number;
  /** Bytes of memory that it takes while it is there. */
  readonly bytes: number;
  /** Its pixels from (left, top) on, width × height of them, all inside the image. */
  part(left: number, top: number, width: number, height: number): Image;
}

/** Whether an image is read part by part. */
export const isParts = (image: Image | ImageParts): image is ImageParts =>
  typeof (image as Partial<ImageParts> | null)?.part === "function";

/** Any image as one that is read part by part; the whole of one in memory is not copied. */
export function partsOf(image: Image | ImageParts): ImageParts {
  if (isParts(image)) return image;
  const { width, height, data } = image;
  return {
    ...{ width, height, bytes: data.length },
    part: (left, top, w, h) => cropImage(image, left, top, w, h),
  };
}

/** All of its pixels. */
export const wholeOf = (image: Image | ImageParts): Image =>
  isParts(image) ? image.part(0, 0, image.width, image.height) : image;
