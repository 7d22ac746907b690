import { describe, expect, it } from "vitest";
import {
  allCells,
  gradientAt,
  hardDetection,
  hessianAt,
  type MapArea,
  windowMaxima,
} from "../../../src/extract/detect.js";
import { Random } from "../../../src/random.js";
import { randomValues } from "../../networks.js";

const map = (...rows: number[][]) => Float32Array.from(rows.flat());
const cells = (scores: Float32Array, area: MapArea, radius = 1, threshold = 0) => [
  ...windowMaxima(scores, area, radius, threshold).cells,
];

describe("allCells", () => {
  it("takes every cell that is not 0 and reaches the threshold, in order", () => {
    const scores = Float32Array.of(0, 0.5, -1, 0.25, Number.NaN, 1);
    expect(allCells(scores, 0)).toEqual({ cells: Uint32Array.of(1, 3, 5), scores: Float32Array.of(0.5, 0.25, 1) });
    expect([...allCells(scores, 0.5).cells]).toEqual([1, 5]);
    expect([...allCells(scores, 2).cells]).toEqual([]);
    expect(allCells(new Float32Array(0), 0).cells).toHaveLength(0);
  });

  it("holds more than it first has room for", () => {
    const scores = new Float32Array(5000).fill(0.5);
    const found = allCells(scores, 0);
    expect(found.cells).toHaveLength(5000);
    expect(found.cells.every((cell, i) => cell === i)).toBe(true);
    expect(found.scores).toEqual(scores);
  });
});

describe("windowMaxima", () => {
  it("keeps the largest of each window", () => {
    const scores = map([1, 2, 1, 0], [2, 9, 2, 0], [1, 2, 1, 5]);
    expect(cells(scores, { width: 4, height: 3 })).toEqual([5, 11]);
    expect(cells(scores, { width: 4, height: 3 }, 2)).toEqual([5]);
    expect(windowMaxima(scores, { width: 4, height: 3 }, 1, 0).scores).toEqual(Float32Array.of(9, 5));
    expect(cells(scores, { width: 4, height: 3 }, 1, 6)).toEqual([5]);
  });

  it("keeps all of a plateau, as a maximum filter does, but nothing of a map of zeros", () => {
    expect(cells(map([3, 3, 1], [1, 1, 1]), { width: 3, height: 2 })).toEqual([0, 1]);
    expect(cells(new Float32Array(6).fill(0.5), { width: 3, height: 2 })).toEqual([0, 1, 2, 3, 4, 5]);
    expect(cells(new Float32Array(6), { width: 3, height: 2 })).toEqual([]);
  });

  it("never takes cells of the border, which still outshine their neighbours", () => {
    const scores = map([9, 0, 0, 0, 0], [0, 5, 0, 0, 0], [0, 0, 0, 7, 0], [0, 0, 0, 0, 0]);
    expect(cells(scores, { width: 5, height: 4 })).toEqual([0, 13]);
    expect(cells(scores, { width: 5, height: 4, border: 1 })).toEqual([13]);
    expect(cells(scores, { width: 5, height: 4, border: 2 })).toEqual([]);
    expect(cells(scores, { width: 5, height: 4, border: 100 })).toEqual([]);
  });

  it("reads rows that are longer than the area, and counts cells by the area", () => {
    const scores = map([1, 1, 99], [1, 2, 99], [99, 99, 99]);
    expect(cells(scores, { width: 2, height: 2, stride: 3 })).toEqual([3]);
  });

  it("skips what is no number", () => {
    expect(cells(map([Number.NaN, 1]), { width: 2, height: 1 })).toEqual([1]);
  });

  it.each([1, 2, 3])("is the definition, on random maps (radius %i)", (radius) => {
    const random = new Random(radius);
    for (let round = 0; round < 30; round++) {
      const [width, height] = [1 + random.integer(9), 1 + random.integer(9)];
      const stride = width + random.integer(3);
      const border = random.integer(3);
      // Few different values, so that there are plateaus.
      const scores = Float32Array.from({ length: stride * height }, () => random.integer(5));
      const expected: number[] = [];
      for (let y = border; y < height - border; y++) {
        for (let x = border; x < width - border; x++) {
          let [best, own] = [0, scores[y * stride + x]];
          for (let v = Math.max(0, y - radius); v <= Math.min(height - 1, y + radius); v++) {
            for (let u = Math.max(0, x - radius); u <= Math.min(width - 1, x + radius); u++) {
              best = Math.max(best, scores[v * stride + u]);
            }
          }
          if (own > 0 && own === best) expected.push(y * width + x);
        }
      }
      expect(cells(scores, { width, height, stride, border }, radius)).toEqual(expected);
    }
  });
});

