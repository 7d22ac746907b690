/** Whole numbers, bools, bits, casts and random bits: overflow, signs, saturation, every pair of element types. */
import { DType, lax, numpy as np, random, vmap } from "@jax-js/jax";
import { bools, type Case, EDGES, integers, NO_DOUBLE, uniform, values } from "./case.js";

type Whole = "int32" | "uint32";
type Binary = (x: np.Array, y: np.Array) => np.Array;

const BINARY: Record<string, Binary> = {
  add: (x, y) => np.add(x, y),
  sub: (x, y) => np.subtract(x, y),
  mul: (x, y) => np.multiply(x, y),
  div: (x, y) => x.div(y),
  mod: (x, y) => x.mod(y),
  remainder: (x, y) => np.remainder(x, y),
  min: (x, y) => np.minimum(x, y),
  max: (x, y) => np.maximum(x, y),
  and: (x, y) => np.bitwiseAnd(x, y),
  or: (x, y) => np.bitwiseOr(x, y),
  xor: (x, y) => np.bitwiseXor(x, y),
  less: (x, y) => np.less(x, y),
  lessEqual: (x, y) => np.lessEqual(x, y),
  equal: (x, y) => np.equal(x, y),
  notEqual: (x, y) => np.notEqual(x, y),
};

const BIG: Record<Whole, number[]> = {
  int32: [0, 1, -1, 2, -3, 7, 65537, -65537, 2147483647, -2147483648, 1234567891],
  uint32: [0, 1, 2, 3, 7, 65537, 2147483647, 2147483648, 4294967295, 3000000019],
};

const arithmetic: Case[] = (["int32", "uint32"] as const).flatMap((type) =>
  Object.entries(BINARY).flatMap(([name, fn]): Case[] => {
    const divides = ["div", "mod", "remainder"].includes(name);
    const right = divides ? BIG[type].filter((v) => v !== 0) : BIG[type];
    const a = values(
      BIG[type].flatMap((x) => right.map(() => x)),
      type,
    );
    const b = values(
      BIG[type].flatMap(() => right),
      type,
    );
    // Only wasm wraps every product and every step of a composed function; only JavaScript divides −2³¹ by −1.
    const oracle = name === "mul" || name === "remainder" ? "wasm" : "cpu";
    return [
      { name: `${type} ${name}, all pairs of large numbers`, inputs: { a, b }, fn: (x) => fn(x.a, x.b), oracle },
      {
        name: `${type} ${name}, broadcast`,
        inputs: { a: integers([3, 1], type === "int32" ? -9 : 0, 9, type), b: integers([2, 1, 4], 1, 9, type) },
        fn: (x) => fn(x.a, x.b),
      },
    ];
  }),
);

const unary: Case[] = (["int32", "uint32"] as const).flatMap((type): Case[] => [
  { name: `${type} neg`, inputs: { a: values(BIG[type], type) }, fn: (x) => np.negative(x.a) },
  { name: `${type} invert`, inputs: { a: values(BIG[type], type) }, fn: (x) => np.invert(x.a) },
  { name: `${type} bit count`, inputs: { a: values(BIG[type], type) }, fn: (x) => np.bitwiseCount(x.a) },
  {
    name: `${type} divided by zero`,
    inputs: { a: values(BIG[type], type), z: values([0], type) },
    fn: (x) => ({ q: x.a.div(x.z), r: x.a.mod(x.z) }),
  },
  {
    name: `${type} divided by a number`,
    inputs: { a: values(BIG[type], type) },
    fn: (x) => ({ q: x.a.div(7), r: x.a.mod(7) }),
  },
  ...["shl", "shr"].map((way): Case => {
    const amounts = [0, 1, 5, 31];
    const a = values(
      BIG[type].flatMap((v) => amounts.map(() => v)),
      type,
    );
    const b = values(
      BIG[type].flatMap(() => amounts),
      type,
    );
    return {
      name: `${type} ${way}`,
      inputs: { a, b },
      fn: (x) => (way === "shl" ? np.leftShift(x.a, x.b) : np.rightShift(x.a, x.b)),
    };
  }),
  {
    name: `${type} shift by a number`,
    inputs: { a: values(BIG[type], type) },
    fn: (x) =>
      np.rightShift(np.leftShift(x.a, np.array(3, { dtype: type as DType })), np.array(7, { dtype: type as DType })),
  },
  {
    name: `${type} sums and products wrap around`,
    inputs: { a: values([...BIG[type], ...BIG[type]], type, [2, BIG[type].length]) },
    fn: (x) => ({ sum: np.sum(x.a, 1), prod: np.prod(np.add(x.a, 1), 0), min: np.min(x.a, 1), max: np.max(x.a) }),
    oracle: "wasm",
  },
  {
    name: `${type} matrix product`,
    inputs: { a: integers([3, 4], 0, 99, type), b: integers([4, 5], 0, 99, type) },
    fn: (x) => np.matmul(x.a, x.b),
  },
  {
    name: `${type} mixed with numbers and floats`,
    inputs: { a: integers([5], 0, 9, type), b: uniform([5]) },
    fn: (x) => ({
      p: np.add(x.a, x.b),
      q: np.multiply(x.a, 3),
      r: np.less(x.a, x.b),
      s: np.where(np.less(x.b, 0), x.a, x.b),
    }),
  },
]);

