/**
 * The essential matrix as a robust model: five pairs leave a space of four dimensions, in which det E = 0 and
 * 2EEᵀE − tr(EEᵀ)E = 0 are ten cubic equations; eliminated, they are a polynomial of degree 10 in one unknown (Nistér,
 * PAMI 2004). All pairs by the eight-point algorithm or, near a solution, by steps that lessen Sampson's errors in pixels
 * among essential matrices.
 */
import type { Intrinsics } from "../intrinsics.js";
import { eightPoints, epipolarRow } from "./eight-point.js";
import { isOriented, isWithoutRepeats, writeUnit } from "./fundamental.js";
import { eliminate, nullSpace } from "./linear.js";
import { type RobustModel, STRIDE } from "./model.js";
import { realRoots } from "./polynomial.js";
import { type Conditioning, type Manifold, sampsonErrors, sampsonStep, unconditioned } from "./sampson.js";

/** Pairs of a minimal sample. */
export const ESSENTIAL_SAMPLE = 5;

/** Matrices with two equal singular values and one of 0. */
export const ESSENTIAL: Manifold = {
  dimension: 5,
  project(s) {
    s[0] = Math.SQRT1_2;
    s[1] = Math.SQRT1_2;
    s[2] = 0;
  },
  tangents(_, into) {
    into.fill(0, 0, 45);
    // The last column and row, and the turn about the third axis.
    for (const [t, entry] of [2, 5, 6, 7].entries()) into[9 * t + entry] = 1;
    into[37] = Math.SQRT1_2;
    into[39] = -Math.SQRT1_2;
  },
};

/** First of the eliminated equations that `hideZ` reads. */
const HIDDEN = 4;

const rows = new Float64Array(5 * 9);
const basis = new Float64Array(4 * 9);
/** E's entries as linear polynomials, four coefficients each. */
const entries = new Float64Array(9 * 4);
/** EEᵀ, six quadratic polynomials' worth (symmetric, all nine kept), less half its trace on the diagonal. */
const products = new Float64Array(9 * 10);
const constraints = new Float64Array(10 * 20);
const polynomial = new Float64Array(11);
const roots = new Float64Array(10);
/** Three rows of polynomials in z: degree 3 for x, 3 for y, 4 for 1; five coefficients each, lowest first. */
const hidden = new Float64Array(3 * 3 * 5);
const evaluated = new Float64Array(9);
const matrix = new Float64Array(9);
const pixels = new Float64Array(9);

/** Rays of two cameras as conditioned coordinates. */
export function conditioningOf(a: Intrinsics, b: Intrinsics): Conditioning {
  return Float64Array.of(a.cx, a.cy, 1 / a.fx, 1 / a.fy, b.cx, b.cy, 1 / b.fx, 1 / b.fy);
}

/** The essential matrix of two cameras: x₂ᵀ E x₁ = 0 for x = K⁻¹p, of norm 1. Points and errors are in pixels. */
export function essentialModel(c: Conditioning): RobustModel {
  return {
    name: "essential",
    sampleSize: ESSENTIAL_SAMPLE,
    mostSolutions: 10,
    isSampleGood: (points, sample) => isWithoutRepeats(points, sample, 5),
    solve(points, sample, models) {
      for (let i = 0; i < 5; i++) epipolarRow(points, STRIDE * sample[i], c, rows, 9 * i);
      if (!nullSpace(rows, 5, basis)) return 0;
      mixBasis();
      writeConstraints();
      if (!eliminate(constraints, 10, 20, HIDDEN)) return 0;
      const count = realRoots(polynomial, hideZ(), roots);
      let kept = 0;
      for (let r = 0; r < count; r++) {
        if (!solutionAt(roots[r])) continue;
        unconditioned(matrix, c, pixels);
        if (isOriented(pixels, points, sample, 5)) writeUnit(matrix, models, 9 * kept++);
      }
      return kept;
    },
    fit(points, weights, near, model) {
      if (near === null) {
        if (!eightPoints(points, weights, c, ESSENTIAL, matrix)) return false;
      } else {
        matrix.set(near);
        if (!sampsonStep(ESSENTIAL, matrix, c, points, weights)) return false;
      }
      writeUnit(matrix, model, 0);
      return true;
    },
    squaredErrors(model, offset, points, errors) {
      for (let k = 0; k < 9; k++) matrix[k] = model[offset + k];
      unconditioned(matrix, c, pixels);
      sampsonErrors(pixels, 0, points, errors);
    },
  };
}

