/** Row-major 3×3 matrices as maps of the plane: products, inverses, and points carried through them. */
import { checkNumbers, checkSize } from "../check.js";
import { ShapeError } from "../errors.js";

/** Nine numbers, row by row. */
export type Matrix3 = ArrayLike<number>;

/** `second`·`first`: the map that applies `first`, then `second`. */
export function compose(second: Matrix3, first: Matrix3): Float64Array {
  checkMatrix("compose", second);
  checkMatrix("compose", first);
  const product = new Float64Array(9);
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 3; column++) {
      for (let k = 0; k < 3; k++) product[3 * row + column] += second[3 * row + k] * first[3 * k + column];
    }
  }
  return product;
}

/** The inverse by the adjugate, scaled so that its last entry is 1 where that is not 0; null for a singular matrix. */
export function inverse3x3(matrix: Matrix3): Float64Array | null {
  checkMatrix("inverse3x3", matrix);
  const [a, b, c, d, e, f, g, h, i] = Array.from(matrix);
  const cofactor = e * i - f * h;
  const determinant = a * cofactor - b * (d * i - f * g) + c * (d * h - e * g);
  if (!Number.isFinite(determinant) || determinant === 0) return null;
  const inverse = Float64Array.of(
    cofactor / determinant,
    (c * h - b * i) / determinant,
    (b * f - c * e) / determinant,
    (f * g - d * i) / determinant,
    (a * i - c * g) / determinant,
    (c * d - a * f) / determinant,
    (d * h - e * g) / determinant,
    (b * g - a * h) / determinant,
    (a * e - b * d) / determinant,
  );
  return normalized(inverse) ?? inverse;
}

/** Rows as columns. */
export function transposed(matrix: Matrix3): Float64Array {
  checkMatrix("transposed", matrix);
  const [a, b, c, d, e, f, g, h, i] = Array.from(matrix);
  return Float64Array.of(a, d, g, b, e, h, c, f, i);
}

/** `matrix` divided by its last entry; null when that is 0 or any entry is not finite. */
export function normalized(matrix: Matrix3): Float64Array | null {
  const scaled = Float64Array.from(matrix, (value) => value / matrix[8]);
  return scaled.length === 9 && scaled.every(Number.isFinite) ? scaled : null;
}

/** Where the homography takes `points` (x0, y0, x1, y1, …). A point on the vanishing line becomes ±Infinity or NaN. */
export function projectPoints(homography: Matrix3, points: ArrayLike<number>): Float64Array {
  checkMatrix("projectPoints", homography);
  checkNumbers("projectPoints", "points", points);
  if (points.length % 2) throw new ShapeError(`projectPoints: points come as x, y pairs, got ${points.length} numbers`);
  const projected = new Float64Array(points.length);
  for (let k = 0; k < points.length; k += 2) {
    const x = points[k];
    const y = points[k + 1];
    const w = homography[6] * x + homography[7] * y + homography[8];
    projected[k] = (homography[0] * x + homography[1] * y + homography[2]) / w;
    projected[k + 1] = (homography[3] * x + homography[4] * y + homography[5]) / w;
  }
  return projected;
}

/** The centres of an image's four corner pixels, clockwise from the top left: x0, y0, …; `size` = [width, height]. */
export function imageCorners(size: readonly [number, number]): Float64Array {
  checkSize("imageCorners", "size", size);
  const [width, height] = size;
  return Float64Array.of(0, 0, width - 1, 0, width - 1, height - 1, 0, height - 1);
}

/** A ShapeError unless it is nine numbers. */
export function checkMatrix(where: string, matrix: Matrix3): void {
  checkNumbers(where, "a 3×3 matrix", matrix);
  if (matrix.length !== 9) throw new ShapeError(`${where}: a 3×3 matrix has 9 numbers, got ${matrix.length}`);
}

export function determinant3x3(h: ArrayLike<number>): number {
  return h[0] * (h[4] * h[8] - h[5] * h[7]) - h[1] * (h[3] * h[8] - h[5] * h[6]) + h[2] * (h[3] * h[7] - h[4] * h[6]);
}
