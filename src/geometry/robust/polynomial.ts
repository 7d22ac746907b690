/**
 * Real roots of polynomials up to degree 10. Between two neighbouring roots of its derivative a polynomial is monotone, so
 * it has at most one root there: from the linear derivative up, each degree is bracketed by the one below. Roots are
 * sought in [-1, 1], where powers stay small; those beyond are the inverses of the reversed polynomial's roots.
 */

/** Largest degree. */
const MOST = 10;
/** Last step to a root, and to one of a derivative, which only brackets: the error left is of the order of its square. */
const SETTLED = 1e-9;
const BRACKETED = 1e-3;
/** Derivatives by degree: MOST + 1 coefficients each. */
const derivatives = new Float64Array((MOST + 1) * (MOST + 1));
const brackets = new Float64Array(MOST + 2);
const found = new Float64Array(MOST + 1);
const reversed = new Float64Array(MOST + 1);

/**
 * Writes the real roots of coefficients[0] + coefficients[1]·x + … + coefficients[degree]·x^degree (degree ≤ 10) to
 * `roots`; returns how many there are. A multiple root may come once or as a few close ones. Leading zeros lower the
 * degree; the zero polynomial has no roots here. Allocates nothing.
 */
export function realRoots(coefficients: Float64Array, degree: number, roots: Float64Array): number {
  let n = degree;
  while (n > 0 && coefficients[n] === 0) n--;
  let count = rootsInside(coefficients, n);
  for (let k = 0; k < count; k++) roots[k] = found[k];
  for (let k = 0; k <= n; k++) reversed[k] = coefficients[n - k];
  const beyond = rootsInside(reversed, n);
  for (let k = 0; k < beyond && count < n; k++) {
    const inverse = found[k];
    // ±1 is in both intervals; a root of 0 is at infinity.
    if (inverse !== 0 && Math.abs(inverse) < 1) roots[count++] = 1 / inverse;
  }
  return count;
}

/** The roots in [-1, 1], ascending, into `found`; their number. */
function rootsInside(coefficients: Float64Array, degree: number): number {
  if (degree < 1) return 0;
  const width = MOST + 1;
  for (let k = 0; k <= degree; k++) derivatives[degree * width + k] = coefficients[k];
  for (let d = degree; d > 1; d--) {
    for (let k = 1; k <= d; k++) derivatives[(d - 1) * width + k - 1] = k * derivatives[d * width + k];
  }
  let count = 0;
  for (let d = 1; d <= degree; d++) {
    brackets[0] = -1;
    for (let k = 0; k < count; k++) brackets[k + 1] = found[k];
    brackets[count + 1] = 1;
    count = rootsBetween(d, count + 2, d === degree ? SETTLED : BRACKETED);
  }
  return count;
}

/** Roots of the polynomial of degree `d` in `derivatives` between `ends` neighbouring brackets; steps end at `tolerance`. */
function rootsBetween(d: number, ends: number, tolerance: number): number {
  const offset = d * (MOST + 1);
  let size = 0;
  for (let k = 0; k <= d; k++) size += Math.abs(derivatives[offset + k]);
  // Where a polynomial only touches zero its value there is rounding.
  const touching = 1e-15 * size;
  let count = 0;
  let low = brackets[0];
  let lowValue = value(offset, d, low);
  if (Math.abs(lowValue) <= touching) found[count++] = low;
  for (let k = 1; k < ends; k++) {
    const high = brackets[k];
    const highValue = value(offset, d, high);
    const touches = Math.abs(highValue) <= touching;
    if (touches) {
      if (high > low && count < d) found[count++] = high;
    } else if (Math.abs(lowValue) > touching && lowValue < 0 !== highValue < 0 && count < d) {
      found[count++] = rootIn(offset, d, low, high, lowValue < 0, tolerance);
    }
    low = high;
    lowValue = highValue;
  }
  return count;
}

/** Newton's method, kept inside a bracket of a change of sign by bisection. */
function rootIn(offset: number, d: number, from: number, to: number, rising: boolean, tolerance: number): number {
  let low = from;
  let high = to;
  let x = (low + high) / 2;
  for (let iteration = 0; iteration < 60; iteration++) {
    let p = derivatives[offset + d];
    let slope = 0;
    for (let k = d - 1; k >= 0; k--) {
      slope = slope * x + p;
      p = p * x + derivatives[offset + k];
    }
    if (p === 0) return x;
    if (p < 0 === rising) low = x;
    else high = x;
    const newton = x - p / slope;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - x) <= tolerance * (0.5 + Math.abs(next))) return next;
    x = next;
  }
  return x;
}

function value(offset: number, d: number, x: number): number {
  let p = derivatives[offset + d];
  for (let k = d - 1; k >= 0; k--) p = p * x + derivatives[offset + k];
  return p;
}
