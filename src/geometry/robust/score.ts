/**
 * How much a correspondence supports a model, by its squared error, and its weight in a refit. Both are tables over
 * q = error / (reach · threshold)², so every kernel costs the same in the loop.
 *
 * "magsac" is the score of MAGSAC++ (Barath et al. 2020), which marginalises over the noise's scale up to the threshold,
 * for residuals of three degrees of freedom: its incomplete gamma function is then an exponential, and the weight a
 * Gaussian that is cut off. Two and four degrees and Gauss-uniform mixtures find the same homographies once they are
 * polished; cut off at the threshold itself, a tenth of pairs with twelve right matches of sixty is lost, for samples are
 * rougher than inliers. "ransac" is the truncated square (MSAC; Torr and Zisserman 2000), least squares on inliers.
 */

/** A kernel: support of a pair (1 for no error, 0 out of reach) and its weight in a refit, as tables. */
export interface Kernel {
  /** Error from which on a pair has no say, in thresholds. */
  readonly reach: number;
  readonly support: Float64Array;
  readonly weights: Float64Array;
}

/** Cells of a table. Two entries more are 0: the reach, and what is read beside it. */
const CELLS = 1024;
/** Steps of a cell in the integral of the weight. */
const STEPS = 8;
/** The square of k: 99 % of squared errors of two coordinates lie below it, in units of their variance. */
const SQUARED_QUANTILE = 9.21;

/** A kernel from its weight, a function of q: the loss is the integral of the weight over q. */
function kernelOf(reach: number, weight: (q: number) => number): Kernel {
  const weights = new Float64Array(CELLS + 2);
  const support = new Float64Array(CELLS + 2);
  for (let cell = CELLS - 1; cell >= 0; cell--) {
    weights[cell] = weight(cell / CELLS);
    let sum = 0;
    for (let step = 0; step < STEPS; step++) sum += weight((cell + (step + 0.5) / STEPS) / CELLS);
    support[cell] = support[cell + 1] + sum;
  }
  return { reach, support: support.map((value) => value / support[0]), weights };
}

const cutOff = Math.exp(-SQUARED_QUANTILE / 2);

/** Kernels by name. */
export const KERNELS = {
  magsac: kernelOf(Math.sqrt(SQUARED_QUANTILE), (q) => Math.exp((-q * SQUARED_QUANTILE) / 2) - cutOff),
  ransac: kernelOf(1, () => 1),
} as const satisfies Record<string, Kernel>;

/** Support of a model: the sum over the first `count` errors; `threshold` in pixels. */
export function supportOf(kernel: Kernel, errors: Float64Array, count: number, threshold: number): number {
  const { support, reach } = kernel;
  const scale = CELLS / (reach * threshold) ** 2;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const at = errors[i] * scale;
    if (at < CELLS) {
      const cell = at | 0;
      sum += support[cell] + (at - cell) * (support[cell + 1] - support[cell]);
    }
  }
  return sum;
}

/** Writes each pair's weight by its error. */
export function writeWeights(kernel: Kernel, errors: Float64Array, threshold: number, weights: Float64Array): void {
  const { weights: table, reach } = kernel;
  const scale = CELLS / (reach * threshold) ** 2;
  for (let i = 0; i < errors.length; i++) {
    const at = errors[i] * scale;
    weights[i] = at < CELLS ? table[at | 0] : 0;
  }
}
