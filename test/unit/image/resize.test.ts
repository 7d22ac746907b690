import { describe, expect, it } from "vitest";
import { LimitError, OptionError, ShapeError } from "../../../src/errors.js";
import type { Image } from "../../../src/image/image.js";
import { padImage } from "../../../src/image/pad.js";
import { fitScale, fitSize, resizeImage, resizeParts } from "../../../src/image/resize.js";
import { Random } from "../../../src/random.js";
import { readInParts } from "../../parts.js";

const make = (width: number, height: number, value: (x: number, y: number, c: number) => number): Image => {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) {
    data[i] = value(Math.floor(i / 3) % width, Math.floor(i / (3 * width)), i % 3);
  }
  return { width, height, data };
};
const noise = (width: number, height: number, seed = 1): Image => {
  const random = new Random(seed);
  return make(width, height, () => random.integer(256));
};

/** The triangle filter straight from its definition, in floating point, both axes at once. */
function slow(image: Image, width: number, height: number): Float64Array {
  const weights = (from: number, to: number) =>
    Array.from({ length: to }, (_, i) => {
      const scale = from / to;
      const radius = Math.max(1, scale);
      const row = Array.from({ length: from }, (_, j) =>
        Math.max(0, 1 - Math.abs(j - ((i + 0.5) * scale - 0.5)) / radius),
      );
      const sum = row.reduce((a, b) => a + b);
      return row.map((weight) => weight / sum);
    });
  const across = weights(image.width, width);
  const down = weights(image.height, height);
  return Float64Array.from({ length: 3 * width * height }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / (3 * width)), i % 3];
    let sum = 0;
    for (const [row, v] of down[y].entries()) {
      if (v === 0) continue;
      for (const [column, h] of across[x].entries()) sum += v * h * image.data[3 * (row * image.width + column) + c];
    }
    return sum;
  });
}

describe("resizeImage", () => {
  it.each([
    [13, 9, 7, 5],
    [13, 9, 26, 18],
    [16, 16, 8, 8],
    [5, 20, 20, 5],
    [31, 17, 1, 1],
    [1, 1, 9, 4],
    [2, 3, 3, 2],
    [40, 30, 39, 29],
    [64, 3, 3, 64],
  ])("%i×%i to %i×%i is the triangle filter, rounded", (w, h, width, height) => {
    const image = noise(w, h);
    const exact = slow(image, width, height);
    const { data } = resizeImage(image, width, height);
    let worst = 0;
    for (let i = 0; i < data.length; i++) worst = Math.max(worst, Math.abs(data[i] - exact[i]));
    expect(data.length).toBe(exact.length);
    expect(worst).toBeLessThan(0.56);
  });

  it("keeps a flat image flat, at any size, also when very many pixels become one", () => {
    for (const value of [0, 1, 127, 254, 255]) {
      for (const [w, h, width, height] of [
        [17, 11, 5, 3],
        [17, 11, 40, 50],
        [20_000, 1, 1, 1],
        [1, 9000, 7, 2],
      ]) {
        const { data } = resizeImage(
          make(w, h, () => value),
          width,
          height,
        );
        expect(data.every((sample) => sample === value)).toBe(true);
      }
    }
  });

  it("moves pixel centres by (p + 0.5)·s − 0.5", () => {
    // On a ramp interpolation is exact away from the border, so a value tells where it came from.
    const ramp = make(101, 60, (x, y, c) => (c === 0 ? 2 * x : c === 1 ? 4 * y : 0));
    for (const [width, height] of [
      [202, 120],
      [303, 180],
      [50, 30],
      [25, 20],
    ]) {
      const { data } = resizeImage(ramp, width, height);
      for (let y = 5; y < height - 5; y++) {
        for (let x = 5; x < width - 5; x++) {
          const at = 3 * (y * width + x);
          expect(Math.abs(data[at] - 2 * (((x + 0.5) * 101) / width - 0.5))).toBeLessThan(0.6);
          expect(Math.abs(data[at + 1] - 4 * (((y + 0.5) * 60) / height - 0.5))).toBeLessThan(0.6);
          expect(data[at + 2]).toBe(0);
        }
      }
    }
  });

  it("is antialiased: a fine checkerboard becomes grey, not a pattern", () => {
    const { data } = resizeImage(
      make(256, 256, (x, y) => ((x + y) % 2) * 255),
      60,
      60,
    );
    const inside = data.filter((_, i) => {
      const [x, y] = [Math.floor(i / 3) % 60, Math.floor(i / 180)];
      return x > 1 && x < 58 && y > 1 && y < 58;
    });
    expect(Math.min(...inside)).toBeGreaterThan(110);
    expect(Math.max(...inside)).toBeLessThan(145);
  });

  it("commutes with mirroring and transposing", () => {
    const image = noise(23, 14, 5);
    const mirror = (a: Image) => make(a.width, a.height, (x, y, c) => a.data[3 * (y * a.width + a.width - 1 - x) + c]);
    const small = resizeImage(image, 9, 6);
    const mirrored = mirror(resizeImage(mirror(image), 9, 6));
    const difference = small.data.map((value, i) => Math.abs(value - mirrored.data[i]));
    // Running sums are rounded from the left; mirrored they may round the other way.
    expect(Math.max(...difference)).toBeLessThanOrEqual(1);
    expect(resizeImage(image, 23, 14)).toEqual(image);
    expect(resizeImage(image, 23, 14).data).not.toBe(image.data);
  });

  it("refuses sizes that are none", () => {
    const image = noise(2, 2);
    for (const [width, height] of [
      [0, 1],
      [1, -1],
      [1.5, 1],
      [Number.NaN, 1],
    ]) {
      expect(() => resizeImage(image, width, height)).toThrow(ShapeError);
    }
    expect(() => resizeImage(image, 100_000, 100_000)).toThrow(LimitError);
    expect(() => resizeImage({ ...image, width: 3 }, 1, 1)).toThrow(ShapeError);
  });
});