/** A direction like no other: what is special about a scene has no special place in a basis reflected along it. */
const ASKEW = [0.31, 0.57, 0.42, 0.63].map((value, _, all) => value / Math.hypot(...all));

/**
 * Reflects the basis. Rectified stereo has its solution on an axis of the basis as it comes, where the last coefficient,
 * which is set to 1, is 0.
 */
function mixBasis(): void {
  for (let k = 0; k < 9; k++) {
    let along = 0;
    for (let b = 0; b < 4; b++) along += ASKEW[b] * basis[9 * b + k];
    for (let b = 0; b < 4; b++) basis[9 * b + k] -= 2 * along * ASKEW[b];
  }
}

/** The ten cubic equations of E = x·E₀ + y·E₁ + z·E₂ + E₃, a row each. */
function writeConstraints(): void {
  for (let k = 0; k < 9; k++) for (let b = 0; b < 4; b++) entries[4 * k + b] = basis[9 * b + k];
  products.fill(0);
  for (let r = 0; r < 3; r++) {
    for (let q = r; q < 3; q++) {
      for (let k = 0; k < 3; k++) addProduct(3 * r + k, 3 * q + k, 1, 3 * r + q);
      if (q > r) products.copyWithin(10 * (3 * q + r), 10 * (3 * r + q), 10 * (3 * r + q) + 10);
    }
  }
  for (let k = 0; k < 10; k++) {
    const half = (products[k] + products[40 + k] + products[80 + k]) / 2;
    products[k] -= half;
    products[40 + k] -= half;
    products[80 + k] -= half;
  }
  constraints.fill(0);
  // (EEᵀ − tr(EEᵀ)/2) E
  for (let r = 0; r < 3; r++) {
    for (let q = 0; q < 3; q++) {
      for (let k = 0; k < 3; k++) addCubic(3 * r + k, 3 * k + q, 20 * (3 * r + q));
    }
  }
  // det E, along the first row.
  products.fill(0, 0, 30);
  addProduct(4, 8, 1, 0);
  addProduct(5, 7, -1, 0);
  addProduct(5, 6, 1, 1);
  addProduct(3, 8, -1, 1);
  addProduct(3, 7, 1, 2);
  addProduct(4, 6, -1, 2);
  for (let k = 0; k < 3; k++) addCubic(k, k, 180);
}

/** Adds sign · entry p · entry q to a quadratic polynomial: xx, xy, xz, x, yy, yz, y, zz, z, 1. */
function addProduct(p: number, q: number, sign: number, to: number): void {
  const x = sign * entries[4 * p];
  const y = sign * entries[4 * p + 1];
  const z = sign * entries[4 * p + 2];
  const one = sign * entries[4 * p + 3];
  const u = entries[4 * q];
  const v = entries[4 * q + 1];
  const w = entries[4 * q + 2];
  const unit = entries[4 * q + 3];
  const at = 10 * to;
  products[at] += x * u;
  products[at + 1] += x * v + y * u;
  products[at + 2] += x * w + z * u;
  products[at + 3] += x * unit + one * u;
  products[at + 4] += y * v;
  products[at + 5] += y * w + z * v;
  products[at + 6] += y * unit + one * v;
  products[at + 7] += z * w;
  products[at + 8] += z * unit + one * w;
  products[at + 9] += one * unit;
}

/**
 * Adds a quadratic polynomial times an entry to the cubic one at `to`. Monomials in the order of elimination, those with more
 * than one power of x and y first: xxx, yyy, xxy, xyy, xxz, xx, yyz, yy, xyz, xy, xzz, xz, x, yzz, yz, y, zzz, zz, z, 1.
 */
