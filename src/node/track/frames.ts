/** The frames of a video or of a folder of images, in order. */
import { readdir, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { IoError } from "../../errors.js";
import type { Image } from "../../image/image.js";
import { checkPath, ioError } from "../atomic.js";
import { isImageName } from "../image-kinds.js";
import { type LoadImageOptions, loadImage } from "../images.js";
import { videoFrames, videoRate } from "./ffmpeg.js";

/** A frame and what it is called: its file's name, or its number in a video. */
export interface NamedFrame {
  name: string;
  image: Image;
}

/** Frames to read one after the other. */
export interface FrameSource {
  /** How many there are; null of a video, which does not say. */
  count: number | null;
  /** Frames a second, in the mean; null of images, and of a video that does not say. */
  rate: number | null;
  frames(): AsyncGenerator<NamedFrame>;
}

/** Endings of videos. */
export const VIDEO_ENDINGS = [
  ".mp4",
  ".mov",
  ".webm",
  ".mkv",
  ".avi",
  ".m4v",
  ".mpg",
  ".mpeg",
  ".ogv",
  ".y4m",
  ".mjpeg",
  ".gif",
];

/** Whether the path's ending is a video's. */
export const isVideoPath = (path: string): boolean => VIDEO_ENDINGS.includes(extname(path).toLowerCase());

/**
 * The frames at `path`: a folder of images in natural order (2.png before 10.png), a video (by ffmpeg), or one image. IoError
 * for a path that is not there or a folder without images.
 */
export async function openFrames(
  path: string,
  options: Pick<LoadImageOptions, "pixelLimit" | "orientation" | "onWarning"> = {},
): Promise<FrameSource> {
  checkPath("read frames", path);
  const info = await stat(path).catch((cause) => {
    throw ioError("read", path, cause);
  });
  if (!info.isDirectory()) {
    if (!isImageName(path) || isVideoPath(path)) {
      return { count: null, rate: await videoRate(path), frames: () => numbered(videoFrames(path)) };
    }
    return { count: 1, rate: null, frames: () => loaded([path], options) };
  }
  const names = (
    await readdir(path).catch((cause) => {
      throw ioError("read", path, cause);
    })
  ).filter((name) => !name.startsWith(".") && isImageName(name));
  if (names.length === 0) throw new IoError(`${path}: there are no frames: the folder has no images`);
  const paths = names.sort(naturalOrder).map((name) => join(path, name));
  return { count: paths.length, rate: null, frames: () => loaded(paths, options) };
}

async function* numbered(images: AsyncGenerator<Image>): AsyncGenerator<NamedFrame> {
  let number = 0;
  for await (const image of images) yield { name: String(number++).padStart(6, "0"), image };
}

async function* loaded(
  paths: readonly string[],
  options: Pick<LoadImageOptions, "pixelLimit" | "orientation" | "onWarning">,
): AsyncGenerator<NamedFrame> {
  const short = paths.map((path) => basename(path, extname(path)));
  for (const [k, path] of paths.entries()) {
    // Of 7.jpg and 7.png neither may take the other's place.
    const isAlone = short.filter((name) => name === short[k]).length === 1;
    yield { name: isAlone ? short[k] : basename(path), image: await loadImage(path, options) };
  }
}

/** Numbers in names by their value, the rest by its letters; of equal ones the plain order. */
export function naturalOrder(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => name.match(/\d+|\D+/g) ?? []);
  for (let k = 0; k < Math.min(left.length, right.length); k++) {
    const [p, q] = [left[k], right[k]];
    if (p === q) continue;
    if (/^\d/.test(p) && /^\d/.test(q)) {
      const [m, n] = [p, q].map((digits) => digits.replace(/^0+(?=\d)/, ""));
      if (m !== n) return m.length - n.length || (m < n ? -1 : 1);
      continue;
    }
    return p < q ? -1 : 1;
  }
  return left.length - right.length || (a < b ? -1 : a > b ? 1 : 0);
}
