/** What Chromium's fake camera sees: a video made of images. */
import type { Image } from "../../src/image/image.js";

/** Arguments of Chromium for a camera that plays the file and asks nobody. */
export const fakeCamera = (file: string): string[] => [
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  `--use-file-for-fake-video-capture=${file}`,
];

/** Raw video (YUV4MPEG2, 4:2:0) of the frames, which the fake camera plays again and again. */
export function rawVideo(frames: readonly Image[]): Buffer {
  const [{ width, height }] = frames;
  const parts: Buffer[] = [Buffer.from(`YUV4MPEG2 W${width} H${height} F30:1 Ip A1:1 C420\n`)];
  for (const { data } of frames) {
    const planes = [
      Buffer.alloc(width * height),
      Buffer.alloc((width * height) / 4),
      Buffer.alloc((width * height) / 4),
    ];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = 3 * (y * width + x);
        const [r, g, b] = [data[at], data[at + 1], data[at + 2]];
        planes[0][y * width + x] = 16 + 0.257 * r + 0.504 * g + 0.098 * b;
        const half = (y >> 1) * (width >> 1) + (x >> 1);
        planes[1][half] = 128 - 0.148 * r - 0.291 * g + 0.439 * b;
        planes[2][half] = 128 + 0.439 * r - 0.368 * g - 0.071 * b;
      }
    }
    parts.push(Buffer.from("FRAME\n"), ...planes);
  }
  return Buffer.concat(parts);
}