describe("hardDetection", () => {
  /** A map of zeros with a round hill of the given height in a channel. */
  const hills = (channels: number, size: number, ...at: [channel: number, x: number, y: number, height: number][]) => {
    const out = new Float32Array(channels * size * size);
    for (const [c, x, y, height] of at) {
      for (let v = -1; v <= 1; v++) {
        for (let u = -1; u <= 1; u++)
          out[(c * size + y + v) * size + x + u] = height / 2 ** (Math.abs(u) + Math.abs(v));
      }
    }
    return out;
  };

  it("finds hills, tells their channel, and scores them with their height", () => {
    const found = hardDetection(hills(2, 9, [0, 2, 2, 4], [1, 6, 5, 8]), 2, 9, 9);
    expect(found.cells).toEqual(Uint32Array.of(2 * 9 + 2, 5 * 9 + 6));
    expect(found.channels).toEqual(Uint16Array.of(0, 1));
    expect(found.scores).toEqual(Float32Array.of(4, 8));
  });

  it("drops a hill under a higher channel", () => {
    const found = hardDetection(hills(2, 9, [0, 4, 4, 4], [1, 4, 4, 5]), 2, 9, 9);
    expect([found.cells.length, found.channels?.[0]]).toEqual([1, 1]);
  });

  it("drops edges, saddles and flat ground", () => {
    const size = 7;
    const paint = (value: (x: number, y: number) => number) =>
      Float32Array.from({ length: size * size }, (_, i) => value(i % size, Math.floor(i / size)));
    // Curvatures 1 : ratio; the limit lies at 5.
    const ridge = (ratio: number) => paint((x, y) => 100 - (x - 3) ** 2 - (y - 3) ** 2 / ratio);
    const centre = 3 * size + 3;
    expect([...hardDetection(ridge(4.9), 1, size, size).cells]).toContain(centre);
    expect([...hardDetection(ridge(5.1), 1, size, size).cells]).not.toContain(centre);
    expect([
      ...hardDetection(
        paint((x) => 9 - (x - 3) ** 2),
        1,
        size,
        size,
      ).cells,
    ]).not.toContain(centre);
    const flat = hardDetection(new Float32Array(2 * size * size).fill(0), 2, size, size);
    expect(flat.cells).toHaveLength(0);
  });
});

describe("differences", () => {
  // 2 + 3x + 5y + x² − 2y² + 4xy on x, y = 0…4
  const [a, b, c, d, e, f] = [2, 3, 5, 1, -2, 4];
  const quadratic = Float32Array.from({ length: 25 }, (_, i) => {
    const [x, y] = [i % 5, Math.floor(i / 5)];
    return a + b * x + c * y + d * x * x + e * y * y + f * x * y;
  });

  it("are exact on a quadratic", () => {
    for (const [x, y] of [
      [1, 1],
      [3, 2],
    ]) {
      expect(hessianAt(quadratic, x, y, 5, 5)).toEqual([2 * e, 2 * d, f]);
      expect(gradientAt(quadratic, x, y, 5, 5)).toEqual([c + 2 * e * y + f * x, b + 2 * d * x + f * y]);
    }
  });

  it("take zeros outside the map", () => {
    expect(hessianAt(Float32Array.of(4), 0, 0, 1, 1)).toEqual([-8, -8, 0]);
    expect(gradientAt(Float32Array.of(1, 4), 1, 0, 2, 1)).toEqual([0, -0.5]);
    const corner = randomValues(4);
    expect(hessianAt(corner, 0, 0, 2, 2)[2]).toBeCloseTo(0.25 * corner[3], 6);
  });
});
