/** Primitives that move data, and reductions: on float32, whole numbers, empty axes, behind views, with gradients. */
import { grad, numpy as np } from "@jax-js/jax";
import { type Case, EDGES, integers, type Map1, uniform, values, weigh } from "./case.js";

/** Movements of a [2, 3, 4] array; each is run plain, behind a transpose, behind a broadcast, and differentiated. */
const MOVES: Record<string, Map1> = {
  transpose: (x) => np.transpose(x, [2, 0, 1]),
  "transpose twice": (x) => np.transpose(np.transpose(x, [2, 0, 1]), [1, 0, 2]),
  reshape: (x) => x.reshape([4, 6]),
  "reshape by size-1 axes": (x) => x.reshape([2, 1, 3, 1, 4]),
  "reshape of a transpose": (x) => np.transpose(x, [1, 2, 0]).reshape([3, 8]),
  squeeze: (x) => np.squeeze(x.slice([], [1, 2])),
  broadcast: (x) => np.broadcastTo(x.reshape([2, 1, 3, 4]), [2, 5, 3, 4]),
  flip: (x) => np.flip(x, [0, 2]),
  "flip everything": (x) => np.flip(x),
  shrink: (x) => x.slice([], [1, 3], [0, 2]),
  "shrink to nothing": (x) => x.slice([], [1, 1]),
  pad: (x) =>
    np.pad(x, [
      [0, 1],
      [2, 0],
      [1, 1],
    ]),
  "pad and cut": (x) =>
    np
      .pad(x, [
        [0, 0],
        [1, 1],
        [0, 0],
      ])
      .slice([], [1, 4]),
  concatenate: (x) => np.concatenate([x.ref, np.square(x.ref), x], 1),
  stack: (x) => np.stack([x.ref, x], -1),
  split: (x) => {
    const [a, b] = np.split(x, [1], 2);
    return np.concatenate([b, a], 2);
  },
  roll: (x) => np.roll(x, 2, 2),
  tile: (x) => np.tile(x, [1, 2, 1]),
  repeat: (x) => np.repeat(x, 2, 1),
  "swap and add": (x) => np.transpose(x.ref, [1, 0, 2]).add(x.slice([0, 1], [0, 1])),
  diagonal: (x) => x.diagonal(1, 1, 2),
};

/** Reductions of a [2, 3, 4] array. */
const REDUCTIONS: Record<string, Map1> = {
  "sum of everything": (x) => np.sum(x),
  "sum of the middle": (x) => np.sum(x, 1),
  "sum of two": (x) => np.sum(x, [0, 2], { keepdims: true }),
  "sum of no axis": (x) => np.sum(x, []),
  prod: (x) => np.prod(x, 2),
  min: (x) => np.min(x, 1),
  max: (x) => np.max(x, [0, 1]),
  mean: (x) => np.mean(x, 0),
  variance: (x) => np.var_(x, 2),
  argmax: (x) => np.argmax(x, 1).astype(np.float32),
  cumsum: (x) => np.cumsum(x, 1),
  norm: (x) => np.linalg.norm(x.reshape([6, 4]), { axis: 1 }),
};

const BEHIND: Record<string, Map1> = {
  plain: (x) => x,
  "behind a transpose": (x) => np.transpose(x.reshape([3, 4, 2]), [2, 0, 1]),
  "behind a broadcast": (x) => np.broadcastTo(x.slice([], [0, 1]), [2, 3, 4]),
};

const both = { ...MOVES, ...REDUCTIONS };
const noGradient = ["argmax", "shrink to nothing"];

const plain: Case[] = Object.entries(both).flatMap(([name, fn]) =>
  Object.entries(BEHIND).map(([where, before]) => ({
    name: `${name}, ${where}`,
    inputs: { a: uniform([2, 3, 4], 0.5, 2) },
    fn: (x) => fn(before(x.a)),
  })),
);

const gradients: Case[] = Object.entries(both)
  .filter(([name]) => !noGradient.includes(name))
  .flatMap(([name, fn]) =>
    Object.entries(BEHIND).map(([where, before]) => ({
      name: `gradient of ${name}, ${where}`,
      inputs: { a: uniform([2, 3, 4], 0.5, 2) },
      fn: (x) => grad((a: np.Array) => weigh(np.square(fn(before(a)))))(x.a),
    })),
  );

const others: Case[] = [
  ...Object.entries(MOVES).map(
    ([name, fn]): Case => ({
      name: `${name} of int32`,
      inputs: { a: integers([2, 3, 4], -9, 9) },
      fn: (x) => (name === "concatenate" ? np.concatenate([x.a, x.a], 1) : fn(x.a)),
    }),
  ),
  ...(["sum", "min", "max", "prod"] as const).map(
    (op): Case => ({
      name: `${op} with NaN and infinities`,
      inputs: { a: values([...EDGES, 1, 2, 3, 4, Number.POSITIVE_INFINITY], "float32", [4, 4]) },
      fn: (x) => np[op](x.a, 1),
    }),
  ),
  {
    name: "sum over an empty axis",
    inputs: { a: uniform([3, 0]), b: uniform([3, 2]) },
    fn: (x) => ({ sum: np.sum(x.a, 1), cat: np.concatenate([x.a, x.b], 1) }),
  },
  {
    name: "concatenate of mixed types",
    inputs: { a: integers([2, 3], 0, 9), b: uniform([2, 2]) },
    fn: (x) => np.concatenate([x.a, x.b], 1),
  },
  { name: "sum of a number repeated", inputs: { a: uniform([3]) }, fn: (x) => np.sum(np.broadcastTo(x.a, [5, 3])) },
  {
    name: "product of a number repeated",
    inputs: { a: uniform([3], 0.5, 1.5) },
    fn: (x) => np.prod(np.broadcastTo(x.a, [5, 3]), 0),
  },
  {
    name: "a constant alone",
    inputs: { a: uniform([2]) },
    fn: (x) => ({ a: x.a, zeros: np.zeros([2, 3]), iota: np.arange(5), eye: np.eye(3) }),
  },
  {
    name: "one value, two names",
    inputs: { a: uniform([2]) },
    fn: (x) => ({ a: np.exp(x.a), b: np.exp(x.a), c: x.a }),
  },
  { name: "triangles", inputs: { a: uniform([4, 4]) }, fn: (x) => ({ l: np.tril(x.a), u: np.triu(x.a, 1) }) },
];

export const movementCases: Case[] = [...plain, ...gradients, ...others];