const logic: Case[] = [
  {
    name: "bool and, or, xor, not",
    inputs: { a: bools([3, 1]), b: bools([4]) },
    fn: (x) => ({
      and: np.logicalAnd(x.a, x.b),
      or: np.logicalOr(x.a, x.b),
      xor: np.logicalXor(x.a, x.b),
      not: np.logicalNot(x.a),
      bitAnd: np.bitwiseAnd(x.a, x.b),
      bitXor: np.bitwiseXor(x.a, x.b),
    }),
  },
  {
    name: "bool arithmetic is logic",
    inputs: { a: bools([3, 1]), b: bools([4]) },
    fn: (x) => ({
      add: np.add(x.a, x.b),
      mul: np.multiply(x.a, x.b),
      min: np.minimum(x.a, x.b),
      max: np.maximum(x.a, x.b),
    }),
  },
  {
    name: "bool compared",
    inputs: { a: bools([3, 1]), b: bools([4]) },
    fn: (x) => ({
      lt: np.less(x.a, x.b),
      le: np.lessEqual(x.a, x.b),
      eq: np.equal(x.a, x.b),
      ne: np.notEqual(x.a, x.b),
    }),
  },
  {
    name: "any, all, count, max, min of bools",
    inputs: { a: bools([3, 5]) },
    fn: (x) => ({
      any: np.any(x.a, 1),
      all: np.all(x.a, 0),
      count: np.countNonzero(x.a, 1),
      max: np.max(x.a),
      min: np.min(x.a),
    }),
  },
  {
    name: "bool promoted in arithmetic and choice",
    inputs: { a: bools([4]), b: uniform([4]), c: integers([4], -5, 5) },
    fn: (x) => ({ f: np.add(x.a, x.b), i: np.multiply(x.a, x.c), w: np.where(x.a, x.c, x.a) }),
  },
  {
    name: "bools moved about",
    inputs: { a: bools([2, 3]) },
    fn: (x) => ({
      pad: np.pad(x.a, [
        [1, 0],
        [0, 2],
      ]),
      cat: np.concatenate([x.a, np.logicalNot(x.a)], 1),
      flip: np.flip(x.a, 1),
      to: np.broadcastTo(x.a, [2, 2, 3]),
    }),
  },
];

const sources: Record<string, number[]> = {
  float32: [...EDGES, 2.5, -3.7, 3e9, -3e9, 5e9, 2147483648, 4294967040, 16777217],
  float64: [...EDGES, 2.5, -3.7, 3e9, -3e9, 5e9, 2147483647.5, 4294967295.5],
  int32: BIG.int32,
  uint32: BIG.uint32,
  bool: [0, 1, 1, 0],
};

const casts: Case[] = Object.entries(sources).flatMap(([from, data]) =>
  ["float32", "float64", "int32", "uint32", "bool"].map((to): Case => {
    // jax-js's JavaScript device takes NaN for false, unlike its other devices and NumPy.
    const own = to === "bool" && from.startsWith("float") ? data.filter((v) => !Number.isNaN(v)) : data;
    return {
      name: `cast ${from} to ${to}`,
      inputs: { a: values(own, from as "float32") },
      fn: (x) => x.a.astype(to as DType),
      except: from === "float64" || to === "float64" ? NO_DOUBLE : undefined,
    };
  }),
);

const bitcasts: Case[] = [
  {
    name: "float32 as uint32",
    inputs: { a: values([...EDGES.slice(1), 1e-40, -1e-42, 3.4e38, 1.1754944e-38]) },
    fn: (x) => lax.bitcastConvertType(x.a, DType.Uint32),
    except: NO_DOUBLE,
  },
  {
    name: "float32 as int32",
    inputs: { a: uniform([3, 4], -100, 100) },
    fn: (x) => lax.bitcastConvertType(x.a, DType.Int32),
    except: NO_DOUBLE,
  },
  {
    name: "uint32 as float32",
    inputs: {
      a: values([0, 1, 0x7f800000, 0xff800000, 0x3f800000, 0x80000000, 0x00800000, 0x7f7fffff, 0x7fc00000], "uint32"),
    },
    fn: (x) => lax.bitcastConvertType(x.a, DType.Float32),
  },
  {
    name: "int32 as uint32 and back",
    inputs: { a: values(BIG.int32, "int32") },
    fn: (x) => ({ u: x.a.view(DType.Uint32), s: x.a.view(DType.Uint32).view(DType.Int32) }),
  },
];

const randoms: Case[] = [
  { name: "random bits", inputs: { k: values([7, 11], "uint32") }, fn: (x) => random.bits(x.k, [3, 5]) },
  { name: "random key, split", inputs: { s: values([42], "uint32", []) }, fn: (x) => random.split(random.key(x.s), 3) },
  { name: "uniform numbers", inputs: { k: values([7, 11], "uint32") }, fn: (x) => random.uniform(x.k, [33]) },
  { name: "normal numbers", inputs: { k: values([7, 11], "uint32") }, fn: (x) => random.normal(x.k, [33]) },
  {
    name: "random bits of many keys",
    inputs: { k: integers([4, 2], 0, 4294967295, "uint32") },
    fn: (x) => vmap((k: np.Array) => random.bits(k, [3]))(x.k),
  },
  {
    name: "a key that the function closes over",
    inputs: { a: uniform([3]) },
    fn: (x) => x.a.add(random.uniform(random.key(3), [3])),
  },
];

export const wholeCases: Case[] = [...arithmetic, ...unary, ...logic, ...casts, ...bitcasts, ...randoms];
