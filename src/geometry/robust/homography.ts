/**
 * The homography as a model of the robust estimator. Four correspondences determine it; the closed form goes through the
 * projective basis that they are (Hartley and Zisserman, Multiple View Geometry, 2004, example 2.12): with p4 and q4 as
 * origins, H = Σ μₖ qₖ (pᵢ × pⱼ)ᵀ over the other three, where μₖ compares the areas of two triangles in both images.
 *
 * Those areas also tell samples that no camera can see: what is in front of it keeps the sense of every triangle, or,
 * where one image is mirrored, changes the sense of every one (Chum, Werner, Matas 2004).
 */
import { determinant3x3 } from "../matrix3.js";
import { fitHomography } from "./homography-fit.js";
import { type RobustModel, STRIDE } from "./model.js";

/** Least area of a triangle of a sample over its longest side squared: float32 keypoints on a line reach 1e-6. */
const LEAST_AREA = 1e-5;

/** Twice the signed areas of the triangles (2 3 4), (3 1 4), (1 2 4), (1 2 3) of a sample, in image 1 and in image 2. */
const areas = new Float64Array(8);

export const homographyModel: RobustModel = {
  name: "homography",
  sampleSize: 4,
  mostSolutions: 1,

  isSampleGood(points, sample) {
    if (!writeAreas(points, sample, 0) || !writeAreas(points, sample, 2)) return false;
    const sense = areas[0] * areas[4];
    for (let k = 1; k < 4; k++) if (!(areas[k] * areas[4 + k] * sense > 0)) return false;
    return true;
  },

  solve(points, sample, models) {
    if (!writeAreas(points, sample, 0) || !writeAreas(points, sample, 2)) return 0;
    const last = STRIDE * sample[3];
    const [originX, originY, originU, originV] = [points[last], points[last + 1], points[last + 2], points[last + 3]];
    models.fill(0, 0, 9);
    for (let k = 0; k < 3; k++) {
      // The line through the other two points: 0 at both of them.
      const i = STRIDE * sample[(k + 1) % 3];
      const j = STRIDE * sample[(k + 2) % 3];
      const [xi, yi] = [points[i] - originX, points[i + 1] - originY];
      const [xj, yj] = [points[j] - originX, points[j + 1] - originY];
      const [lineX, lineY, line] = [yi - yj, xj - xi, xi * yj - xj * yi];
      const share = areas[4 + k] / areas[k];
      const at = STRIDE * sample[k];
      const u = share * (points[at + 2] - originU);
      const v = share * (points[at + 3] - originV);
      models[0] += u * lineX;
      models[1] += u * lineY;
      models[2] += u * line;
      models[3] += v * lineX;
      models[4] += v * lineY;
      models[5] += v * line;
      models[6] += share * lineX;
      models[7] += share * lineY;
      models[8] += share * line;
    }
    // Back from the origins to pixels: T₂⁻¹ · H · T₁.
    for (let row = 0; row < 9; row += 3) models[row + 2] -= models[row] * originX + models[row + 1] * originY;
    for (let column = 0; column < 3; column++) {
      models[column] += originU * models[6 + column];
      models[3 + column] += originV * models[6 + column];
    }
    return 1;
  },

  fit: fitHomography,

  squaredErrors(model, offset, points, errors) {
    const h0 = model[offset];
    const h1 = model[offset + 1];
    const h2 = model[offset + 2];
    const h3 = model[offset + 3];
    const h4 = model[offset + 4];
    const h5 = model[offset + 5];
    const h6 = model[offset + 6];
    const h7 = model[offset + 7];
    const h8 = model[offset + 8];
    for (let i = 0, at = 0; i < errors.length; i++, at += STRIDE) {
      const x = points[at];
      const y = points[at + 1];
      const depth = h6 * x + h7 * y + h8;
      const dx = (h0 * x + h1 * y + h2) / depth - points[at + 2];
      const dy = (h3 * x + h4 * y + h5) / depth - points[at + 3];
      const error = dx * dx + dy * dy;
      errors[i] = error >= 0 ? error : Infinity; // NaN on the vanishing line
    }
  },

  pairFactors(h, points, factors) {
    const determinant = determinant3x3(h);
    for (let i = 0, at = 0; i < factors.length; i++, at += STRIDE) {
      const depth = h[6] * points[at] + h[7] * points[at + 1] + h[8];
      // An error of image 1 reaches image 2 enlarged as areas are there, on average over directions.
      factors[i] = 1 / (1 + Math.abs(determinant / (depth * depth * depth)));
    }
  },
};

/** The areas of a sample's triangles in one image (`at` 0 or 2 within a pair); false where three points lie on a line. */
function writeAreas(points: Float64Array, sample: Int32Array, at: 0 | 2): boolean {
  const i = STRIDE * sample[0] + at;
  const j = STRIDE * sample[1] + at;
  const k = STRIDE * sample[2] + at;
  const l = STRIDE * sample[3] + at;
  const x1 = points[i] - points[l];
  const y1 = points[i + 1] - points[l + 1];
  const x2 = points[j] - points[l];
  const y2 = points[j + 1] - points[l + 1];
  const x3 = points[k] - points[l];
  const y3 = points[k + 1] - points[l + 1];
  const to = 2 * at;
  areas[to] = x2 * y3 - x3 * y2;
  areas[to + 1] = x3 * y1 - x1 * y3;
  areas[to + 2] = x1 * y2 - x2 * y1;
  areas[to + 3] = areas[to] + areas[to + 1] + areas[to + 2];
  const side1 = x1 * x1 + y1 * y1;
  const side2 = x2 * x2 + y2 * y2;
  const side3 = x3 * x3 + y3 * y3;
  // Longest side of each triangle: those at point 4, and those across from it, at most twice as long.
  const longest = Math.max(side1, side2, side3);
  const least = LEAST_AREA * longest;
  return (
    Math.abs(areas[to]) > least &&
    Math.abs(areas[to + 1]) > least &&
    Math.abs(areas[to + 2]) > least &&
    Math.abs(areas[to + 3]) > least
  );
}
