/** Localization: from a cell of a map to a position between cells. */
import { gradientAt, hessianAt } from "./detect.js";

/** A step further than this leads to another cell, so the candidate is dropped. */
export const LONGEST_STEP = 0.5;

/**
 * One Newton step to the extremum of the map: −Hessian⁻¹·gradient, (x, y) in cells, into `out`. False where the step
 * leaves the cell or the Hessian has no inverse. reference.md §2.2.
 */
export function newtonStep(
  map: Float32Array,
  x: number,
  y: number,
  width: number,
  height: number,
  out: Float64Array,
): boolean {
  const [dii, djj, dij] = hessianAt(map, x, y, width, height);
  const [di, dj] = gradientAt(map, x, y, width, height);
  const determinant = dii * djj - dij * dij;
  const down = -(djj * di - dij * dj) / determinant;
  const across = -(dii * dj - dij * di) / determinant;
  out[0] = across;
  out[1] = down;
  return Math.abs(across) < LONGEST_STEP && Math.abs(down) < LONGEST_STEP;
}

/** The temperature of a window: a share of its largest score, and a little more. */
export const SOFT_ARGMAX = { share: 0.1, least: 1e-9 } as const;

/**
 * Mean position of a window, each cell weighted by exp(score / (τ·peak)), τ = 0.1 and peak the window's largest score:
 * the offset (x, y) from the window's centre, in cells, into `out`. Cells outside the map count with score 0.
 */
export function softArgmax(
  map: Float32Array,
  x: number,
  y: number,
  width: number,
  height: number,
  stride: number,
  radius: number,
  out: Float64Array,
): void {
  let peak = 0;
  for (let dy = -radius; dy <= radius; dy++) {
    for (let dx = -radius; dx <= radius; dx++) {
      const inside = x + dx >= 0 && y + dy >= 0 && x + dx < width && y + dy < height;
      if (inside) peak = Math.max(peak, map[(y + dy) * stride + x + dx]);
    }
  }
  const temperature = SOFT_ARGMAX.share * peak + SOFT_ARGMAX.least;
  let [total, across, down] = [0, 0, 0];
  for (let dy = -radius; dy <= radius; dy++) {
    for (let dx = -radius; dx <= radius; dx++) {
      const inside = x + dx >= 0 && y + dy >= 0 && x + dx < width && y + dy < height;
      const score = inside ? map[(y + dy) * stride + x + dx] : 0;
      const weight = Math.exp((score - peak) / temperature);
      total += weight;
      across += weight * dx;
      down += weight * dy;
    }
  }
  out[0] = across / total;
  out[1] = down / total;
}