describe("fitScale and fitSize", () => {
  it("obey both limits and never enlarge", () => {
    expect(fitScale(640, 480, {})).toBe(1);
    expect(fitScale(640, 480, { maxEdge: 1600, maxSumEdges: 2800 })).toBe(1);
    expect(fitScale(3200, 100, { maxEdge: 1600, maxSumEdges: 2800 })).toBe(0.5);
    expect(fitScale(100, 3200, { maxEdge: 1600 })).toBe(0.5);
    expect(fitScale(1600, 1600, { maxEdge: 1600, maxSumEdges: 2800 })).toBe(0.875);
    expect(fitScale(4000, 3000, { maxSumEdges: 2800 })).toBe(0.4);
    const random = new Random(3);
    for (let round = 0; round < 2000; round++) {
      const [w, h] = [1 + random.integer(9000), 1 + random.integer(9000)];
      const limits = { maxEdge: 2 + random.integer(4000), maxSumEdges: 4 + random.integer(6000) };
      const [width, height] = fitSize(w, h, limits);
      expect(Math.max(width, height)).toBeLessThanOrEqual(Math.min(limits.maxEdge, Math.max(w, h)));
      expect(width + height).toBeLessThanOrEqual(Math.max(limits.maxSumEdges, 2));
      expect(Math.min(width, height)).toBeGreaterThanOrEqual(1);
      expect(Math.abs(width - Math.max(1, w * fitScale(w, h, limits)))).toBeLessThanOrEqual(1);
    }
  });

  it("lose no pixel to rounding and refuse nonsense", () => {
    for (let edge = 1601; edge < 6000; edge++) expect(fitSize(edge, 1, { maxEdge: 1600 })).toEqual([1600, 1]);
    expect(fitSize(7, 5, {})).toEqual([7, 5]);
    for (const maxEdge of [0, -1, Number.NaN]) expect(() => fitScale(1, 1, { maxEdge })).toThrow(OptionError);
    expect(() => fitScale(1, 1, { maxSumEdges: 0 })).toThrow(/maxSumEdges/);
  });
});

describe("resizeParts", () => {
  it("gives what resizeImage gives, of rows that are read once", () => {
    const image = noise(2100, 1200, 3);
    for (const [width, height] of [
      [700, 411],
      [90, 1200],
      [2100, 1200],
      [2200, 3],
    ]) {
      const parts = readInParts(image);
      expect(resizeParts(parts, width, height)).toEqual(resizeImage(image, width, height));
      expect(parts.asked.reduce((sum, pixels) => sum + pixels)).toBe(2100 * 1200);
      if (width !== 2100) expect(parts.asked.length).toBeGreaterThan(1);
    }
  });
});

describe("padImage", () => {
  it("repeats the last column and row, to the right and below", () => {
    const image = noise(5, 3, 9);
    const padded = padImage(image, 4);
    expect([padded.width, padded.height]).toEqual([8, 4]);
    expect(padded).toEqual(make(8, 4, (x, y, c) => image.data[3 * (Math.min(y, 2) * 5 + Math.min(x, 4)) + c]));
    expect(padImage(noise(1, 1), 32).data.length).toBe(3 * 32 * 32);
  });

  it("leaves an image that fits as it is, and refuses nonsense", () => {
    const image = noise(8, 4);
    expect(padImage(image, 4)).toBe(image);
    expect(padImage(image, 1)).toBe(image);
    for (const multiple of [0, -2, 1.5]) expect(() => padImage(image, multiple)).toThrow(OptionError);
  });
});
