/** Outlines of targets drawn into a frame. */
import type { Image } from "../image/image.js";

/** Colours of targets in turn: green, orange, blue, pink. */
const COLOURS = [
  [60, 220, 90],
  [255, 150, 30],
  [70, 150, 255],
  [255, 90, 200],
] as const;
const HALF_WIDTH = 1.4;

/** A copy of the frame with a target's outline; its top side is twice as wide. */
export function drawOutline(image: Image, corners: ArrayLike<number>, target: number): Image {
  const drawn = { ...image, data: image.data.slice() };
  for (let k = 0; k < 4; k++) {
    const next = (2 * k + 2) % 8;
    const half = k === 0 ? 2 * HALF_WIDTH : HALF_WIDTH;
    drawLine(
      drawn,
      corners[2 * k],
      corners[2 * k + 1],
      corners[next],
      corners[next + 1],
      half,
      COLOURS[target % COLOURS.length],
    );
  }
  return drawn;
}

/** A line with soft edges, cut off at the image's border. */
function drawLine(
  { width, height, data }: Image,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  half: number,
  colour: readonly [number, number, number],
): void {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = Math.hypot(dx, dy);
  if (!(length > 0) || !Number.isFinite(length)) return;
  const left = Math.max(0, Math.floor(Math.min(x0, x1) - half - 1));
  const right = Math.min(width - 1, Math.ceil(Math.max(x0, x1) + half + 1));
  const top = Math.max(0, Math.floor(Math.min(y0, y1) - half - 1));
  const bottom = Math.min(height - 1, Math.ceil(Math.max(y0, y1) + half + 1));
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const along = Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / (length * length)));
      const distance = Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
      const share = Math.min(1, half + 0.5 - distance);
      if (!(share > 0)) continue;
      const at = 3 * (y * width + x);
      for (let c = 0; c < 3; c++) data[at + c] += share * (colour[c] - data[at + c]);
    }
  }
}
