/** The eight-point algorithm (Longuet-Higgins 1981; conditioned as Hartley 1997 has it), and its equation of one pair. */
import { smallestEigenvector } from "./linear.js";
import { STRIDE } from "./model.js";
import { type Conditioning, type Manifold, projectTo } from "./sampson.js";

/** Least ratio of the second smallest to the largest eigenvalue of the equations: below it pairs lie on a plane, or repeat. */
const LEAST_EIGENVALUE = 1e-9;

const equations = new Float64Array(81);
const row = new Float64Array(9);

/** Writes the coefficients of the nine entries of x₂ᵀ M x₁ = 0 for the pair at `at`, in conditioned coordinates. */
export function epipolarRow(
  points: Float64Array,
  at: number,
  c: Conditioning,
  into: Float64Array,
  offset: number,
): void {
  const x = (points[at] - c[0]) * c[2];
  const y = (points[at + 1] - c[1]) * c[3];
  const u = (points[at + 2] - c[4]) * c[6];
  const v = (points[at + 3] - c[5]) * c[7];
  into[offset] = u * x;
  into[offset + 1] = u * y;
  into[offset + 2] = u;
  into[offset + 3] = v * x;
  into[offset + 4] = v * y;
  into[offset + 5] = v;
  into[offset + 6] = x;
  into[offset + 7] = y;
  into[offset + 8] = 1;
}

/**
 * The algebraic least-squares solution over all pairs of weight above 0, drawn to the manifold, in conditioned
 * coordinates. False where they are fewer than eight, or leave it open.
 */
export function eightPoints(
  points: Float64Array,
  weights: Float64Array,
  c: Conditioning,
  manifold: Manifold,
  into: Float64Array,
): boolean {
  equations.fill(0);
  let count = 0;
  for (let i = 0; i < weights.length; i++) {
    if (!(weights[i] > 0)) continue;
    count++;
    epipolarRow(points, STRIDE * i, c, row, 0);
    for (let p = 0; p < 9; p++) {
      const factor = weights[i] * row[p];
      for (let q = p; q < 9; q++) equations[9 * p + q] += factor * row[q];
    }
  }
  for (let p = 0; p < 9; p++) for (let q = 0; q < p; q++) equations[9 * p + q] = equations[9 * q + p];
  if (count < 8 || !smallestEigenvector(equations, LEAST_EIGENVALUE, into)) return false;
  projectTo(manifold, into, into);
  return true;
}
