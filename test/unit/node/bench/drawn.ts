/** Sequences in HPatches' layout, drawn by code: small textured images moved by whole pixels, with homographies that say so. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Image } from "../../../../src/image/image.js";
import { encodePng } from "../../../../src/node/images.js";
import { Random } from "../../../../src/random.js";

export const SIZE = { width: 96, height: 72 };

/** A window on a field of rectangles; moving the window moves the picture by whole pixels. */
export function drawWindow(seed: number, dx: number, dy: number, { width, height } = SIZE): Image {
  const random = new Random(seed);
  const [w, h] = [width + 64, height + 64];
  const field = new Uint8Array(3 * w * h).fill(120);
  for (let k = 0; k < 160; k++) {
    const [x, y] = [random.integer(w), random.integer(h)];
    const [rw, rh] = [3 + random.integer(14), 3 + random.integer(14)];
    const colour = [random.integer(256), random.integer(256), random.integer(256)];
    for (let j = y; j < Math.min(h, y + rh); j++) {
      for (let i = x; i < Math.min(w, x + rw); i++) field.set(colour, 3 * (j * w + i));
    }
  }
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 3 * ((y + 32 + dy) * w + 32 + dx);
    data.set(field.subarray(from, from + 3 * width), 3 * y * width);
  }
  return { width, height, data };
}

/** Writes `count` images and homographies: image k shows what is 3(k − 1) px further right and 2(k − 1) px further down. */
export async function writeSequence(folder: string, seed: number, count = 3, size = SIZE): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (let k = 1; k <= count; k++) {
    const [dx, dy] = [3 * (k - 1), 2 * (k - 1)];
    writeFileSync(join(folder, `${k}.png`), await encodePng(drawWindow(seed, dx, dy, size)));
    if (k > 1) writeFileSync(join(folder, `H_1_${k}`), `1 0 ${-dx}\n0 1 ${-dy}\n0 0 1\n`);
  }
}
