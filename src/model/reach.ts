/**
 * How far the cells of a map see: the pixels of the image that a value depends on (the receptive field), followed from
 * layer to layer. Cell i of a map whose cells are `cell` pixels wide begins at pixel i·cell; it sees the pixels from
 * `low` before that to `high` behind it, along either axis. What an image's own edge changes is not counted: a part of an
 * image that ends there has the same edge.
 */

export interface Reach {
  /** Pixels per cell. */
  cell: number;
  /** First and last pixel that is seen, from the cell's first one on. */
  low: number;
  high: number;
}

/** A pixel sees itself. */
export const PIXEL: Reach = { cell: 1, low: 0, high: 0 };

/** Behind a convolution or a pooling with windows of `side` cells. */
export function windowed(
  { cell, low, high }: Reach,
  side: number,
  { stride = 1, padding = 0 }: { stride?: number; padding?: number } = {},
): Reach {
  return { cell: cell * stride, low: low - padding * cell, high: high + (side - 1 - padding) * cell };
}

/** Behind a bilinear enlargement by an even factor, pixel centres in the middle (half_pixel): each cell sees two old ones. */
export function enlarged({ cell, low, high }: Reach, factor: number): Reach {
  if (factor === 1) return { cell, low, high };
  const fine = cell / factor;
  return { cell: fine, low: low - (1.5 * factor - 1) * fine, high: high + 0.5 * factor * fine };
}

/** Where each cell becomes factor × factor cells with values of their own. */
export function split({ cell, low, high }: Reach, factor: number): Reach {
  const fine = cell / factor;
  return { cell: fine, low: low - (factor - 1) * fine, high };
}

/** What depends on both of two maps with cells of one size. */
export function united(a: Reach, b: Reach): Reach {
  return { cell: a.cell, low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}

/** The farthest pixel that a bilinear sample at any position depends on, in pixels from there. */
export function farthest({ cell, low, high }: Reach): number {
  // The left of the two cells begins less than 1.5 cells before the position, the right one at most half a cell behind.
  const [before, behind] = cell === 1 ? [0, 0] : [1.5 * cell - 0.5, 0.5 * cell + 0.5];
  return Math.ceil(Math.max(before - low, behind + high));
}
