import { describe, expect, it } from "vitest";
import {
  cellToPixel,
  fromColmap,
  fundamentalFromColmap,
  fundamentalToColmap,
  homographyFromColmap,
  homographyToColmap,
  pixelToCell,
  resizeHomography,
  resizePoints,
  toColmap,
} from "../../../src/geometry/coordinates.js";
import { projectPoints } from "../../../src/geometry/matrix3.js";

describe("coordinates", () => {
  it("puts the centre of the first pixel at (0.5, 0.5) for COLMAP, and back", () => {
    const points = new Float32Array([0, 0, 639, 479]);
    expect(toColmap(points)).toBe(points);
    expect([...points]).toEqual([0.5, 0.5, 639.5, 479.5]);
    expect([...fromColmap(points)]).toEqual([0, 0, 639, 479]);
  });

  it("carries matrices between two images over to COLMAP's pixels, and back", () => {
    const H = Float64Array.of(1.1, 0.02, 5, -0.01, 0.95, -3, 1e-4, -2e-4, 1);
    const points = new Float64Array([3, 4, 100, 50]);
    const there = projectPoints(homographyToColmap(H), toColmap(points.slice()));
    expect([...there]).toEqual([...toColmap(projectPoints(H, points))].map((value) => expect.closeTo(value, 9)));
    expect([...homographyFromColmap(homographyToColmap(H))]).toEqual([...H].map((value) => expect.closeTo(value, 12)));
    const F = Float64Array.of(1e-6, -2e-5, 3e-3, 4e-5, 5e-6, -6e-3, -7e-3, 8e-3, 0.9);
    // x₂ᵀ F x₁ is the same number in both pixels, also where it is not 0.
    const product = (matrix: Float64Array, [x1, y1, x2, y2]: Float64Array): number =>
      [x2, y2, 1].reduce(
        (sum, v, row) => sum + v * (matrix[3 * row] * x1 + matrix[3 * row + 1] * y1 + matrix[3 * row + 2]),
        0,
      );
    expect(product(fundamentalToColmap(F), toColmap(points.slice()))).toBeCloseTo(product(F, points), 12);
    expect([...fundamentalFromColmap(fundamentalToColmap(F))]).toEqual(
      [...F].map((value) => expect.closeTo(value, 12)),
    );
  });

  it("keeps the image's corners at its corners when resizing", () => {
    // The corners of a 640×480 image are at −0.5 and size − 0.5.
    const corners = new Float64Array([-0.5, -0.5, 639.5, 479.5]);
    expect([...resizePoints(corners, 2, 0.5)]).toEqual([-0.5, -0.5, 1279.5, 239.5]);
    expect([...resizePoints(new Float32Array([0, 0, 1, 1]), 2)]).toEqual([0.5, 0.5, 2.5, 2.5]);
    expect([...resizePoints(resizePoints(new Float32Array([3, 5]), 4), 0.25)]).toEqual([3, 5]);
    expect(resizePoints(new Float32Array(0), 3)).toHaveLength(0);
    const homography = [1.2, 0.1, 5, -0.2, 0.9, 8, 1e-3, 2e-3, 1];
    const [a, b] = [Float64Array.of(3, 5, 70, 20), projectPoints(homography, [3, 5, 70, 20])];
    const resized = resizeHomography(homography, [2, 3], [0.5, 4]);
    const moved = projectPoints(resized, resizePoints(a, 2, 3));
    resizePoints(b, 0.5, 4).forEach((value, i) => {
      expect(moved[i]).toBeCloseTo(value, 9);
    });
  });

  it("maps cells to pixels as the reference does, step by step", () => {
    for (const p of [0, 1, 7.25, -0.25]) {
      let q = p;
      for (let n = 0; n <= 4; n++) {
        expect(cellToPixel(p, n)).toBe(q);
        expect(pixelToCell(q, n)).toBe(p);
        q = 2 * q + 0.5;
      }
    }
  });
});