function addCubic(quadratic: number, entry: number, to: number): void {
  const x = entries[4 * entry];
  const y = entries[4 * entry + 1];
  const z = entries[4 * entry + 2];
  const one = entries[4 * entry + 3];
  const at = 10 * quadratic;
  const xx = products[at];
  const xy = products[at + 1];
  const xz = products[at + 2];
  const x1 = products[at + 3];
  const yy = products[at + 4];
  const yz = products[at + 5];
  const y1 = products[at + 6];
  const zz = products[at + 7];
  const z1 = products[at + 8];
  const unit = products[at + 9];
  constraints[to] += xx * x;
  constraints[to + 1] += yy * y;
  constraints[to + 2] += xx * y + xy * x;
  constraints[to + 3] += xy * y + yy * x;
  constraints[to + 4] += xx * z + xz * x;
  constraints[to + 5] += xx * one + x1 * x;
  constraints[to + 6] += yy * z + yz * y;
  constraints[to + 7] += yy * one + y1 * y;
  constraints[to + 8] += xy * z + xz * y + yz * x;
  constraints[to + 9] += xy * one + x1 * y + y1 * x;
  constraints[to + 10] += xz * z + zz * x;
  constraints[to + 11] += xz * one + x1 * z + z1 * x;
  constraints[to + 12] += x1 * one + unit * x;
  constraints[to + 13] += yz * z + zz * y;
  constraints[to + 14] += yz * one + y1 * z + z1 * y;
  constraints[to + 15] += y1 * one + unit * y;
  constraints[to + 16] += zz * z;
  constraints[to + 17] += zz * one + z1 * z;
  constraints[to + 18] += z1 * one + unit * z;
  constraints[to + 19] += unit * one;
}

/**
 * Of the eliminated equations those whose leading monomials differ by a factor z (xxz and xx, yyz and yy, xyz and xy) leave
 * three that are linear in x and y; their determinant, of degree 10 in z, goes to `polynomial`. Its degree.
 */
function hideZ(): number {
  for (let r = 0; r < 3; r++) {
    const upper = 20 * (HIDDEN + 2 * r) + 10;
    const lower = upper + 20;
    for (let k = 0; k < 3; k++) {
      // Tails: x·(zz, z, 1), y·(zz, z, 1), (zzz, zz, z, 1); upper − z·lower.
      const at = 5 * (3 * r + k);
      const first = 3 * k;
      const degree = k === 2 ? 3 : 2;
      hidden.fill(0, at, at + 5);
      for (let d = 0; d <= degree; d++) {
        hidden[at + d] += constraints[upper + first + degree - d];
        hidden[at + d + 1] -= constraints[lower + first + degree - d];
      }
    }
  }
  polynomial.fill(0);
  addTriple(0, 4, 8, 1);
  addTriple(0, 5, 7, -1);
  addTriple(1, 5, 6, 1);
  addTriple(1, 3, 8, -1);
  addTriple(2, 3, 7, 1);
  addTriple(2, 4, 6, -1);
  return 10;
}

function addTriple(p: number, q: number, r: number, sign: number): void {
  for (let i = 0; i < 5; i++) {
    const one = sign * hidden[5 * p + i];
    if (one === 0) continue;
    for (let j = 0; j < 5; j++) {
      const two = one * hidden[5 * q + j];
      if (two === 0) continue;
      for (let k = 0; k < 5 && i + j + k <= 10; k++) polynomial[i + j + k] += two * hidden[5 * r + k];
    }
  }
}

/** The matrix of a root z, into `matrix`; false where x and y are at infinity. */
function solutionAt(z: number): boolean {
  // For large z the polynomials' own scale is z⁴; only ratios matter.
  const scale = 1 / Math.max(1, z * z * z * z);
  for (let k = 0; k < 9; k++) {
    let value = hidden[5 * k + 4];
    for (let d = 3; d >= 0; d--) value = value * z + hidden[5 * k + d];
    evaluated[k] = value * scale;
  }
  // (x, y, 1) is at right angles to all three rows: of the cross products of two the longest is the most precise.
  let best = 0;
  let x = 0;
  let y = 0;
  let w = 0;
  for (let r = 0; r < 3; r++) {
    const p = 3 * r;
    const q = 3 * ((r + 1) % 3);
    const a = evaluated[p + 1] * evaluated[q + 2] - evaluated[p + 2] * evaluated[q + 1];
    const b = evaluated[p + 2] * evaluated[q] - evaluated[p] * evaluated[q + 2];
    const c = evaluated[p] * evaluated[q + 1] - evaluated[p + 1] * evaluated[q];
    const length = a * a + b * b + c * c;
    if (length > best) {
      best = length;
      x = a;
      y = b;
      w = c;
    }
  }
  if (!(w * w > 1e-24 * best)) return false;
  for (let k = 0; k < 9; k++) {
    matrix[k] = (x / w) * basis[k] + (y / w) * basis[9 + k] + z * basis[18 + k] + basis[27 + k];
  }
  return true;
}
