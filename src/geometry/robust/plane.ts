/**
 * Matrices of two views where most pairs lie on one plane. A fundamental matrix then is open: five of a sample's seven pairs
 * on the plane and the other two, right or wrong, give one that many pairs agree with (Chum, Werner, Matas, CVPR 2005,
 * DEGENSAC). The plane's homography H and two right pairs off it determine the right one: F = [e]× H, with the epipole e
 * where lines from H x₁ to x₂ meet. Of an essential matrix the plane leaves two; both follow from H (Ma, Soatto,
 * Košecká, Sastry 2003, 5.3.3), and the pairs off the plane choose.
 */
import { estimateModel } from "./estimate.js";
import { fundamentalModel, writeUnit } from "./fundamental.js";
import { homographyModel } from "./homography.js";
import { svd3 } from "./linear.js";
import { type RobustModel, STRIDE } from "./model.js";
import { Refiner } from "./refine.js";
import { type Conditioning, sampsonErrors } from "./sampson.js";
import { KERNELS, supportOf } from "./score.js";

/** Share of a matrix's inliers on one plane from which on the plane may be all that it says. */
const DOMINANT = 0.5;
/** Samples after which a plane that holds such a share was drawn, but for a chance of 1 in 10 000. */
const PLANE_SAMPLES = Math.ceil(Math.log(1e-4) / Math.log1p(-(DOMINANT ** 4)));
/** Distance in image 2 of pairs on the plane, in units of the threshold for Sampson's error, which has one coordinate less. */
const PLANE_THRESHOLD = 1.5;

/** Of the options of the estimation. */
export interface PlaneOptions {
  threshold: number;
  confidence: number;
  maxIterations: number;
  seed: number;
}

/** The fundamental matrix `found`, or what a dominant plane and two pairs off it give, where more pairs support that. */
export function fundamentalBesidePlane(
  points: Float64Array,
  found: Float64Array,
  options: PlaneOptions,
  scores: Float64Array | null,
): Float64Array {
  const plane = dominantPlane(fundamentalModel, points, found, options);
  if (!plane) return found;
  const errors = new Float64Array(points.length / STRIDE);
  homographyModel.squaredErrors(plane, 0, points, errors);
  const limit = (PLANE_THRESHOLD * options.threshold) ** 2;
  const off = indicesWhere(errors, (error) => error > limit);
  const beside = estimateModel(parallaxModel(plane), chosen(points, off), {
    ...options,
    kernel: "magsac",
    scores: scores && Float64Array.from(off, (i) => scores[i]),
  });
  return beside ? better(fundamentalModel, points, found, [beside.model], options) : found;
}

/** The essential matrix `found`, or the best of those that a dominant plane allows, where more pairs support it. */
export function essentialOfPlane(
  model: RobustModel,
  conditioning: Conditioning,
  points: Float64Array,
  found: Float64Array,
  options: PlaneOptions,
): Float64Array {
  const plane = dominantPlane(model, points, found, options);
  return plane ? better(model, points, found, essentialsOf(plane, conditioning), options) : found;
}

/** The homography of at least half of a matrix's inliers, if there is one. */
function dominantPlane(
  model: RobustModel,
  points: Float64Array,
  found: Float64Array,
  options: PlaneOptions,
): Float64Array | null {
  const errors = new Float64Array(points.length / STRIDE);
  model.squaredErrors(found, 0, points, errors);
  const limit = options.threshold ** 2;
  const inliers = indicesWhere(errors, (error) => error <= limit);
  const threshold = PLANE_THRESHOLD * options.threshold;
  const maxIterations = Math.min(PLANE_SAMPLES, options.maxIterations);
  const plane = estimateModel(homographyModel, chosen(points, inliers), {
    ...options,
    threshold,
    maxIterations,
    kernel: "magsac",
    scores: null,
  });
  if (!plane) return null;
  homographyModel.squaredErrors(plane.model, 0, points, errors);
  const on = inliers.filter((i) => errors[i] <= threshold * threshold).length;
  return on >= DOMINANT * inliers.length ? plane.model : null;
}

/** Of `found` and the refined others the one that most pairs support. */
function better(
  model: RobustModel,
  points: Float64Array,
  found: Float64Array,
  others: readonly Float64Array[],
  { threshold }: PlaneOptions,
): Float64Array {
  const errors = new Float64Array(points.length / STRIDE);
  model.squaredErrors(found, 0, points, errors);
  let support = supportOf(KERNELS.magsac, errors, errors.length, threshold);
  const refiner = new Refiner(model, points, errors, threshold);
  let best = found;
  for (const other of others) {
    const its = refiner.optimize(KERNELS.magsac, other);
    if (!(its > support)) continue;
    support = its;
    best = other;
  }
  if (best !== found) refiner.polish(best);
  return best;
}

