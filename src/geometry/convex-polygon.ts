/** Convex polygons as flat points x0, y0, x1, y1, …: cut to a square or to another one, and their area. */

/** The part inside low ≤ x, y ≤ high; no points where nothing is left. */
export function cutToSquare(corners: ArrayLike<number>, low: number, high: number): number[] {
  let left = Array.from(corners);
  for (const [nx, ny] of [
    [1, 0],
    [0, 1],
  ]) {
    left = cut(left, nx, ny, low);
    left = cut(left, -nx, -ny, -high);
  }
  return left;
}

/** The part of one that lies within another, whichever way round that goes; no points where nothing is left. */
export function cutToConvex(corners: ArrayLike<number>, by: ArrayLike<number>): number[] {
  const sign = signedArea(by) < 0 ? -1 : 1;
  let left = Array.from(corners);
  for (let i = 0; i < by.length; i += 2) {
    const next = (i + 2) % by.length;
    const nx = sign * (by[i + 1] - by[next + 1]);
    const ny = sign * (by[next] - by[i]);
    left = cut(left, nx, ny, nx * by[i] + ny * by[i + 1]);
  }
  return left;
}

/** Keeps where nx·x + ny·y ≥ limit (Sutherland and Hodgman 1974). */
function cut(points: readonly number[], nx: number, ny: number, limit: number): number[] {
  const kept: number[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const next = (i + 2) % points.length;
    const here = nx * points[i] + ny * points[i + 1] - limit;
    const there = nx * points[next] + ny * points[next + 1] - limit;
    if (here >= 0) kept.push(points[i], points[i + 1]);
    if (here >= 0 === there >= 0) continue;
    const t = here / (here - there);
    for (const other of [0, 1]) kept.push(points[i + other] + t * (points[next + other] - points[i + other]));
  }
  return kept;
}

/** Area by the shoelace formula, whichever way round the corners go. */
export function convexArea(points: ArrayLike<number>): number {
  return Math.abs(signedArea(points));
}

function signedArea(points: ArrayLike<number>): number {
  let twice = 0;
  for (let i = 0; i < points.length; i += 2) {
    const next = (i + 2) % points.length;
    twice += points[i] * points[next + 1] - points[i + 1] * points[next];
  }
  return twice / 2;
}
