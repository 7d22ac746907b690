import { describe, expect, it } from "vitest";
import { drawPrintView } from "../../../src/bench/search/print-view.js";
import { projectPoints } from "../../../src/geometry/matrix3.js";
import { Random } from "../../../src/random.js";
import { noiseImage } from "../../models.js";

const picture = noiseImage(60, 40, 1);
const [wall, room] = [noiseImage(50, 50, 2), noiseImage(50, 50, 3)];
const draw = (seed: number, options = {}) =>
  drawPrintView(picture, wall, room, new Random(seed), { size: [160, 120], ...options });

describe("drawPrintView", () => {
  it("gives the same view for the same numbers, and others for others", () => {
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1).image.data).not.toEqual(draw(2).image.data);
  });

  it("places the picture as large, as tilted and as far outside as it says", () => {
    for (let seed = 0; seed < 40; seed++) {
      const { matrix, share, tilt, quality, image } = draw(seed);
      expect([image.width, image.height]).toEqual([160, 120]);
      expect(share).toBeGreaterThanOrEqual(0.2);
      expect(share).toBeLessThanOrEqual(0.8);
      expect(tilt).toBeLessThanOrEqual(50);
      expect(quality).toBeGreaterThanOrEqual(50);
      expect(quality).toBeLessThanOrEqual(80);
      const [x, y] = projectPoints(matrix, [29.5, 19.5]);
      expect(x).toBeGreaterThan(-1);
      expect(x).toBeLessThan(161);
      expect(y).toBeGreaterThan(-1);
      expect(y).toBeLessThan(121);
    }
    const flat = draw(3, { tilt: 0, turn: 0, outside: 0, share: [0.5, 0.5] });
    const corners = projectPoints(flat.matrix, [-0.5, -0.5, 59.5, 39.5]);
    expect(corners[2] - corners[0]).toBeCloseTo(80, 3);
    expect(corners[3] - corners[1]).toBeCloseTo(80 * (40 / 60), 3);
  });

  it("shows the picture where its matrix says", () => {
    // A white picture on a dark photograph of a wall, found again by its brightness.
    const white = { width: 60, height: 40, data: new Uint8Array(60 * 40 * 3).fill(255) };
    const dark = { width: 8, height: 8, data: new Uint8Array(192).fill(5) };
    let seen = 0;
    for (let seed = 0; seed < 30; seed++) {
      const { matrix, image } = drawPrintView(white, dark, dark, new Random(seed), { size: [160, 120], outside: 0 });
      const at = (px: number, py: number) => {
        const [x, y] = [...projectPoints(matrix, [px, py])].map(Math.round);
        return image.data[3 * (y * 160 + x)];
      };
      const middle = at(29.5, 19.5);
      if (middle > 120) seen++;
    }
    expect(seen).toBeGreaterThan(15);
  });
});
