/** LU factors with what numpy makes of them (determinants, solutions, inverses), eigenvectors and singular values. */
import { grad, lax, numpy as np, vmap } from "@jax-js/jax";
import { type Case, definite, GPU_EDGES, type Inputs, NO_DOUBLE, uniform, type Value, values, weigh } from "./case.js";

/** Why large matrices are not for software GPUs: one small kernel after the other, up to 10 s a row. */
const SLOW = {
  "node-webgpu": "seconds on SwiftShader; smaller matrices run the same nodes",
  "web-webgpu": "seconds on SwiftShader; smaller matrices run the same nodes",
};
const sparing = (row: Case): Case =>
  Object.values(row.inputs).some(({ shape }) => shape[shape.length - 1] > 7)
    ? { ...row, except: { ...row.except, ...SLOW } }
    : row;

const factors = (a: np.Array) => {
  const [packed, pivots, permutation] = lax.linalg.lu(a);
  return { packed, pivots, permutation };
};

/** A matrix that is far from singular without being symmetric. */
function regular(shape: readonly number[]): Value {
  const value = uniform(shape, -1, 1);
  const n = shape[shape.length - 1];
  // A heavy entry in every row, off the diagonal, so that every column has to pivot.
  for (let at = 0; at < value.data.length; at += n) value.data[at + ((at / n + 1) % n)] = 3;
  return value;
}

const square = (...numbers: number[]) =>
  values(numbers, "float32", [Math.sqrt(numbers.length), Math.sqrt(numbers.length)]);

const pivoting: Case[] = [
  ...[
    [1, 1],
    [2, 2],
    [3, 3],
    [7, 7],
    [16, 16],
    [3, 5],
    [5, 3],
    [1, 4],
    [4, 1],
    [2, 4, 4],
    [2, 1, 3, 4],
    [1, 3, 3],
  ].map((shape): Case => ({ name: `lu [${shape}]`, inputs: { a: uniform(shape) }, fn: (x) => factors(x.a) })),
  { name: "lu [16,16], a swap at every step", inputs: { a: regular([16, 16]) }, fn: (x) => factors(x.a) },
  ...Object.entries({
    "zero on the diagonal": square(0, 1, 1, 0),
    "equal candidates: the first wins": square(1, 2, 3, -1, 1, 4, 1, 5, 0.5),
    "a column of zeros": square(1, 2, 3, 0, 0, 4, 0, 0, 5),
    "zeros only": square(0, 0, 0, 0, 0, 0, 0, 0, 0),
    "rank one": square(1, 2, 4, 2, 4, 8, 0.5, 1, 2),
    "nearly singular": square(1, 1, 1, 1, 1.0001, 1, 1, 1, 1.0002),
    "a cycle of three rows": square(0, 0, 5, 6, 0, 0, 0, 7, 0),
  }).map(([name, a]): Case => ({ name: `lu: ${name}`, inputs: { a }, fn: (x) => factors(x.a) })),
  ...Object.entries({
    "NaN in the first row wins": square(Number.NaN, 1, 2, 3),
    "NaN below it does not": square(1, 1, 2, 0, Number.NaN, 1, 5, 1, 1),
    "infinity below": square(1, 2, Number.POSITIVE_INFINITY, 3),
  }).map(([name, a]): Case => {
    const fn = (x: Inputs) => factors(x.a);
    return { name: `lu: ${name}`, inputs: { a }, fn, except: GPU_EDGES };
  }),
  {
    name: "lu of a broadcast matrix",
    inputs: { a: uniform([3, 3]) },
    fn: (x) => factors(np.broadcastTo(x.a, [2, 3, 3])),
  },
  { name: "lu of a transpose", inputs: { a: uniform([2, 4, 3]) }, fn: (x) => factors(np.matrixTranspose(x.a)) },
  { name: "vmap of lu", inputs: { a: uniform([3, 4, 4]) }, fn: (x) => vmap((a: np.Array) => lax.linalg.lu(a)[0])(x.a) },
  {
    name: "float64 lu",
    inputs: { a: { type: "float64", shape: [5, 5], data: Float64Array.from(uniform([5, 5]).data as Float32Array) } },
    fn: (x) => factors(x.a),
    tolerance: 1e-12,
    except: NO_DOUBLE,
  },
];

