/** Small linear algebra: Fourier transforms, triangular systems, Cholesky factors; half and double precision. */
import { grad, lax, numpy as np, vmap } from "@jax-js/jax";
import { type Case, definite, NO_DOUBLE, twoWays, uniform, type Value, values, weigh } from "./case.js";
import { factorCases } from "./factors.js";

const transforms: Case[] = [
  ...[[1], [8], [2, 5], [3, 2, 12], [2, 64], [360]].flatMap((shape): Case[] => [
    {
      name: `fft [${shape}]`,
      inputs: { re: uniform(shape), im: uniform(shape) },
      fn: (x) => {
        const { real, imag } = np.fft.fft({ real: x.re, imag: x.im });
        return { real, imag };
      },
    },
    {
      name: `inverse fft [${shape}]`,
      inputs: { re: uniform(shape), im: uniform(shape) },
      fn: (x) => {
        const { real, imag } = np.fft.ifft({ real: x.re, imag: x.im });
        return { real, imag };
      },
    },
  ]),
  {
    name: "fft [1024], by the operator",
    inputs: { re: uniform([1024]), im: uniform([1024]) },
    fn: (x) => np.fft.fft({ real: x.re, imag: x.im }).real,
    gpuTolerance: 1e-3,
  },
  {
    name: "fft along the first axis",
    inputs: { re: uniform([6, 4]), im: uniform([6, 4]) },
    fn: (x) => np.fft.fft({ real: x.re, imag: x.im }, 0).imag,
  },
  ...twoWays("power spectrum", [2, 12], (x) => {
    const { real, imag } = np.fft.rfft(x);
    return np.square(real).add(np.square(imag));
  }),
];

const systems: Case[] = [
  ...[1, 2, 5, 9].flatMap((n): Case[] => [
    {
      name: `cholesky ${n}×${n}`,
      inputs: { a: definite([], n) },
      fn: (x) => np.linalg.cholesky(x.a),
    },
    {
      name: `solve by cholesky ${n}×${n}`,
      inputs: { a: definite([2], n), b: uniform([2, n, 3]) },
      fn: (x) => {
        const l = np.linalg.cholesky(x.a);
        return lax.linalg.triangularSolve(l, x.b, { leftSide: true, lower: true });
      },
    },
  ]),
  ...[true, false].flatMap((lower) =>
    [true, false].flatMap((leftSide) =>
      [true, false].map(
        (unitDiagonal): Case => ({
          name: `triangularSolve lower=${lower} leftSide=${leftSide} unitDiagonal=${unitDiagonal}`,
          inputs: { a: definite([2], 4), b: uniform([2, 4, 4]) },
          fn: (x) => lax.linalg.triangularSolve(x.a, x.b, { lower, leftSide, unitDiagonal }),
        }),
      ),
    ),
  ),
  {
    name: "gradient of cholesky",
    inputs: { a: definite([], 4) },
    fn: (x) => grad((a: np.Array) => weigh(np.linalg.cholesky(a)))(x.a),
  },
  {
    name: "vmap of cholesky",
    inputs: { a: definite([3], 3) },
    fn: (x) => vmap((a: np.Array) => np.linalg.cholesky(a))(x.a),
  },
  {
    name: "cholesky of what is not definite is NaN",
    inputs: { a: values([-1, 0, 0, 1], "float32", [2, 2]) },
    fn: (x) => np.linalg.cholesky(x.a).slice(0, 0),
  },
];

/** 1, 1.5, −2, 0.25 … as half-precision bits. */
const HALVES = values([0x3c00, 0x3e00, 0xc000, 0x3400, 0x4200, 0xb800], "float16", [2, 3]);
const doubles = (shape: readonly number[]): Value => {
  const { data } = uniform(shape, 0.5, 2);
  return { type: "float64", shape, data: Float64Array.from(data as Float32Array, (v) => v + 1e-9) };
};

const precisions: Case[] = [
  ...Object.entries({
    arithmetic: (x: np.Array) => np.square(x.ref).sub(x).mul(0.5),
    "sum and maximum": (x: np.Array) => np.sum(x.ref, 0).add(np.max(x)),
    "product with a transpose": (x: np.Array) => np.matmul(x.ref, np.transpose(x)),
    "comparison and choice": (x: np.Array) => np.where(np.less(x.ref, 1), x, 3),
    "pad, flip, concatenate": (x: np.Array) =>
      np.concatenate(
        [
          np.flip(x.ref, 1),
          np.pad(x, [
            [0, 0],
            [1, 0],
          ]),
        ],
        1,
      ),
  }).flatMap(([name, fn]): Case[] => [
    {
      name: `float16 ${name}`,
      inputs: { a: HALVES },
      fn: (x) => fn(x.a),
      tolerance: 2e-3,
      except: { "node-webgpu": "SwiftShader has no half precision", "web-webgpu": "SwiftShader has no half precision" },
    },
    {
      name: `float64 ${name}`,
      inputs: { a: doubles([2, 3]) },
      fn: (x) => fn(x.a),
      tolerance: 1e-12,
      except: NO_DOUBLE,
    },
  ]),
  {
    name: "float64 exp, log, sqrt",
    inputs: { a: doubles([5]) },
    fn: (x) => np.exp(np.log(np.sqrt(x.a))),
    tolerance: 1e-12,
    except: NO_DOUBLE,
  },
  {
    name: "float64 and float32 together",
    inputs: { a: doubles([3]), b: uniform([3]) },
    fn: (x) => np.add(x.a, x.b),
    tolerance: 1e-12,
    except: NO_DOUBLE,
  },
];

export const linalgCases: Case[] = [...transforms, ...systems, ...factorCases, ...precisions];
