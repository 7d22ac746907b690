/** Elementwise primitives on float32: plain values, broadcasting, edges (NaN, infinities, signed zeros), gradients. */
import { grad, lax, numpy as np } from "@jax-js/jax";
import { type Case, EDGES, edgePairs, GPU_EDGES, uniform, values, weigh } from "./case.js";

type Unary = (x: np.Array) => np.Array;
type Binary = (x: np.Array, y: np.Array) => np.Array;

/** [function, low, high] where it is smooth. */
const UNARY: Record<string, [Unary, number, number]> = {
  neg: [(x) => np.negative(x), -2, 2],
  reciprocal: [(x) => np.reciprocal(x), 0.5, 2],
  floor: [(x) => np.floor(x), -4, 4],
  ceil: [(x) => np.ceil(x), -4, 4],
  trunc: [(x) => np.trunc(x), -4, 4],
  sin: [(x) => np.sin(x), -6, 6],
  cos: [(x) => np.cos(x), -6, 6],
  tan: [(x) => np.tan(x), -1, 1],
  asin: [(x) => np.asin(x), -0.95, 0.95],
  acos: [(x) => np.acos(x), -0.95, 0.95],
  atan: [(x) => np.atan(x), -6, 6],
  exp: [(x) => np.exp(x), -6, 6],
  log: [(x) => np.log(x), 0.1, 9],
  erf: [(x) => lax.erf(x), -3, 3],
  erfc: [(x) => lax.erfc(x), -3, 3],
  sqrt: [(x) => np.sqrt(x), 0.1, 9],
  tanh: [(x) => np.tanh(x), -3, 3],
  abs: [(x) => np.absolute(x), -2, 2],
  sign: [(x) => np.sign(x), -2, 2],
  square: [(x) => np.square(x), -2, 2],
  stopGradient: [(x) => lax.stopGradient(x), -2, 2],
  round: [(x) => np.round(x), -4, 4],
  isnan: [(x) => np.isnan(x), -4, 4],
};

const BINARY: Record<string, Binary> = {
  add: (x, y) => np.add(x, y),
  sub: (x, y) => np.subtract(x, y),
  mul: (x, y) => np.multiply(x, y),
  div: (x, y) => np.trueDivide(x, y),
  min: (x, y) => np.minimum(x, y),
  max: (x, y) => np.maximum(x, y),
  mod: (x, y) => x.mod(y),
  remainder: (x, y) => np.remainder(x, y),
  floorDivide: (x, y) => np.floorDivide(x, y),
  hypot: (x, y) => np.hypot(x, y),
};

const COMPARE: Record<string, Binary> = {
  less: (x, y) => np.less(x, y),
  lessEqual: (x, y) => np.lessEqual(x, y),
  greater: (x, y) => np.greater(x, y),
  greaterEqual: (x, y) => np.greaterEqual(x, y),
  equal: (x, y) => np.equal(x, y),
  notEqual: (x, y) => np.notEqual(x, y),
};

/** Pairs of shapes that broadcast: equal, size-1 axes on either side, missing axes, no axes at all. */
const PAIRS: [number[], number[]][] = [
  [
    [3, 4],
    [3, 4],
  ],
  [
    [3, 1],
    [1, 4],
  ],
  [[4], [2, 3, 4]],
  [[], [2, 3]],
  [[], []],
  [
    [2, 1, 3],
    [1, 4, 1],
  ],
  [[1, 1], [5]],
];

/** WGSL promises sine and cosine to 2⁻¹¹ only. */
const gpuTolerance = 2 ** -11;

const unary: Case[] = Object.entries(UNARY).flatMap(([name, [fn, low, high]]) => [
  ...[[], [7], [2, 1, 3], [1, 1], [0, 3]].map(
    (shape): Case => ({
      name: `${name} [${shape}]`,
      inputs: { a: uniform(shape, low, high) },
      fn: (x) => fn(x.a),
      gpuTolerance,
    }),
  ),
  { name: `${name} at edges`, inputs: { a: values(EDGES) }, fn: (x) => fn(x.a), except: GPU_EDGES },
]);

const SMOOTH = Object.entries(UNARY).filter(([name]) => name !== "isnan");

const unaryGradients: Case[] = SMOOTH.map(([name, [fn, low, high]]) => ({
  name: `gradient of ${name}`,
  inputs: { a: uniform([2, 1, 5], low, high) },
  fn: (x) => grad((a: np.Array) => weigh(fn(a)))(x.a),
  gpuTolerance,
}));