const solving: Case[] = [
  ...[
    [1, 1],
    [3, 3],
    [2, 4, 4],
    [8, 8],
  ].flatMap((shape): Case[] => {
    const inputs = { a: regular(shape), b: uniform([...shape.slice(0, -1), 2]) };
    return [
      { name: `determinant [${shape}]`, inputs: { a: uniform(shape, -1, 1) }, fn: (x) => np.linalg.det(x.a) },
      { name: `slogdet [${shape}]`, inputs, fn: (x) => np.linalg.slogdet(x.a)[1] },
      { name: `sign of slogdet [${shape}]`, inputs, fn: (x) => np.linalg.slogdet(x.a)[0] },
      { name: `solve [${shape}]`, inputs, fn: (x) => np.linalg.solve(x.a, x.b) },
      { name: `inverse [${shape}]`, inputs, fn: (x) => np.linalg.inv(x.a) },
      {
        name: `gradient of the determinant [${shape}]`,
        inputs,
        fn: (x) => grad((a: np.Array) => np.log(np.square(np.linalg.det(a))).sum())(x.a),
      },
      {
        name: `gradient of slogdet [${shape}]`,
        inputs,
        fn: (x) => grad((a: np.Array) => np.linalg.slogdet(a)[1].sum())(x.a),
      },
      {
        name: `gradient of solve by the matrix [${shape}]`,
        inputs,
        fn: (x) => grad((a: np.Array) => weigh(np.linalg.solve(a, x.b)))(x.a),
      },
      {
        name: `gradient of solve by the right side [${shape}]`,
        inputs,
        fn: (x) => grad((b: np.Array) => weigh(np.linalg.solve(x.a, b)))(x.b),
      },
      {
        name: `gradient of the inverse [${shape}]`,
        inputs,
        fn: (x) => grad((a: np.Array) => weigh(np.linalg.inv(a)))(x.a),
      },
    ];
  }),
  ...[
    [4, 3],
    [3, 4],
  ].map(
    (shape): Case => ({
      name: `gradient of lu [${shape}]`,
      inputs: { a: uniform(shape) },
      fn: (x) => grad((a: np.Array) => weigh(lax.linalg.lu(a)[0]))(x.a),
    }),
  ),
];

const eigen = (a: np.Array, options?: Parameters<typeof lax.linalg.eigh>[1]) => {
  const [vectors, numbers] = lax.linalg.eigh(a, options);
  return { vectors, numbers };
};

/** Symmetric matrices whose eigenvalues lie about 1 apart, so that rounding does not turn the eigenvectors. */
function spread(shape: readonly number[]): Value {
  const value = uniform(shape, -0.3, 0.3);
  const n = shape[shape.length - 1];
  for (let at = 0; at < value.data.length; at += n * n) {
    for (let i = 0; i < n; i++) value.data[at + i * (n + 1)] = ((i * 5) % n) - n / 2;
  }
  return value;
}

