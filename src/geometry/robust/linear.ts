/**
 * The small linear algebra of the solvers, on flat row-major arrays, allocating nothing: null spaces by Householder's QR,
 * eigenvectors of symmetric matrices by Jacobi's rotations, singular values of 3×3 matrices by one-sided rotations
 * (Hestenes 1958), and elimination. (Golub and Van Loan, Matrix Computations.)
 */

/** Columns of the matrices whose null space is asked for: entries of a 3×3 matrix. */
const N = 9;
/** Least ratio of a column's rest to the largest, below which rows depend on each other. */
const LEAST_RANK = 1e-12;

const columns = new Float64Array(N * N);
const reflected = new Float64Array(N);
const order = new Int32Array(N);

/**
 * An orthonormal basis of the vectors that `rows` rows of 9 numbers send to zero, 9 − rows of them, into `basis`; false
 * where the rows depend on each other. `matrix` is left as it is.
 */
export function nullSpace(matrix: Float64Array, rows: number, basis: Float64Array): boolean {
  // Rows become columns; Q's last columns are orthogonal to all of them. The longest rest comes first (rank-revealing).
  for (let k = 0; k < rows * N; k++) columns[k] = matrix[k];
  for (let r = 0; r < rows; r++) order[r] = r;
  let largest = 0;
  for (let step = 0; step < rows; step++) {
    let best = -1;
    let pivot = step;
    for (let r = step; r < rows; r++) {
      let rest = 0;
      for (let k = step; k < N; k++) rest += columns[order[r] * N + k] ** 2;
      if (rest > best) {
        best = rest;
        pivot = r;
      }
    }
    const chosen = order[pivot];
    order[pivot] = order[step];
    order[step] = chosen;
    const length = Math.sqrt(best);
    if (step === 0) largest = length;
    if (!(length > LEAST_RANK * largest)) return false;
    // The reflector is kept where the column was.
    const at = chosen * N;
    columns[at + step] += columns[at + step] < 0 ? -length : length;
    let norm = 0;
    for (let k = step; k < N; k++) norm += columns[at + k] ** 2;
    reflected[step] = 2 / norm;
    for (let r = step + 1; r < rows; r++) reflect(columns, order[r] * N, at, step);
  }
  for (let b = 0; b < N - rows; b++) {
    for (let k = 0; k < N; k++) basis[b * N + k] = k === rows + b ? 1 : 0;
    for (let step = rows - 1; step >= 0; step--) reflect(basis, b * N, order[step] * N, step);
  }
  return true;
}

/** Reflects the vector at `to` of `vectors` by the reflector of `step`, which lies at `at`. */
function reflect(vectors: Float64Array, to: number, at: number, step: number): void {
  let dot = 0;
  for (let k = step; k < N; k++) dot += columns[at + k] * vectors[to + k];
  dot *= reflected[step];
  for (let k = step; k < N; k++) vectors[to + k] -= dot * columns[at + k];
}

/**
 * Eigenvalues of a symmetric n×n matrix, which is destroyed, into `values`, and unit eigenvectors into the rows of
 * `vectors`, in no order.
 */
export function symmetricEigen(matrix: Float64Array, n: number, values: Float64Array, vectors: Float64Array): void {
  for (let k = 0; k < n * n; k++) vectors[k] = k % (n + 1) === 0 ? 1 : 0;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    let diagonal = 0;
    for (let p = 0; p < n; p++) {
      diagonal += matrix[p * n + p] ** 2;
      for (let q = p + 1; q < n; q++) off += matrix[p * n + q] ** 2;
    }
    if (!(off > 1e-32 * diagonal)) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = matrix[p * n + q];
        if (apq === 0) continue;
        const theta = (matrix[q * n + q] - matrix[p * n + p]) / (2 * apq);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        rotateRows(matrix, n, p, q, c, t * c);
        for (let k = 0; k < n; k++) {
          const left = matrix[k * n + p];
          const right = matrix[k * n + q];
          matrix[k * n + p] = c * left - t * c * right;
          matrix[k * n + q] = t * c * left + c * right;
        }
        rotateRows(vectors, n, p, q, c, t * c);
      }
    }
  }
  for (let p = 0; p < n; p++) values[p] = matrix[p * n + p];
}

/** Rows p and q of a matrix turned into each other. */
function rotateRows(matrix: Float64Array, n: number, p: number, q: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const upper = matrix[p * n + k];
    const lower = matrix[q * n + k];
    matrix[p * n + k] = c * upper - s * lower;
    matrix[q * n + k] = s * upper + c * lower;
  }
}

const eigenvectors = new Float64Array(N * N);
const eigenvalues = new Float64Array(N);

/**
 * The unit vector that a symmetric 9×9 matrix (destroyed) shortens most, into `vector`; false where a second one is
 * shortened as much, to `least` of the largest eigenvalue: then the matrix does not determine it.
 */
export function smallestEigenvector(matrix: Float64Array, least: number, vector: Float64Array): boolean {
  symmetricEigen(matrix, N, eigenvalues, eigenvectors);
  let first = 0;
  let largest = 0;
  for (let k = 0; k < N; k++) {
    if (eigenvalues[k] < eigenvalues[first]) first = k;
    if (eigenvalues[k] > largest) largest = eigenvalues[k];
  }
  let second = Infinity;
  for (let k = 0; k < N; k++) if (k !== first && eigenvalues[k] < second) second = eigenvalues[k];
  if (!(second > least * largest)) return false;
  for (let k = 0; k < N; k++) vector[k] = eigenvectors[first * N + k];
  return true;
}

