/**
 * Weighted least squares for a homography: the normalised direct linear transform (Hartley 1997), whose rows are divided
 * by the current denominators so that repeated fits minimise the distance in image 2.
 *
 * Points of image 1 are whitened (mean 0, covariance 1), so that a long strip is as well conditioned as a square; those of
 * image 2 keep their shape, for errors there must stay distances. Nothing is allocated: the scratch arrays are the
 * module's.
 */
import { STRIDE } from "./model.js";

/** Unknowns: the matrix entries but the last, which is 1 in normalised coordinates. */
const N = 8;
const WIDTH = N + 1;
/**
 * Least ratio of the smallest to the largest pivot, in normalised coordinates: below it the equations are singular but
 * for rounding. Whether points that differ from a line by noise say enough is the caller's to judge.
 */
const LEAST_PIVOT = 1e-10;
/** Least width of the points across their longest direction, as a share of it: float32 keypoints are no better. */
const LEAST_WIDTH = 1e-6;

const equations = new Float64Array(N * WIDTH);
const solution = new Float64Array(WIDTH);
const isDone = new Uint8Array(N);
/** Moments of x, y: Σ w·[xx, xy, yy, x, y, 1], then the same times u, v and u² + v². */
const moments = new Float64Array(24);

/** `RobustModel.fit` of the homography: the last entry is 1 at the centroid of image 1, before normalisation. */
export function fitHomography(
  points: Float64Array,
  weights: Float64Array,
  near: Float64Array | null,
  model: Float64Array,
): boolean {
  let total = 0;
  let [mx, my, mu, mv] = [0, 0, 0, 0];
  for (let i = 0, at = 0; i < weights.length; i++, at += STRIDE) {
    const weight = weights[i];
    if (!(weight > 0)) continue;
    total += weight;
    mx += weight * points[at];
    my += weight * points[at + 1];
    mu += weight * points[at + 2];
    mv += weight * points[at + 3];
  }
  mx /= total;
  my /= total;
  mu /= total;
  mv /= total;
  let [xx, xy, yy, spread] = [0, 0, 0, 0];
  for (let i = 0, at = 0; i < weights.length; i++, at += STRIDE) {
    const weight = weights[i];
    if (!(weight > 0)) continue;
    const x = points[at] - mx;
    const y = points[at + 1] - my;
    const u = points[at + 2] - mu;
    const v = points[at + 3] - mv;
    xx += weight * x * x;
    xy += weight * x * y;
    yy += weight * y * y;
    spread += weight * (u * u + v * v);
  }
  const trace = xx + yy;
  if (!(xx * yy - xy * xy > LEAST_WIDTH ** 2 * trace * trace)) return false;
  // The Cholesky factor of the covariance, inverted: x' = x·a, y' = y·c − x·b.
  const a = Math.sqrt(total / xx);
  const c = Math.sqrt(total / (yy - (xy * xy) / xx));
  const b = (c * xy) / xx;
  const scale = Math.sqrt((2 * total) / spread);
  if (!(scale > 0 && a > 0 && c > 0 && Number.isFinite(scale + a + b + c))) return false;

  // The denominator at the centroid is the unit of the others.
  const unit = near ? near[6] * mx + near[7] * my + near[8] : 1;
  const m = moments.fill(0);
  for (let i = 0, at = 0; i < weights.length; i++, at += STRIDE) {
    if (!(weights[i] > 0)) continue;
    const dx = points[at] - mx;
    const dy = points[at + 1] - my;
    const depth = near ? (near[6] * points[at] + near[7] * points[at + 1] + near[8]) / unit : 1;
    if (!(depth > 1e-6)) continue; // on or behind the vanishing line
    const weight = weights[i] / (depth * depth);
    const x = dx * a;
    const y = dy * c - dx * b;
    const u = (points[at + 2] - mu) * scale;
    const v = (points[at + 3] - mv) * scale;
    const wx = weight * x;
    const wy = weight * y;
    const wxx = wx * x;
    const wxy = wx * y;
    const wyy = wy * y;
    const r = u * u + v * v;
    m[0] += wxx;
    m[1] += wxy;
    m[2] += wyy;
    m[3] += wx;
    m[4] += wy;
    m[5] += weight;
    m[6] += wxx * u;
    m[7] += wxy * u;
    m[8] += wyy * u;
    m[9] += wx * u;
    m[10] += wy * u;
    m[11] += weight * u;
    m[12] += wxx * v;
    m[13] += wxy * v;
    m[14] += wyy * v;
    m[15] += wx * v;
    m[16] += wy * v;
    m[17] += weight * v;
    m[18] += wxx * r;
    m[19] += wxy * r;
    m[20] += wyy * r;
    m[21] += wx * r;
    m[22] += wy * r;
  }
  writeEquations();
  if (!solveEquations()) return false;

  // T₂⁻¹ · H · T₁, with T₁ = [a 0 −a·mx; −b c b·mx − c·my; 0 0 1] and T₂ = scale · (p − mean).
  const h = solution;
  h[8] = 1;
  for (let row = 0; row < 9; row += 3) {
    const [h0, h1, h2] = [h[row], h[row + 1], h[row + 2]];
    h[row] = h0 * a - h1 * b;
    h[row + 1] = h1 * c;
    h[row + 2] = h2 - h0 * a * mx + h1 * (b * mx - c * my);
  }
  for (let column = 0; column < 3; column++) {
    h[column] = h[column] / scale + mu * h[6 + column];
    h[3 + column] = h[3 + column] / scale + mv * h[6 + column];
  }
  for (let k = 0; k < 9; k++) if (!Number.isFinite(h[k])) return false;
  model.set(h);
  return true;
}