const eigenvectors: Case[] = [
  ...[
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
    [5, 5],
    [9, 9],
    [16, 16],
    [3, 4, 4],
    [2, 1, 3, 3],
    [2, 1, 1],
  ].flatMap((shape): Case[] => [
    { name: `eigh [${shape}]`, inputs: { a: spread(shape) }, fn: (x) => eigen(x.a) },
    {
      name: `eigh [${shape}], not sorted`,
      inputs: { a: spread(shape) },
      fn: (x) => eigen(x.a, { sortEigenvalues: false }),
    },
  ]),
  { name: "eigh [32,32]", inputs: { a: spread([32, 32]) }, fn: (x) => eigen(x.a), tolerance: 3e-5 },
  ...[true, false].map(
    (lower): Case => ({
      name: `eigh of one triangle, lower=${lower}`,
      inputs: { a: spread([4, 4]) },
      fn: (x) => eigen(x.a, { lower, symmetrizeInput: false }),
    }),
  ),
  ...Object.entries({
    "equal diagonal": square(2, 1, 1, 2),
    "equal diagonal, negative": square(2, -1, -1, 2),
    "already diagonal": square(3, 0, 0, 0, -1, 0, 0, 0, 2),
    identity: square(1, 0, 0, 0, 1, 0, 0, 0, 1),
    "zeros only": square(0, 0, 0, 0),
    "two blocks": square(2, 1, 0, 0, 1, 3, 0, 0, 0, 0, 5, 2, 0, 0, 2, 1),
    "smaller than the tolerance": square(1e-7, 2e-7, 2e-7, 3e-7),
    "large numbers": square(3e4, 1e4, 1e4, -2e4),
    // The tolerance is 1e-6 of the largest entry: one sweep will do, and the vectors are left unfinished.
    "stops after the sweep that reaches the tolerance": square(1e6, 0, 0, 0, 0, 1, 2, 1.5, 0, 2, 3, 1, 0, 1.5, 1, -2),
    "a tiny entry beside large ones": square(1e6, 1e-3, 0, 1e-3, 2, 1, 0, 1, -3),
  }).map(([name, a]): Case => ({ name: `eigh: ${name}`, inputs: { a }, fn: (x) => eigen(x.a) })),
  {
    name: "eigh: a batch that is done at different times",
    inputs: { a: values([1, 0, 0, 2, 1, 0.5, 0.5, -1, 1e-8, 1e-8, 1e-8, 0], "float32", [3, 2, 2]) },
    fn: (x) => eigen(x.a),
  },
  {
    name: "eigh: NaN and infinity are left alone",
    inputs: {
      a: values([Number.NaN, 1, 1, 2, Number.POSITIVE_INFINITY, 1, 1, 0, 2, 1, 1, 0], "float32", [3, 2, 2]),
    },
    fn: (x) => eigen(x.a, { sortEigenvalues: false, symmetrizeInput: false }),
    except: GPU_EDGES,
  },
  {
    // Any basis of the eigenspace is right: only what the basis makes is compared.
    name: "eigh: repeated eigenvalues",
    inputs: { a: values([2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 2], "float32", [4, 4]) },
    fn: (x) => {
      const [v, w] = lax.linalg.eigh(x.a);
      return np.matmul(v.ref.mul(w), np.transpose(v));
    },
  },
  { name: "vmap of eigh", inputs: { a: spread([3, 4, 4]) }, fn: (x) => vmap((a: np.Array) => eigen(a))(x.a) },
  { name: "eigvalsh", inputs: { a: definite([2], 6) }, fn: (x) => np.linalg.eigvalsh(x.a) },
  ...[
    [4, 4],
    [6, 3],
    [3, 6],
    [2, 4, 3],
  ].flatMap((shape): Case[] => [
    { name: `singular values [${shape}]`, inputs: { a: uniform(shape) }, fn: (x) => np.linalg.svdvals(x.a) },
    {
      name: `singular value decomposition [${shape}], put together again`,
      inputs: { a: regular(shape) },
      fn: (x) => {
        const [u, s, vh] = lax.linalg.svd(x.a);
        return np.matmul(u.mul(np.expandDims(s, -2)), vh);
      },
    },
  ]),
  {
    name: "float64 eigh",
    inputs: { a: { type: "float64", shape: [6, 6], data: Float64Array.from(spread([6, 6]).data as Float32Array) } },
    fn: (x) => eigen(x.a),
    tolerance: 1e-11,
    except: NO_DOUBLE,
  },
];

export const factorCases: Case[] = [...pivoting, ...solving, ...eigenvectors].map(sparing);
