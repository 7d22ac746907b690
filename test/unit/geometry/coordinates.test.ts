import { describe, expect, it } from "vitest";
import { cellToPixel, fromColmap, pixelToCell, resizePoints, toColmap } from "../../../src/geometry/coordinates.js";

describe("coordinates", () => {
  it("puts the centre of the first pixel at (0.5, 0.5) for COLMAP, and back", () => {
    const points = new Float32Array([0, 0, 639, 479]);
    expect(toColmap(points)).toBe(points);
    expect([...points]).toEqual([0.5, 0.5, 639.5, 479.5]);
    expect([...fromColmap(points)]).toEqual([0, 0, 639, 479]);
  });

  it("keeps the image's corners at its corners when resizing", () => {
    // The corners of a 640×480 image are at −0.5 and size − 0.5.
    const corners = new Float64Array([-0.5, -0.5, 639.5, 479.5]);
    expect([...resizePoints(corners, 2, 0.5)]).toEqual([-0.5, -0.5, 1279.5, 239.5]);
    expect([...resizePoints(new Float32Array([0, 0, 1, 1]), 2)]).toEqual([0.5, 0.5, 2.5, 2.5]);
    expect([...resizePoints(resizePoints(new Float32Array([3, 5]), 4), 0.25)]).toEqual([3, 5]);
    expect(resizePoints(new Float32Array(0), 3)).toHaveLength(0);
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