const work = new Float64Array(9);

/**
 * The singular value decomposition of a 3×3 matrix: u·diag(s)·vᵀ, s descending. The columns of `u` and `v` are the singular
 * vectors; both are rotations (determinant 1), for which the last singular value may have to be negative.
 */
export function svd3(matrix: ArrayLike<number>, u: Float64Array, s: Float64Array, v: Float64Array): void {
  // Columns of `work` are turned into each other until they are orthogonal.
  for (let k = 0; k < 9; k++) {
    work[k] = matrix[k];
    v[k] = k % 4 === 0 ? 1 : 0;
  }
  for (let sweep = 0; sweep < 30; sweep++) {
    let turned = false;
    for (let p = 0; p < 2; p++) for (let q = p + 1; q < 3; q++) turned = orthogonalize(v, p, q) || turned;
    if (!turned) break;
  }
  for (let k = 0; k < 3; k++) s[k] = Math.sqrt(work[k] ** 2 + work[3 + k] ** 2 + work[6 + k] ** 2);
  for (let k = 0; k < 2; k++) for (let j = 0; j < 2 - k; j++) if (s[j] < s[j + 1]) swapColumns(s, v, j);
  // u's columns: the first as it is, the second orthogonal to it, the third their cross product.
  unitColumn(u, 0, s[0] > 0 ? 1 / s[0] : 0);
  if (!(s[0] > 0)) u[0] = 1;
  if (s[1] > 1e-14 * s[0]) unitColumn(u, 1, 1 / s[1]);
  else orthogonalColumn(u);
  crossColumns(u);
  crossColumns(v);
  let sign = 0;
  for (let k = 0; k < 3; k++)
    sign += u[3 * k + 2] * (matrix[3 * k] * v[2] + matrix[3 * k + 1] * v[5] + matrix[3 * k + 2] * v[8]);
  if (sign < 0) s[2] = -s[2];
}

/** Whether columns p and q had to be turned. */
function orthogonalize(v: Float64Array, p: number, q: number): boolean {
  let pp = 0;
  let qq = 0;
  let pq = 0;
  for (let k = 0; k < 9; k += 3) {
    pp += work[k + p] ** 2;
    qq += work[k + q] ** 2;
    pq += work[k + p] * work[k + q];
  }
  if (Math.abs(pq) <= 1e-16 * Math.sqrt(pp * qq)) return false;
  const theta = (qq - pp) / (2 * pq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  turnColumns(work, p, q, c, t * c);
  turnColumns(v, p, q, c, t * c);
  return true;
}

function turnColumns(m: Float64Array, p: number, q: number, c: number, s: number): void {
  for (let k = 0; k < 9; k += 3) {
    const left = m[k + p];
    const right = m[k + q];
    m[k + p] = c * left - s * right;
    m[k + q] = s * left + c * right;
  }
}

function swapColumns(s: Float64Array, v: Float64Array, j: number): void {
  const value = s[j];
  s[j] = s[j + 1];
  s[j + 1] = value;
  for (let k = 0; k < 9; k += 3) {
    const [a, b] = [v[k + j], work[k + j]];
    v[k + j] = v[k + j + 1];
    v[k + j + 1] = a;
    work[k + j] = work[k + j + 1];
    work[k + j + 1] = b;
  }
}

/** Column j of u: that of `work`, scaled. */
function unitColumn(u: Float64Array, j: number, scale: number): void {
  for (let k = 0; k < 9; k += 3) u[k + j] = scale * work[k + j];
}

/** Any unit vector at right angles to u's first column, as its second. */
function orthogonalColumn(u: Float64Array): void {
  const [x, y, z] = [u[0], u[3], u[6]];
  const flat = Math.abs(x) < 0.6;
  // The cross product with the x or the y axis.
  const [a, b, c] = flat ? [0, z, -y] : [-z, 0, x];
  const length = Math.hypot(a, b, c);
  u[1] = a / length;
  u[4] = b / length;
  u[7] = c / length;
}

/** The third column as the cross product of the first two: a rotation. */
function crossColumns(m: Float64Array): void {
  m[2] = m[3] * m[7] - m[6] * m[4];
  m[5] = m[6] * m[1] - m[0] * m[7];
  m[8] = m[0] * m[4] - m[3] * m[1];
}

/**
 * Gauss and Jordan's elimination with row pivots on `rows` rows of `columns` numbers: the first `rows` columns become the
 * identity, so the rest is the solution. False for a singular matrix. `wanted`: the first row that is asked for; those
 * above it are left half done, which saves time.
 */
export function eliminate(matrix: Float64Array, rows: number, columns: number, wanted = 0): boolean {
  for (let step = 0; step < rows; step++) {
    let pivot = step;
    for (let r = step + 1; r < rows; r++) {
      if (Math.abs(matrix[r * columns + step]) > Math.abs(matrix[pivot * columns + step])) pivot = r;
    }
    const value = matrix[pivot * columns + step];
    if (!(Math.abs(value) > 1e-300)) return false;
    for (let k = step; k < columns; k++) {
      const moved = matrix[step * columns + k];
      matrix[step * columns + k] = matrix[pivot * columns + k] / value;
      if (pivot !== step) matrix[pivot * columns + k] = moved;
    }
    for (let r = Math.min(step + 1, wanted); r < rows; r++) {
      const at = r * columns;
      const factor = matrix[at + step];
      if (r === step || factor === 0) continue;
      for (let k = step, from = step * columns; k < columns; k++) matrix[at + k] -= factor * matrix[from + k];
    }
  }
  return true;
}
