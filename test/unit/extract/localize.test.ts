import { describe, expect, it } from "vitest";
import { newtonStep, softArgmax } from "../../../src/extract/localize.js";
import { Random } from "../../../src/random.js";

const SIZE = 7;
const paint = (value: (x: number, y: number) => number) =>
  Float32Array.from({ length: SIZE * SIZE }, (_, i) => value(i % SIZE, Math.floor(i / SIZE)));
const step = new Float64Array(2);

describe("newtonStep", () => {
  it("finds the extremum of a quadratic exactly", () => {
    const random = new Random(3);
    for (let round = 0; round < 50; round++) {
      const [dx, dy] = [random.uniform(-0.45, 0.45), random.uniform(-0.45, 0.45)];
      const [p, q, r] = [random.uniform(1, 3), random.uniform(1, 3), random.uniform(-0.9, 0.9)];
      const sign = round % 2 ? 1 : -1;
      const map = paint((x, y) => {
        const [u, v] = [x - 3 - dx, y - 3 - dy];
        return sign * (p * u * u + q * v * v + r * u * v);
      });
      expect(newtonStep(map, 3, 3, SIZE, SIZE, step)).toBe(true);
      expect(step[0]).toBeCloseTo(dx, 5);
      expect(step[1]).toBeCloseTo(dy, 5);
    }
  });

  it("refuses a step that leaves the cell, on either axis", () => {
    const hill = (dx: number, dy: number) => paint((x, y) => -((x - 3 - dx) ** 2) - (y - 3 - dy) ** 2);
    expect(newtonStep(hill(0.51, 0), 3, 3, SIZE, SIZE, step)).toBe(false);
    expect(newtonStep(hill(0, -0.51), 3, 3, SIZE, SIZE, step)).toBe(false);
    expect(newtonStep(hill(0.5, 0), 3, 3, SIZE, SIZE, step)).toBe(false);
    expect(newtonStep(hill(0.49, -0.49), 3, 3, SIZE, SIZE, step)).toBe(true);
  });

  it("refuses flat ground, slopes and ridges, whose Hessian has no inverse", () => {
    for (const map of [paint(() => 0), paint(() => 5), paint((x) => x), paint((x) => -((x - 3) ** 2))]) {
      expect(newtonStep(map, 3, 3, SIZE, SIZE, step)).toBe(false);
    }
    expect(newtonStep(Float32Array.of(Number.NaN), 0, 0, 1, 1, step)).toBe(false);
  });
});

describe("softArgmax", () => {
  const at = (map: Float32Array, x: number, y: number, radius = 2) => {
    softArgmax(map, x, y, SIZE, SIZE, SIZE, radius, step);
    return [...step];
  };

  it("stays where the window is symmetric, whatever lies there before", () => {
    step.fill(9);
    const [x, y] = at(
      paint((u, v) => Math.exp(-((u - 3) ** 2) - (v - 3) ** 2)),
      3,
      3,
    );
    expect(x).toBeCloseTo(0, 12);
    expect(y).toBeCloseTo(0, 12);
    for (const value of at(
      paint(() => 0.4),
      3,
      3,
    ))
      expect(value).toBeCloseTo(0, 12);
  });

  it("goes towards the heavier side, mirrored where the map is mirrored, never out of the window", () => {
    const hill = (dx: number) => paint((u, v) => Math.exp(-0.5 * ((u - 3 - dx) ** 2 + (v - 3) ** 2)));
    const [right] = at(hill(0.4), 3, 3);
    expect(right).toBeGreaterThan(0.05);
    expect(right).toBeLessThan(1);
    expect(at(hill(-0.4), 3, 3)[0]).toBeCloseTo(-right, 6);
    const random = new Random(1);
    for (let round = 0; round < 20; round++) {
      const map = paint(() => random.uniform());
      for (const value of at(map, random.integer(SIZE), random.integer(SIZE))) expect(Math.abs(value)).toBeLessThan(2);
    }
  });

  it("is the mean that defines it, with a temperature of a tenth of the peak", () => {
    const map = paint((u, v) => (u === 4 && v === 3 ? 0.9 : u === 3 && v === 3 ? 1 : 0));
    const [side, ground] = [Math.exp(-1), Math.exp(-10)];
    expect(at(map, 3, 3, 1)[0]).toBeCloseTo((side - ground) / (1 + side + 7 * ground), 6);
    // It does not matter how high the map is.
    const low = map.map((v) => v / 1000);
    expect(at(low, 3, 3, 1)[0]).toBeCloseTo(at(map, 3, 3, 1)[0], 4);
  });

  it("counts cells outside the map as zeros, and not what lies beyond the width in memory", () => {
    // Symmetric about the corner but for the cells outside: those pull evenly.
    const corner = paint((u, v) => (u === 0 && v === 0 ? 1 : 0));
    for (const value of at(corner, 0, 0)) expect(value).toBeCloseTo(0, 12);
    const wide = Float32Array.of(0.5, 1, 77, 0.5, 1, 77);
    softArgmax(wide, 1, 0, 2, 2, 3, 1, step);
    const [near, none] = [Math.exp(-5), Math.exp(-10)];
    const total = 2 + 2 * near + 5 * none;
    expect(step[0]).toBeCloseTo((-2 * near - none + 3 * none) / total, 6);
    expect(step[1]).toBeCloseTo((1 + near + none - 3 * none) / total, 6);
  });
});
