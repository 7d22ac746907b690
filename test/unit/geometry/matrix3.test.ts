import { describe, expect, it } from "vitest";
import { ShapeError } from "../../../src/errors.js";
import { cornerError } from "../../../src/geometry/corner-error.js";
import { compose, imageCorners, inverse3x3, normalized, projectPoints } from "../../../src/geometry/matrix3.js";
import { Random } from "../../../src/random.js";

const identity = [1, 0, 0, 0, 1, 0, 0, 0, 1];
const tilted = [0.9, 0.31, -39, -0.18, 0.94, 153, 2e-4, -1.6e-5, 1];
const expectClose = (found: ArrayLike<number> | null, wanted: ArrayLike<number>, digits = 9) => {
  expect(found).not.toBeNull();
  expect(found!.length).toBe(wanted.length);
  Array.from(wanted).forEach((value, k) => {
    expect(found![k]).toBeCloseTo(value, digits);
  });
};

describe("3×3 matrices", () => {
  it("inverse ∘ forward is the identity, on matrices and on points", () => {
    const random = new Random(1);
    for (let k = 0; k < 50; k++) {
      const matrix = tilted.map((value) => value * random.uniform(0.8, 1.2));
      const inverse = inverse3x3(matrix)!;
      expect(inverse[8]).toBe(1);
      expectClose(normalized(compose(inverse, matrix)), identity);
      const points = Array.from({ length: 20 }, () => random.uniform(0, 500));
      expectClose(projectPoints(inverse, projectPoints(matrix, points)), points, 6);
    }
  });

  it("composes in the order second, first", () => {
    const shift = [1, 0, 10, 0, 1, -4, 0, 0, 1];
    const double = [2, 0, 0, 0, 2, 0, 0, 0, 1];
    expectClose(projectPoints(compose(double, shift), [1, 2]), [22, -4]);
    expectClose(projectPoints(compose(shift, double), [1, 2]), [12, 0]);
  });

  it("projects the known case and divides by the third coordinate", () => {
    expectClose(projectPoints([1, 0, 0, 0, 1, 0, 0.01, 0, 1], [100, 50]), [50, 25]);
    expectClose(projectPoints(identity, [3, 4, 5, 6]), [3, 4, 5, 6]);
  });

  it("has no inverse for a singular matrix, and none that is not finite", () => {
    expect(inverse3x3([1, 2, 3, 2, 4, 6, 0, 0, 1])).toBeNull();
    expect(inverse3x3(new Float64Array(9))).toBeNull();
    expect(inverse3x3([Number.NaN, 0, 0, 0, 1, 0, 0, 0, 1])).toBeNull();
    // An inverse whose last entry is 0 exists, but cannot be scaled to 1.
    expectClose(inverse3x3([0, 0, 1, 0, 1, 0, 1, 0, 0]), [0, 0, 1, 0, 1, 0, 1, 0, 0]);
    expect(normalized([1, 0, 0, 0, 1, 0, 0, 0, 0])).toBeNull();
    expect(normalized([])).toBeNull();
  });

  it("refuses other shapes", () => {
    expect(() => projectPoints(identity, [1, 2, 3])).toThrow(ShapeError);
    expect(() => projectPoints([1, 2], [1, 2])).toThrow(/9 numbers, got 2/);
    expect(() => compose(identity, [1])).toThrow(ShapeError);
    expect(() => inverse3x3([])).toThrow(ShapeError);
  });
});

describe("cornerError", () => {
  it("is 0 for equal matrices, also when scaled", () => {
    expect(cornerError(tilted, tilted, [800, 640])).toBe(0);
    expect(
      cornerError(
        tilted.map((v) => v * -3),
        tilted,
        [800, 640],
      ),
    ).toBeLessThan(1e-9);
  });

  it("is the length of a translation", () => {
    expect(cornerError([1, 0, 3, 0, 1, 4, 0, 0, 1], identity, [640, 480])).toBeCloseTo(5, 12);
  });

  it("averages over the centres of the corner pixels", () => {
    expect([...imageCorners([5, 3])]).toEqual([0, 0, 4, 0, 4, 2, 0, 2]);
    // Twice as wide: the two right corners are 4 px off, the left ones not at all.
    expect(cornerError([2, 0, 0, 0, 1, 0, 0, 0, 1], identity, [5, 3])).toBeCloseTo(2, 12);
  });

  it("is infinite without an estimate and for corners at infinity", () => {
    expect(cornerError(null, identity, [5, 3])).toBe(Infinity);
    expect(cornerError([1, 0, 0, 0, 1, 0, 1, 0, 0], identity, [5, 3])).toBe(Infinity);
  });
});
