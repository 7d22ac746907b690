/** A float canvas for images drawn by code: shapes by their distance, edges smoothed over one pixel. */

export type Colour = readonly [number, number, number];
/** Distance in pixels to a shape's edge, negative inside. */
export type Distance = (x: number, y: number) => number;
/** Colour at a point, 0 to 255 a channel. */
export type Paint = Colour | ((x: number, y: number) => Colour);
/** Left, top, right, bottom. */
export type Box = readonly [number, number, number, number];

export interface Canvas {
  width: number;
  height: number;
  /** r, g, b, … from 0 to 255; length 3·width·height. */
  data: Float32Array;
}

export function newCanvas(width: number, height: number): Canvas {
  return { width, height, data: new Float32Array(3 * width * height) };
}

/** Paints the shape inside `box` over what is there; `opacity` 0 to 1, `softness` is the width of the edge in pixels. */
export function fill(
  { width, height, data }: Canvas,
  [left, top, right, bottom]: Box,
  distance: Distance,
  paint: Paint,
  { opacity = 1, softness = 1 }: { opacity?: number; softness?: number } = {},
): void {
  const [x0, x1] = [Math.max(0, Math.floor(left)), Math.min(width - 1, Math.ceil(right))];
  const [y0, y1] = [Math.max(0, Math.floor(top)), Math.min(height - 1, Math.ceil(bottom))];
  for (let y = y0; y <= y1; y++) {
    for (let x = x0; x <= x1; x++) {
      const cover = opacity * Math.min(1, Math.max(0, 0.5 - distance(x, y) / softness));
      if (cover === 0) continue;
      const colour = typeof paint === "function" ? paint(x, y) : paint;
      const at = 3 * (y * width + x);
      for (let c = 0; c < 3; c++) data[at + c] += cover * (colour[c] - data[at + c]);
    }
  }
}

/** A straight stroke with round ends. */
export function stroke(
  canvas: Canvas,
  [x0, y0]: readonly [number, number],
  [x1, y1]: readonly [number, number],
  radius: number,
  paint: Paint,
): void {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy || 1;
  const distance: Distance = (x, y) => {
    const t = Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / length));
    return Math.hypot(x - x0 - t * dx, y - y0 - t * dy) - radius;
  };
  const m = radius + 2;
  fill(
    canvas,
    [Math.min(x0, x1) - m, Math.min(y0, y1) - m, Math.max(x0, x1) + m, Math.max(y0, y1) + m],
    distance,
    paint,
  );
}

export function circle(canvas: Canvas, x0: number, y0: number, radius: number, paint: Paint): void {
  const m = radius + 2;
  fill(canvas, [x0 - m, y0 - m, x0 + m, y0 + m], (x, y) => Math.hypot(x - x0, y - y0) - radius, paint);
}

/** A convex polygon, its corners in either sense of rotation. */
export function polygon(
  canvas: Canvas,
  corners: readonly (readonly [number, number])[],
  paint: Paint,
  opacity = 1,
): void {
  const area = corners.reduce((sum, [x, y], i) => {
    const [u, v] = corners[(i + 1) % corners.length];
    return sum + x * v - u * y;
  }, 0);
  // Per edge its normal, outwards, and its distance from the origin.
  const edges = corners.flatMap(([x, y], i) => {
    const [u, v] = corners[(i + 1) % corners.length];
    const scale = Math.sign(area) / (Math.hypot(u - x, v - y) || 1);
    const [nx, ny] = [(v - y) * scale, (x - u) * scale];
    return [nx, ny, nx * x + ny * y];
  });
  const distance: Distance = (x, y) => {
    let far = -Infinity;
    for (let k = 0; k < edges.length; k += 3) far = Math.max(far, edges[k] * x + edges[k + 1] * y - edges[k + 2]);
    return far;
  };
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  const box: Box = [Math.min(...xs) - 2, Math.min(...ys) - 2, Math.max(...xs) + 2, Math.max(...ys) + 2];
  fill(canvas, box, distance, paint, { opacity });
}

/** Numbers across and down a grid of noise, which repeats after them. */
const GRID = 64;

/** Smooth noise in [-1, 1] made of `octaves` grids of random numbers, each twice as fine and half as strong. */
export function smoothNoise(uniform: () => number, cell: number, octaves: number): (x: number, y: number) => number {
  const grids = Array.from({ length: octaves }, () =>
    Float32Array.from({ length: GRID * GRID }, () => 2 * uniform() - 1),
  );
  return (x, y) => {
    let sum = 0;
    let scale = 1;
    for (let k = 0; k < grids.length; k++, scale *= 2) {
      sum += gridValue(grids[k], (x * scale) / cell, (y * scale) / cell) / (2 * scale);
    }
    return sum;
  };
}

/** Between the grid's four numbers around (x, y), with a smooth start and end. */
function gridValue(grid: Float32Array, x: number, y: number): number {
  const i = Math.floor(x);
  const j = Math.floor(y);
  const u = x - i;
  const v = y - j;
  const s = u * u * (3 - 2 * u);
  const t = v * v * (3 - 2 * v);
  const left = i & (GRID - 1);
  const right = (i + 1) & (GRID - 1);
  const upper = GRID * (j & (GRID - 1));
  const lower = GRID * ((j + 1) & (GRID - 1));
  const above = (1 - s) * grid[upper + left] + s * grid[upper + right];
  const below = (1 - s) * grid[lower + left] + s * grid[lower + right];
  return (1 - t) * above + t * below;
}
