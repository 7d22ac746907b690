import { describe, expect, it } from "vitest";
import { projectPoints } from "../../../src/geometry/matrix3.js";
import { facing, projectedOutline } from "../../../src/picture/outline.js";

const size = [100, 50] as const;
const middle = [50, 25] as const;

/** Twice the signed area of a polygon x0, y0, … */
function area(polygon: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < polygon.length; k += 2) {
    const next = (k + 2) % polygon.length;
    sum += polygon[k] * polygon[next + 1] - polygon[next] * polygon[k + 1];
  }
  return sum;
}

describe("projectedOutline", () => {
  it("is the image's edge, half a pixel outside its outer pixel centres", () => {
    expect([...projectedOutline([1, 0, 10, 0, 1, -3, 0, 0, 1], size, middle)]).toEqual([
      9.5, -3.5, 109.5, -3.5, 109.5, 46.5, 9.5, 46.5,
    ]);
  });

  it("does not depend on the scale or the sign of the matrix", () => {
    const matrix = [0.9, -0.2, 30, 0.15, 0.8, 8, 2e-4, 3e-4, 1];
    const wanted = projectedOutline(matrix, size, middle);
    expect([...wanted]).toEqual([...projectPoints(matrix, [-0.5, -0.5, 99.5, -0.5, 99.5, 49.5, -0.5, 49.5])]);
    for (const factor of [-1, -0.25, 4]) {
      const scaled = projectedOutline(
        matrix.map((v) => factor * v),
        size,
        middle,
      );
      for (const [k, value] of scaled.entries()) expect(value).toBeCloseTo(wanted[k], 9);
    }
  });

  it("cuts off what lies behind the camera: one corner leaves five, two leave four, all but the anchor's side", () => {
    // Denominator 1 − x/80: everything right of x = 80 is behind.
    const two = projectedOutline([1, 0, 0, 0, 1, 0, -1 / 80, 0, 1], size, [10, 25]);
    expect(two).toHaveLength(8);
    // 1 − x/100 − y/100: only the corner (99.5, 49.5) is, and (99.5, −½) just is not.
    const one = projectedOutline([1, 0, 0, 0, 1, 0, -0.01, -0.01, 1], size, [10, 10]);
    expect(one).toHaveLength(10);
    for (const polygon of [two, one]) {
      expect(polygon.every(Number.isFinite)).toBe(true);
      expect(area(polygon)).toBeGreaterThan(0); // the sense of rotation stays: no corner has flipped over
    }
    // Seen from the other side of the horizon it is the other part that is drawn.
    const other = projectedOutline([1, 0, 0, 0, 1, 0, -1 / 80, 0, 1], size, [95, 25]);
    expect(Math.max(...two.filter((_, k) => k % 2 === 0))).toBeGreaterThan(0);
    expect(Math.max(...other.filter((_, k) => k % 2 === 0))).toBeLessThan(0);
  });
});

describe("facing", () => {
  it("makes the denominator positive where the anchor is", () => {
    const matrix = [1, 0, 0, 0, 1, 0, -1 / 80, 0, 1];
    expect([...facing(matrix, [10, 0])]).toEqual(matrix);
    expect(facing(matrix, [90, 0])[8]).toBe(-1);
  });
});
