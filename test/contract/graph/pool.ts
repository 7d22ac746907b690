/** Windows: every reduction over overlapping, separate, padded and sparse windows, with gradients; ties. */
import { grad, lax, numpy as np } from "@jax-js/jax";
import { type Case, integers, type Map1, twoWays, uniform, values, weigh } from "./case.js";

/** Zero padding of the last two axes. */
const padded = (x: np.Array, before: number, after: number) => {
  const rest = Array.from({ length: x.ndim - 2 }, (): [number, number] => [0, 0]);
  return np.pad(x, [...rest, [before, after], [before, after]]);
};

const REDUCERS: Record<string, Map1> = {
  max: (x) => np.max(x),
  min: (x) => np.min(x),
  sum: (x) => np.sum(x),
  mean: (x) => np.mean(x),
};

export const poolCases: Case[] = [
  ...Object.entries(REDUCERS).flatMap(([op, reducer]) => [
    ...twoWays(`${op} over 2×2, apart`, [2, 3, 6, 4], (x) => lax.reduceWindow(x, reducer, [2, 2], [2, 2])),
    ...twoWays(`${op} over 3×3, overlapping`, [2, 3, 7, 5], (x) => lax.reduceWindow(x, reducer, [3, 3], [2, 2])),
    ...twoWays(`${op} over 3×3, at every pixel`, [1, 2, 5, 4], (x) => lax.reduceWindow(x, reducer, [3, 3])),
    ...twoWays(`${op} with padding`, [2, 3, 7, 6], (x) => lax.reduceWindow(padded(x, 1, 1), reducer, [3, 3], [2, 2])),
    ...twoWays(`${op} with padding on one side`, [1, 2, 5, 5], (x) =>
      lax.reduceWindow(padded(x, 0, 1), reducer, [2, 2], [2, 2]),
    ),
    ...twoWays(`${op} with padding as wide as the window`, [1, 2, 5, 5], (x) =>
      lax.reduceWindow(padded(x, 2, 2), reducer, [2, 2], [2, 2]),
    ),
    ...twoWays(`${op} of a ReLU with padding`, [2, 3, 6, 6], (x) =>
      lax.reduceWindow(padded(np.maximum(x, 0), 1, 1), reducer, [3, 3], [2, 2]),
    ),
    ...twoWays(`${op} with gaps between windows`, [1, 1, 8, 7], (x) => lax.reduceWindow(x, reducer, [2, 2], [3, 3])),
    ...twoWays(`${op} over a whole map`, [2, 3, 4, 4], (x) => lax.reduceWindow(x, reducer, [4, 4])),
    ...twoWays(`${op} of one channel without batch`, [6, 5], (x) => lax.reduceWindow(x, reducer, [2, 3])),
    ...twoWays(`${op} of a vector`, [9], (x) => lax.reduceWindow(x, reducer, [3], [2])),
    ...twoWays(`${op} behind a transpose`, [3, 6, 6], (x) =>
      lax.reduceWindow(np.transpose(x, [1, 2, 0]).reshape([6, 6, 3]), reducer, [2, 2], [2, 1]),
    ),
  ]),
  {
    name: "max over whole numbers",
    inputs: { a: integers([1, 2, 6, 6], -9, 9) },
    fn: (x) => lax.reduceWindow(x.a, (w) => np.max(w), [2, 2], [2, 2]),
  },
  {
    name: "max over windows with ties shares its gradient",
    inputs: { a: values([1, 1, 0, 1, 1, 1, 0, 0, 1], "float32", [1, 1, 3, 3]) },
    fn: (x) => grad((a: np.Array) => weigh(lax.reduceWindow(a, (w) => np.max(w), [2, 2])))(x.a),
  },
  {
    name: "windows read twice",
    inputs: { a: uniform([1, 2, 6, 6]) },
    fn: (x) => lax.reduceWindow(x.a, (w) => np.max(w.ref).sub(np.min(w)), [2, 2], [2, 2]),
  },
];