/**
 * The normal equations of the rows [x y 1 0 0 0 −ux −uy | u] and [0 0 0 x y 1 −vx −vy | v], from their moments: blocks
 * [S 0 −U; 0 S −V; −Uᵀ −Vᵀ R].
 */
function writeEquations(): void {
  const e = equations.fill(0);
  const m = moments;
  for (let block = 0; block < 2; block++) {
    const by = 6 + 6 * block; // moments with u or v
    const at = 3 * block * (WIDTH + 1);
    const last = 3 * block * WIDTH;
    e[at] = m[0];
    e[at + 1] = m[1];
    e[at + 2] = m[3];
    e[at + WIDTH] = m[1];
    e[at + WIDTH + 1] = m[2];
    e[at + WIDTH + 2] = m[4];
    e[at + 2 * WIDTH] = m[3];
    e[at + 2 * WIDTH + 1] = m[4];
    e[at + 2 * WIDTH + 2] = m[5];
    e[last + 6] = -m[by];
    e[last + 7] = -m[by + 1];
    e[last + 8] = m[by + 3];
    e[last + WIDTH + 6] = -m[by + 1];
    e[last + WIDTH + 7] = -m[by + 2];
    e[last + WIDTH + 8] = m[by + 4];
    e[last + 2 * WIDTH + 6] = -m[by + 3];
    e[last + 2 * WIDTH + 7] = -m[by + 4];
    e[last + 2 * WIDTH + 8] = m[by + 5];
  }
  for (let row = 0; row < 6; row++) {
    e[6 * WIDTH + row] = e[row * WIDTH + 6];
    e[7 * WIDTH + row] = e[row * WIDTH + 7];
  }
  e[6 * WIDTH + 6] = m[18];
  e[6 * WIDTH + 7] = m[19];
  e[7 * WIDTH + 6] = m[19];
  e[7 * WIDTH + 7] = m[20];
  e[6 * WIDTH + 8] = -m[21];
  e[7 * WIDTH + 8] = -m[22];
}

/** Elimination with diagonal pivots, into `solution`; false where the equations are singular to LEAST_PIVOT. */
function solveEquations(): boolean {
  const m = equations;
  isDone.fill(0);
  let largest = 0;
  for (let step = 0; step < N; step++) {
    let pivot = -1;
    for (let k = 0; k < N; k++) {
      if (!isDone[k] && (pivot < 0 || m[k * WIDTH + k] > m[pivot * WIDTH + pivot])) pivot = k;
    }
    const value = m[pivot * WIDTH + pivot];
    if (value > largest) largest = value;
    if (!(value > LEAST_PIVOT * largest)) return false;
    isDone[pivot] = 1;
    for (let r = 0; r < N; r++) {
      if (r === pivot) continue;
      const factor = m[r * WIDTH + pivot] / value;
      if (factor === 0) continue;
      for (let q = 0; q < WIDTH; q++) m[r * WIDTH + q] -= factor * m[pivot * WIDTH + q];
    }
  }
  for (let k = 0; k < N; k++) solution[k] = m[k * WIDTH + N] / m[k * WIDTH + k];
  return true;
}
