import { describe, expect, it } from "vitest";
import { drawDemoPair } from "../../../demo/draw.js";
import { imageCorners, inverse3x3, projectPoints } from "../../../src/geometry/matrix3.js";
import { checkImage, type Image } from "../../../src/image/image.js";

/** Correlation of the grey values of a and of b where the truth takes them. */
function correlation(a: Image, b: Image, truth: Float64Array): number {
  const [x, y]: [number[], number[]] = [[], []];
  const grey = ({ width, data }: Image, u: number, v: number) => {
    const at = 3 * (Math.round(v) * width + Math.round(u));
    return data[at] + data[at + 1] + data[at + 2];
  };
  for (let v = 2; v < a.height; v += 5) {
    for (let u = 2; u < a.width; u += 5) {
      const [p, q] = projectPoints(truth, [u, v]);
      if (p < 0 || q < 0 || p > b.width - 1 || q > b.height - 1) continue;
      x.push(grey(a, u, v));
      y.push(grey(b, p, q));
    }
  }
  expect(x.length).toBeGreaterThan(5000);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const product = mean(x.map((value, i) => (value - mx) * (y[i] - my)));
  return product / Math.sqrt(mean(x.map((v) => (v - mx) ** 2)) * mean(y.map((v) => (v - my) ** 2)));
}

describe("drawDemoPair", () => {
  it("is the same for a seed, another for another, and joined by its homography", () => {
    const { a, b, truth } = drawDemoPair(1);
    checkImage("a", a);
    checkImage("b", b);
    expect([a.width, a.height, b.width, b.height]).toEqual([640, 480, 640, 480]);
    expect(truth[8]).toBe(1);
    expect(correlation(a, b, truth)).toBeGreaterThan(0.85);
    // A shift by a few pixels is noticed: the truth is the truth.
    const shifted = Float64Array.from(truth, (value, i) => (i === 2 || i === 5 ? value + 6 : value));
    expect(correlation(a, b, shifted)).toBeLessThan(correlation(a, b, truth) - 0.1);

    const again = drawDemoPair(1);
    expect(again.truth).toEqual(truth);
    expect(Buffer.compare(again.a.data, a.data)).toBe(0);
    expect(Buffer.compare(again.b.data, b.data)).toBe(0);
    const other = drawDemoPair(2);
    expect(Buffer.compare(other.a.data, a.data)).not.toBe(0);
  });

  it("sees about the turn and zoom that it promises", () => {
    const { a, truth } = drawDemoPair(3);
    const corners = projectPoints(truth, imageCorners([a.width, a.height]));
    const area = (p: Float64Array) =>
      Math.abs([0, 2, 4, 6].reduce((sum, k) => sum + p[k] * p[(k + 3) % 8] - p[(k + 2) % 8] * p[k + 1], 0)) / 2;
    const zoom = Math.sqrt(area(corners) / (639 * 479));
    expect(zoom).toBeGreaterThan(0.7);
    expect(zoom).toBeLessThan(0.95);
    expect(inverse3x3(truth)).not.toBeNull();
  });
});