const binary: Case[] = Object.entries({ ...BINARY, ...COMPARE }).flatMap(([name, fn]) =>
  PAIRS.map(([a, b]) => ({
    name: `${name} [${a}] [${b}]`,
    inputs: { a: uniform(a), b: uniform(b, 0.5, 2) },
    fn: (x) => fn(x.a, x.b),
  })),
);

const binaryGradients: Case[] = Object.entries(BINARY).flatMap(([name, fn]) =>
  // jax-js's interpreter divides a lone number by an array to 0 in mod's gradient; its own jaxpr says otherwise.
  PAIRS.filter(([a]) => name !== "mod" || a.some((size) => size > 1)).map(([a, b]) => ({
    name: `gradient of ${name} [${a}] [${b}]`,
    inputs: { a: uniform(a), b: uniform(b, 0.5, 2) },
    fn: (x) => {
      const [da, db] = grad((a: np.Array, b: np.Array) => weigh(fn(a, b)), { argnums: [0, 1] })(x.a, x.b);
      return { da, db };
    },
  })),
);

// Composed functions are left out: jax-js computes their intermediate steps in double, where less overflows.
const pairs = edgePairs();
const { hypot: _, remainder: __, floorDivide: ___, ...SIMPLE } = BINARY;
const binaryEdges: Case[] = Object.entries({ ...SIMPLE, ...COMPARE }).map(([name, fn]) => ({
  name: `${name} at edges`,
  inputs: pairs,
  fn: (x) => fn(x.a, x.b),
}));

const choices: Case[] = [
  {
    name: "where, every operand broadcast",
    inputs: { c: uniform([3, 1]), a: uniform([4]), b: uniform([2, 1, 1]) },
    fn: (x) => np.where(np.less(x.c, 0), x.a, x.b),
  },
  {
    name: "where with numbers on both sides",
    inputs: { a: uniform([3, 4]) },
    fn: (x) => np.where(np.less(x.a, 0), 1, np.where(np.less(x.a, 1), x.a, -3)),
  },
  {
    name: "where keeps what it does not choose out: no NaN from the other side",
    inputs: { a: values([-1, 0, 1, 4]) },
    fn: (x) => np.where(np.less(x.a, 0), 0, np.sqrt(x.a)),
  },
  {
    name: "gradient of where",
    inputs: { a: uniform([3, 1]), b: uniform([4]) },
    fn: (x) => {
      const f = (a: np.Array, b: np.Array) => weigh(np.where(np.less(a.ref, b.ref), np.square(a), np.exp(b)));
      const [da, db] = grad(f, { argnums: [0, 1] })(x.a, x.b);
      return { da, db };
    },
  },
  { name: "clip", inputs: { a: uniform([3, 5], -4, 4) }, fn: (x) => np.clip(x.a, -1, 2) },
  {
    name: "gradient of clip",
    inputs: { a: uniform([3, 5], -4, 4) },
    fn: (x) => grad((a: np.Array) => weigh(np.clip(a, -1, 2)))(x.a),
  },
  { name: "max with zero at edges", inputs: { a: values(EDGES) }, fn: (x) => np.maximum(x.a, 0), except: GPU_EDGES },
  { name: "min with zero at edges", inputs: { a: values(EDGES) }, fn: (x) => np.minimum(0, x.a) },
  {
    name: "a quotient whose divisor has other readers",
    inputs: { a: uniform([3, 4]), b: uniform([4], 0.5, 2) },
    fn: (x) => {
      const r = np.reciprocal(x.b);
      return { q: np.multiply(x.a, r.ref), r };
    },
  },
  {
    name: "erfc far out, relative to itself",
    inputs: { a: uniform([9], 3, 8) },
    fn: (x) => np.log(lax.erfc(x.a)),
    // jax-js's own erfc is good to 1e-7 of 1, not of itself; Python's agrees with the graph to 1e-6.
    tolerance: 1e-3,
  },
  {
    name: "powers and roots",
    inputs: { a: uniform([3, 4], 0.2, 3), b: uniform([4], -2, 2) },
    fn: (x) => ({ power: np.power(x.a, x.b), cbrt: np.cbrt(x.a), log1p: np.log1p(x.a), expm1: np.expm1(x.b) }),
  },
];

export const elementwiseCases: Case[] = [
  ...unary,
  ...unaryGradients,
  ...binary,
  ...binaryGradients,
  ...binaryEdges,
  ...choices,
];
