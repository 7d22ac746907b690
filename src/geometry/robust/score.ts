/**
 * How much a correspondence supports a model, by its squared error, and its weight in a refit. Both are tables over
 * error / threshold², so every kernel costs the same in the loop.
 *
 * "magsac" is the score of MAGSAC++ (Barath et al. 2020), which marginalises over the noise's scale up to threshold / k,
 * for residuals of three degrees of freedom: its incomplete gamma function is then an exponential, and the weight a
 * Gaussian cut off at the threshold. Measured, two and four degrees, Gauss-uniform mixtures and this one find the same
 * homographies. "ransac" is the truncated square (MSAC; Torr and Zisserman 2000) with plain least squares on inliers.
 */

/** A kernel: support of a pair (1 for no error, 0 from the threshold on) and its weight in a refit, as tables. */
export interface Kernel {
  readonly support: Float64Array;
  readonly weights: Float64Array;
}

/** Cells of a table. Two entries more are 0: the threshold, and what is read beside it. */
const CELLS = 1024;
/** Steps of a cell in the integral of the weight. */
const STEPS = 8;
/** The square of k: 99 % of squared errors of two coordinates lie below it, in units of their variance. */
const SQUARED_QUANTILE = 9.21;

/** A kernel from its weight, a function of q = error / threshold²: the loss is the integral of the weight over q. */
function kernelOf(weight: (q: number) => number): Kernel {
  const weights = new Float64Array(CELLS + 2);
  const support = new Float64Array(CELLS + 2);
  for (let cell = CELLS - 1; cell >= 0; cell--) {
    weights[cell] = weight(cell / CELLS);
    let sum = 0;
    for (let step = 0; step < STEPS; step++) sum += weight((cell + (step + 0.5) / STEPS) / CELLS);
    support[cell] = support[cell + 1] + sum;
  }
  return { support: support.map((value) => value / support[0]), weights };
}

const cutOff = Math.exp(-SQUARED_QUANTILE / 2);

/** Kernels by name. */
export const KERNELS = {
  magsac: kernelOf((q) => Math.exp((-q * SQUARED_QUANTILE) / 2) - cutOff),
  ransac: kernelOf(() => 1),
} as const satisfies Record<string, Kernel>;

/** Support of a model: the sum over the first `count` errors; `threshold` in pixels. */
export function supportOf(kernel: Kernel, errors: Float64Array, count: number, threshold: number): number {
  const { support } = kernel;
  const scale = CELLS / (threshold * threshold);
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
  const table = kernel.weights;
  const scale = CELLS / (threshold * threshold);
  for (let i = 0; i < errors.length; i++) {
    const at = errors[i] * scale;
    weights[i] = at < CELLS ? table[at | 0] : 0;
  }
}
