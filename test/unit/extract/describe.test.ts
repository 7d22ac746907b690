import { describe, expect, it } from "vitest";
import { cornersInside, normalizeRows, Sampler } from "../../../src/extract/describe.js";
import { randomValues } from "../../networks.js";

/** Samples one map of `dim` channels at the positions. */
function sample(
  map: { data: Float32Array; width: number; height: number },
  dim: number,
  positions: number[],
  scale?: readonly [number, number, number, number],
  scores?: Float32Array,
): Float32Array {
  const sampler = new Sampler(positions.length / 2);
  sampler.place(Float64Array.from(positions), map, scale, scores);
  const out = new Float32Array((positions.length / 2) * dim);
  sampler.add(map, dim, out);
  return out;
}

const [width, height] = [6, 4];
const ramp = {
  width,
  height,
  data: Float32Array.from({ length: 2 * width * height }, (_, i) => {
    const cell = i % (width * height);
    const [x, y] = [cell % width, Math.floor(cell / width)];
    return i < width * height ? 3 + 2 * x - 5 * y : x * y;
  }),
};

describe("Sampler", () => {
  it("is exact on planes, and bilinear between", () => {
    const positions = [0, 0, 5, 3, 2.5, 1.25, 4.75, 0.5];
    const out = sample(ramp, 2, positions);
    for (let k = 0; k < 4; k++) {
      const [x, y] = [positions[2 * k], positions[2 * k + 1]];
      expect(out[2 * k]).toBeCloseTo(3 + 2 * x - 5 * y, 5);
      expect(out[2 * k + 1]).toBeCloseTo(x * y, 5);
    }
  });

  it("counts corners outside the map as zeros", () => {
    const one = { width: 1, height: 1, data: Float32Array.of(8) };
    expect([...sample(one, 1, [0, 0, 0.25, 0, -0.5, 0.5, 1, 0, -1, 0, 0, 1, 9, -9])]).toEqual([8, 6, 2, 0, 0, 0, 0]);
    // Nothing leaks in from the next row.
    const rows = { width: 2, height: 2, data: Float32Array.of(1, 0, 100, 100) };
    expect([...sample(rows, 1, [1.5, 0, -0.5, 0])]).toEqual([0, 0.5]);
  });

  it("maps positions into the map's cells", () => {
    // A map of half the size: (p + 0.5) / 2 − 0.5.
    const half = { width: 2, height: 2, data: Float32Array.of(0, 1, 2, 3) };
    expect([...sample(half, 1, [0.5, 0.5, 2.5, 0.5, 1.5, 1.5], [0.5, 0.5, -0.25, -0.25])]).toEqual([0, 1, 1.5]);
  });

  it("scales each corner by its score", () => {
    const map = { width: 2, height: 1, data: Float32Array.of(4, 8) };
    expect([...sample(map, 1, [0.5, 0, 0, 0, 1, 0], [1, 1, 0, 0], Float32Array.of(0.5, 0.25))]).toEqual([2, 2, 2]);
  });

  it("adds to what is there, so that maps of several sizes can be summed", () => {
    const sampler = new Sampler(2);
    const out = new Float32Array(4);
    const positions = Float32Array.of(1, 1, 2, 3);
    sampler.place(positions, ramp);
    sampler.add(ramp, 2, out);
    const once = out.slice();
    sampler.add(ramp, 2, out);
    expect(out).toEqual(once.map((v) => 2 * v));
    expect(new Sampler(0).add(ramp, 2, new Float32Array(0))).toBeUndefined();
  });
});

describe("cornersInside", () => {
  it.each<[number, number, boolean]>([
    [0, 0, true],
    [5, 3, true],
    [4.999, 2.001, true],
    [5.001, 3, false],
    [5, 3.001, false],
    [-0.001, 0, false],
    [0, -0.001, false],
    [Number.NaN, 0, false],
  ])("(%d, %d) in 6×4: %s", (x, y, inside) => {
    expect(cornersInside(x, y, width, height)).toBe(inside);
  });
});

describe("normalizeRows", () => {
  it("gives each row unit length, in place, and leaves zeros alone", () => {
    const rows = Float32Array.of(3, 4, 0, 0, 0, 0, 1e-20, 0, 0, -2, 2, 1);
    expect(normalizeRows(rows, 3)).toBe(rows);
    const expected = [0.6, 0.8, 0, 0, 0, 0, 1e-8, 0, 0, -2 / 3, 2 / 3, 1 / 3];
    rows.forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i], 6);
    });
    expect(normalizeRows(new Float32Array(0), 3)).toHaveLength(0);
  });

  it("does so for any row", () => {
    const rows = normalizeRows(randomValues(64 * 20), 64);
    for (let k = 0; k < 20; k++) expect(Math.hypot(...rows.subarray(64 * k, 64 * (k + 1)))).toBeCloseTo(1, 5);
  });
});