/** Fundamental matrices that agree with a plane, as a model of the robust estimator: two pairs off it determine one. */
function parallaxModel(plane: Float64Array): RobustModel {
  const lines = new Float64Array(6);
  const matrix = new Float64Array(9);
  return {
    name: "fundamental",
    sampleSize: 2,
    mostSolutions: 1,
    isSampleGood: () => true,
    solve(points, sample, models) {
      for (let i = 0; i < 2; i++) {
        const k = STRIDE * sample[i];
        const x = points[k];
        const y = points[k + 1];
        const w = plane[6] * x + plane[7] * y + plane[8];
        const px = (plane[0] * x + plane[1] * y + plane[2]) / w;
        const py = (plane[3] * x + plane[4] * y + plane[5]) / w;
        // The line through H x₁ and x₂.
        lines[3 * i] = py - points[k + 3];
        lines[3 * i + 1] = points[k + 2] - px;
        lines[3 * i + 2] = px * points[k + 3] - py * points[k + 2];
      }
      const ex = lines[1] * lines[5] - lines[2] * lines[4];
      const ey = lines[2] * lines[3] - lines[0] * lines[5];
      const ez = lines[0] * lines[4] - lines[1] * lines[3];
      writeCross(ex, ey, ez, plane, matrix);
      writeUnit(matrix, models, 0);
      return Number.isFinite(models[0]) ? 1 : 0;
    },
    // Pairs off the plane alone do not hold it: the refit of all pairs comes afterwards.
    fit: () => false,
    squaredErrors: sampsonErrors,
  };
}

/** [e]× · m. */
function writeCross(ex: number, ey: number, ez: number, m: ArrayLike<number>, into: Float64Array): void {
  for (let c = 0; c < 3; c++) {
    into[c] = ey * m[6 + c] - ez * m[3 + c];
    into[3 + c] = ez * m[c] - ex * m[6 + c];
    into[6 + c] = ex * m[3 + c] - ey * m[c];
  }
}

/** The essential matrices of the two motions that a plane's homography (in pixels) allows; none for a pure rotation. */
function essentialsOf(plane: Float64Array, c: Conditioning): Float64Array[] {
  // For rays: K₂⁻¹ H K₁, with its middle singular value 1.
  const h = new Float64Array(9);
  for (let k = 0; k < 3; k++) {
    const column = (row: number) =>
      k === 0
        ? plane[row] / c[2]
        : k === 1
          ? plane[row + 1] / c[3]
          : plane[row] * c[0] + plane[row + 1] * c[1] + plane[row + 2];
    h[k] = (column(0) - c[4] * column(6)) * c[6];
    h[3 + k] = (column(3) - c[5] * column(6)) * c[7];
    h[6 + k] = column(6);
  }
  const [u, s, v] = [new Float64Array(9), new Float64Array(3), new Float64Array(9)];
  svd3(h, u, s, v);
  // With a negative determinant −H is the one in front of both cameras.
  const scale = (s[2] < 0 ? -1 : 1) / s[1];
  for (let k = 0; k < 9; k++) h[k] *= scale;
  const largest = (s[0] / s[1]) ** 2;
  const smallest = (s[2] / s[1]) ** 2;
  const width = Math.sqrt(largest - smallest);
  if (!(width > 1e-6)) return [];
  return [1, -1].map((sign) => {
    // Two directions in the plane keep their length under H: v₂ and this one; they turn as the camera does.
    const [a, b] = [Math.sqrt(Math.max(0, 1 - smallest)) / width, (sign * Math.sqrt(Math.max(0, largest - 1))) / width];
    const second = [v[1], v[4], v[7]];
    const kept = [0, 3, 6].map((k) => a * v[k] + b * v[k + 2]);
    const normal = cross(second, kept);
    const turned = [times(h, second), times(h, kept)];
    const frame = [...turned, cross(turned[0], turned[1])];
    const rotation = new Float64Array(9);
    for (let r = 0; r < 3; r++) {
      for (let k = 0; k < 3; k++) {
        rotation[3 * r + k] = frame[0][r] * second[k] + frame[1][r] * kept[k] + frame[2][r] * normal[k];
      }
    }
    const moved = times(h, normal);
    const still = times(rotation, normal);
    const essential = new Float64Array(9);
    writeCross(moved[0] - still[0], moved[1] - still[1], moved[2] - still[2], rotation, essential);
    writeUnit(essential, essential, 0);
    return essential;
  });
}

const cross = (p: readonly number[], q: readonly number[]): number[] => [
  p[1] * q[2] - p[2] * q[1],
  p[2] * q[0] - p[0] * q[2],
  p[0] * q[1] - p[1] * q[0],
];

const times = (m: Float64Array, p: readonly number[]): number[] =>
  [0, 3, 6].map((r) => m[r] * p[0] + m[r + 1] * p[1] + m[r + 2] * p[2]);

function indicesWhere(errors: Float64Array, wanted: (error: number) => boolean): Int32Array {
  return Int32Array.from(errors.keys()).filter((i) => wanted(errors[i]));
}

/** The pairs at these indices. */
function chosen(points: Float64Array, indices: Int32Array): Float64Array {
  const taken = new Float64Array(STRIDE * indices.length);
  for (const [to, i] of indices.entries()) {
    for (let k = 0; k < STRIDE; k++) taken[STRIDE * to + k] = points[STRIDE * i + k];
  }
  return taken;
}
