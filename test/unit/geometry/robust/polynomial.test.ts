import { describe, expect, it } from "vitest";
import { realRoots } from "../../../../src/geometry/robust/polynomial.js";
import { Random } from "../../../../src/random.js";

/** The coefficients, lowest first, of a polynomial with these roots and pairs of complex ones a ± bi. */
function polynomial(real: number[], complex: [number, number][] = [], factor = 1): Float64Array {
  let coefficients = [factor];
  const times = (by: number[]) => {
    const product = new Array(coefficients.length + by.length - 1).fill(0);
    for (const [i, a] of coefficients.entries()) for (const [j, b] of by.entries()) product[i + j] += a * b;
    coefficients = product;
  };
  for (const root of real) times([-root, 1]);
  for (const [a, b] of complex) times([a * a + b * b, -2 * a, 1]);
  return Float64Array.from(coefficients);
}

function rootsOf(coefficients: Float64Array): number[] {
  const roots = new Float64Array(10);
  const count = realRoots(coefficients, coefficients.length - 1, roots);
  return [...roots.subarray(0, count)].sort((a, b) => a - b);
}

function expectRoots(found: number[], wanted: number[], digits = 1e-8) {
  expect(found.length).toBe(wanted.length);
  for (const [k, root] of [...wanted].sort((a, b) => a - b).entries()) {
    expect(Math.abs(found[k] - root)).toBeLessThan(digits * Math.max(1, Math.abs(root)));
  }
}

describe("realRoots", () => {
  it("finds roots inside and outside [-1, 1], at 0 and at ±1, and none that are complex", () => {
    expectRoots(rootsOf(polynomial([2])), [2]);
    expectRoots(rootsOf(polynomial([0, 0.5, -3])), [0, 0.5, -3]);
    expectRoots(rootsOf(polynomial([1, -1, 4], [[0, 1]], -7)), [1, -1, 4]);
    expectRoots(
      rootsOf(
        polynomial(
          [],
          [
            [0.3, 0.1],
            [2, 3],
          ],
        ),
      ),
      [],
    );
    expectRoots(rootsOf(polynomial([1e-6, 1e6, -1e3], [], 1e9)), [1e-6, 1e6, -1e3]);
    expectRoots(
      rootsOf(polynomial([-0.9, -0.5, -0.1, 0.2, 0.6, 0.95, 2, -4, 10, -20])),
      [-0.9, -0.5, -0.1, 0.2, 0.6, 0.95, 2, -4, 10, -20],
    );
  });

  it("finds the roots of random ones of every degree up to 10", () => {
    const random = new Random(1);
    for (let trial = 0; trial < 300; trial++) {
      const degree = 1 + random.integer(10);
      const real = Array.from(
        { length: degree % 2 ? 1 + 2 * random.integer((degree + 1) / 2) : 2 * random.integer(degree / 2 + 1) },
        (_, k) => Math.tan(-1.4 + (2.8 * (k + random.uniform(0.2, 0.8))) / 10),
      );
      const complex = Array.from({ length: (degree - real.length) / 2 }, (): [number, number] => [
        random.normal(),
        random.uniform(0.3, 2),
      ]);
      expectRoots(rootsOf(polynomial(real, complex, random.normal())), real, 1e-6);
    }
  });

  it("takes a double root, leading zeros and constants", () => {
    for (const root of rootsOf(polynomial([0.5, 0.5]))) expect(root).toBeCloseTo(0.5, 6);
    expect(rootsOf(polynomial([0.5, 0.5])).length).toBeGreaterThan(0);
    expectRoots(rootsOf(Float64Array.of(-2, 1, 0, 0)), [2]);
    expectRoots(rootsOf(Float64Array.of(3)), []);
    expectRoots(rootsOf(Float64Array.of(0, 0, 0)), []);
    expectRoots(rootsOf(Float64Array.of(0, 0, 1)), [0]);
  });
});
