import { describe, expect, it } from "vitest";
import {
  eliminate,
  nullSpace,
  smallestEigenvector,
  svd3,
  symmetricEigen,
} from "../../../../src/geometry/robust/linear.js";
import { Random } from "../../../../src/random.js";

const random = new Random(1);
const drawn = (length: number) => Float64Array.from({ length }, () => random.normal());
const dot = (a: ArrayLike<number>, p: number, b: ArrayLike<number>, q: number, n: number, step = 1) =>
  Array.from({ length: n }, (_, k) => a[p + step * k] * b[q + step * k]).reduce((x, y) => x + y);

describe("nullSpace", () => {
  it("is orthonormal and sent to zero, of rows of any scale", () => {
    for (const rows of [5, 7]) {
      const matrix = drawn(9 * rows).map((value, k) => value * 10 ** (k % 9));
      const basis = new Float64Array(9 * (9 - rows));
      expect(nullSpace(matrix, rows, basis)).toBe(true);
      for (let b = 0; b < 9 - rows; b++) {
        for (let r = 0; r < rows; r++) {
          const size = Math.sqrt(dot(matrix, 9 * r, matrix, 9 * r, 9));
          expect(Math.abs(dot(matrix, 9 * r, basis, 9 * b, 9))).toBeLessThan(1e-13 * size);
        }
        for (let c = 0; c < 9 - rows; c++) expect(dot(basis, 9 * b, basis, 9 * c, 9)).toBeCloseTo(b === c ? 1 : 0, 13);
      }
    }
  });

  it("refuses rows that depend on each other", () => {
    const matrix = drawn(9 * 5);
    for (let k = 0; k < 9; k++) matrix[36 + k] = matrix[k] - 2 * matrix[9 + k];
    expect(nullSpace(matrix, 5, new Float64Array(36))).toBe(false);
    expect(nullSpace(new Float64Array(45), 5, new Float64Array(36))).toBe(false);
  });
});

describe("symmetricEigen, smallestEigenvector", () => {
  /** Σ values[k] · q_k q_kᵀ for an orthonormal q. */
  function withValues(values: number[]): Float64Array {
    const n = values.length;
    const vectors = new Float64Array(n * n);
    const seed = drawn(n * n);
    for (let k = 0; k < n * n; k++) seed[k] += seed[n * (k % n) + Math.floor(k / n)];
    symmetricEigen(seed, n, new Float64Array(n), vectors);
    return Float64Array.from({ length: n * n }, (_, k) =>
      values.reduce((sum, value, e) => sum + value * vectors[n * e + Math.floor(k / n)] * vectors[n * e + (k % n)], 0),
    );
  }

  it("finds values and vectors", () => {
    const wanted = [1e-9, 2, 2, 3, 5, 8, 13, 21, 1e6];
    const matrix = withValues(wanted);
    const [values, vectors] = [new Float64Array(9), new Float64Array(81)];
    symmetricEigen(matrix.slice(), 9, values, vectors);
    for (const [k, value] of [...values].sort((a, b) => a - b).entries())
      expect(Math.abs(value - wanted[k])).toBeLessThan(1e-8);
    for (let e = 0; e < 9; e++) {
      for (let r = 0; r < 9; r++) {
        expect(Math.abs(dot(matrix, 9 * r, vectors, 9 * e, 9) - values[e] * vectors[9 * e + r])).toBeLessThan(1e-8);
      }
    }
  });

  it("says when the smallest is not determined", () => {
    const vector = new Float64Array(9);
    expect(smallestEigenvector(withValues([0, 1, 1, 2, 3, 4, 5, 6, 7]), 1e-9, vector)).toBe(true);
    expect(smallestEigenvector(withValues([0, 0, 1, 2, 3, 4, 5, 6, 7]), 1e-9, vector)).toBe(false);
  });
});

describe("svd3", () => {
  const [u, s, v] = [new Float64Array(9), new Float64Array(3), new Float64Array(9)];
  const cases: [string, Float64Array][] = [
    ["any", drawn(9)],
    ["mirrored", Float64Array.of(-2, 0, 0, 0, 3, 0, 0, 0, 1)],
    ["of rank 2", Float64Array.of(1, 2, 3, 4, 5, 6, 5, 7, 9)],
    ["of rank 1", Float64Array.of(1, 2, 3, 2, 4, 6, 3, 6, 9)],
    ["zero", new Float64Array(9)],
    ["with columns of very different size", drawn(9).map((value, k) => value * 10 ** (-4 * (k % 3)))],
  ];
  it.each(cases)("a matrix %s: rotations, descending values, their product", (_, matrix) => {
    svd3(matrix, u, s, v);
    expect(s[0] >= s[1] && s[1] >= Math.abs(s[2])).toBe(true);
    for (const m of [u, v]) {
      for (let p = 0; p < 3; p++)
        for (let q = 0; q < 3; q++) expect(dot(m, p, m, q, 3, 3)).toBeCloseTo(p === q ? 1 : 0, 12);
      const determinant =
        m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
      expect(determinant).toBeCloseTo(1, 12);
    }
    for (let r = 0; r < 3; r++) {
      for (let c = 0; c < 3; c++) {
        const product =
          u[3 * r] * s[0] * v[3 * c] + u[3 * r + 1] * s[1] * v[3 * c + 1] + u[3 * r + 2] * s[2] * v[3 * c + 2];
        expect(Math.abs(product - matrix[3 * r + c])).toBeLessThan(1e-13 * (s[0] + 1));
      }
    }
  });
});

describe("eliminate", () => {
  it("solves, with zeros where pivots would stand, and refuses a singular matrix", () => {
    const matrix = drawn(4 * 6);
    matrix[0] = 0;
    const reduced = matrix.slice();
    expect(eliminate(reduced, 4, 6)).toBe(true);
    for (let r = 0; r < 4; r++) {
      for (const right of [4, 5]) {
        let sum = 0;
        for (let k = 0; k < 4; k++) sum += matrix[6 * r + k] * reduced[6 * k + right];
        expect(sum).toBeCloseTo(matrix[6 * r + right], 10);
      }
    }
    expect(eliminate(new Float64Array(24), 4, 6)).toBe(false);
  });
});
