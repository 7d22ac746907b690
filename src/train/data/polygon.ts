/** Convex polygons as flat points x0, y0, x1, y1, …: cut to a square, and their area. */

/** The part inside low ≤ x, y ≤ high (Sutherland and Hodgman 1974); no points where nothing is left. */
export function cutToSquare(corners: ArrayLike<number>, low: number, high: number): number[] {
  let left = Array.from(corners);
  for (const axis of [0, 1] as const) {
    left = cut(left, axis, 1, low);
    left = cut(left, axis, -1, -high);
  }
  return left;
}

/** Keeps where sign·(x or y) ≥ limit. */
function cut(points: readonly number[], axis: 0 | 1, sign: 1 | -1, limit: number): number[] {
  const kept: number[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const next = (i + 2) % points.length;
    const here = sign * points[i + axis] - limit;
    const there = sign * points[next + axis] - limit;
    if (here >= 0) kept.push(points[i], points[i + 1]);
    if (here >= 0 === there >= 0) continue;
    const t = here / (here - there);
    for (const other of [0, 1]) kept.push(points[i + other] + t * (points[next + other] - points[i + other]));
  }
  return kept;
}

/** Area by the shoelace formula, whichever way round the corners go. */
export function convexArea(points: ArrayLike<number>): number {
  let twice = 0;
  for (let i = 0; i < points.length; i += 2) {
    const next = (i + 2) % points.length;
    twice += points[i] * points[next + 1] - points[i + 1] * points[next];
  }
  return Math.abs(twice) / 2;
}
