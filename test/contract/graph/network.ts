/** What networks and losses are made of: indexing, sorting, normalisation, softmax; with gradients, vmap, jit. */
import { grad, jit, jvp, lax, nn, numpy as np, valueAndGrad, vmap } from "@jax-js/jax";
import "../../../src/graph/jax-now.js";
import { pixelShuffle2, sigmoid, softmaxLast, softplus, upsample } from "../../../src/model/operators.js";
import { sampleLinear, sampleWindows, topCells } from "../../../src/model/sampling.js";
import { bools, type Case, EDGES, GPU_EDGES, integers, twoWays, uniform, values, weigh } from "./case.js";

const indexing: Case[] = [
  {
    name: "take rows",
    inputs: { a: uniform([5, 3]), i: integers([4], 0, 5) },
    fn: (x) => np.take(x.a, x.i, 0),
  },
  {
    name: "take columns by a matrix of indices",
    inputs: { a: uniform([2, 5, 3]), i: integers([2, 2], 0, 5) },
    fn: (x) => np.take(x.a, x.i, 1),
  },
  {
    name: "take one of many",
    inputs: { a: uniform([5, 3]), i: integers([], 0, 5) },
    fn: (x) => np.take(x.a, x.i, 0),
  },
  {
    name: "take along an axis",
    inputs: { a: uniform([3, 5]), i: integers([3, 2], 0, 5) },
    fn: (x) => np.takeAlongAxis(x.a, x.i, 1),
  },
  {
    name: "pixels of a map by two index vectors",
    inputs: { a: uniform([2, 5, 6]), i: integers([7], 0, 5), j: integers([7], 0, 6) },
    fn: (x) => x.a.slice([], x.i, x.j),
  },
  {
    name: "pixels of a map by index arrays that broadcast",
    inputs: { a: uniform([5, 6, 2]), i: integers([3, 1], 0, 5), j: integers([4], 0, 6) },
    fn: (x) => x.a.slice(x.i, x.j),
  },
  {
    name: "indexed axes apart",
    inputs: { a: uniform([4, 3, 5]), i: integers([6], 0, 4), j: integers([6], 0, 5) },
    fn: (x) => x.a.slice(x.i, [], x.j),
  },
  {
    name: "gather of bools and whole numbers",
    inputs: { a: bools([5, 3]), b: integers([5], -9, 9), i: integers([4], 0, 5) },
    fn: (x) => ({ a: np.take(x.a, x.i, 0), b: np.take(x.b, x.i, 0) }),
  },
  {
    name: "gather by uint32 indices",
    inputs: { a: uniform([5, 3]), i: integers([4], 0, 5, "uint32") },
    fn: (x) => np.take(x.a, x.i, 0),
  },
  {
    name: "gather of nothing",
    inputs: { a: uniform([5, 3]), i: integers([0], 0, 5) },
    fn: (x) => np.take(x.a, x.i, 0),
  },
  {
    name: "scatter: gradient of taking rows, some of them twice",
    inputs: { a: uniform([5, 3]), i: values([1, 4, 1, 1, 0], "int32") },
    fn: (x) => {
      const { i } = x;
      return grad((a: np.Array) => weigh(np.square(np.take(a, i.ref, 0))))(x.a);
    },
  },
  {
    name: "scatter: gradient of pixels by two index vectors",
    inputs: { a: uniform([2, 4, 5]), i: integers([9], 0, 4), j: integers([9], 0, 5) },
    fn: (x) => {
      const { i, j } = x;
      return grad((a: np.Array) => weigh(np.square(a.slice([], i.ref, j.ref))))(x.a);
    },
  },
  {
    name: "scatter: gradient of taking along an axis",
    inputs: { a: uniform([3, 5]), i: integers([3, 4], 0, 5) },
    fn: (x) => {
      const { i } = x;
      return grad((a: np.Array) => weigh(np.square(np.takeAlongAxis(a, i.ref, 1))))(x.a);
    },
  },
  {
    name: "one-hot",
    inputs: { i: integers([4], 0, 6) },
    fn: (x) => nn.oneHot(x.i, 6),
  },
];

const distinct = (shape: readonly number[]) => {
  const value = uniform(shape);
  return { ...value, data: Float32Array.from(value.data, (v, i) => Math.round(v * 1000) + i / 1024) };
};
const TIES = values([3, 1, 3, 2, 1, 3, 0, 2, 1, 1, 0, 0], "float32", [2, 6]);

const sorting: Case[] = [
  { name: "sort", inputs: { a: distinct([3, 7]) }, fn: (x) => np.sort(x.a) },
  { name: "sort of the first axis", inputs: { a: distinct([5, 3]) }, fn: (x) => np.sort(x.a, 0) },
  { name: "sort with ties", inputs: { a: TIES }, fn: (x) => np.sort(x.a) },
  { name: "argsort", inputs: { a: distinct([2, 9]) }, fn: (x) => np.argsort(x.a) },
  { name: "argsort with ties keeps the order", inputs: { a: TIES }, fn: (x) => np.argsort(x.a) },
  { name: "sort of infinities", inputs: { a: values(EDGES.slice(1)) }, fn: (x) => np.sort(x.a), except: GPU_EDGES },
  { name: "sort of one", inputs: { a: uniform([3, 1]) }, fn: (x) => ({ s: np.sort(x.a), i: np.argsort(x.a) }) },
  { name: "sort of int32", inputs: { a: integers([2, 8], -99, 99) }, fn: (x) => np.sort(x.a) },
  { name: "sort of uint32", inputs: { a: integers([8], 0, 4294967295, "uint32") }, fn: (x) => np.sort(x.a) },
  { name: "sort of bools", inputs: { a: bools([2, 5]) }, fn: (x) => ({ s: np.sort(x.a), i: np.argsort(x.a) }) },
  {
    name: "gradient of sort",
    inputs: { a: distinct([2, 6]) },
    fn: (x) => grad((a: np.Array) => weigh(np.sort(a)))(x.a),
  },
  ...[1, 3, 9].flatMap((k): Case[] => [
    {
      name: `top ${k}`,
      inputs: { a: distinct([2, 9]) },
      fn: (x) => {
        const [v, i] = lax.topK(x.a, k);
        return { v, i };
      },
    },
    {
      name: `top ${k} of ties`,
      inputs: { a: TIES },
      fn: (x) => {
        const [v, i] = lax.topK(x.a, Math.min(k, 6));
        return { v, i };
      },
    },
    {
      name: `the ${k} smallest`,
      inputs: { a: distinct([2, 9]) },
      fn: (x) => np.argsort(x.a).slice([], [0, k]),
    },
  ]),
  {
    name: "top 2 of the first axis",
    inputs: { a: distinct([6, 3]) },
    fn: (x) => {
      const [v, i] = lax.topK(x.a, 2, 0);
      return { v, i };
    },
  },
  {
    name: "gradient of top 3",
    inputs: { a: distinct([2, 9]) },
    fn: (x) => grad((a: np.Array) => weigh(lax.topK(a, 3)[0]))(x.a),
  },
  {
    name: "a sort read whole and cut",
    inputs: { a: distinct([9]) },
    fn: (x) => {
      const order = np.argsort(x.a);
      return { first: order.ref.slice([0, 3]), all: order };
    },
  },
  {
    name: "two different cuts of one sort",
    inputs: { a: distinct([9]) },
    fn: (x) => {
      const order = np.argsort(x.a);
      return { first: order.ref.slice([0, 3]), last: order.slice([7, 9]) };
    },
  },
];

const l2 = (x: np.Array, axis: number) =>
  np.trueDivide(x.ref, np.sqrt(np.sum(np.square(x), axis, { keepdims: true }).add(1e-12)));

const batchNorm = (x: np.Array) => {
  const mean = np.mean(x.ref, [0, 2, 3], { keepdims: true });
  const centred = np.subtract(x, mean);
  const variance = np.mean(np.square(centred.ref), [0, 2, 3], { keepdims: true });
  return np.trueDivide(centred, np.sqrt(variance.add(1e-5)));
};

const norms: Case[] = [
  ...twoWays("softmax", [2, 3, 5], (x) => nn.softmax(x, -1)),
  ...twoWays("softmax over a map", [2, 3, 4], (x) => nn.softmax(x, [1, 2])),
  ...twoWays("softmax of large numbers", [3, 4], (x) => nn.softmax(x.mul(200), 1)),
  ...twoWays("logSoftmax", [2, 5], (x) => nn.logSoftmax(x, -1)),
  ...twoWays("logsumexp", [2, 3, 5], (x) => nn.logsumexp(x, 1)),
  ...twoWays("softplus", [9], (x) => nn.softplus(x), -30, 30),
  ...twoWays("sigmoid", [9], (x) => nn.sigmoid(x), -20, 20),
  ...twoWays("gelu", [9], (x) => nn.gelu(x)),
  ...twoWays("L2 norm over channels", [2, 6, 3, 2], (x) => l2(x, 1)),
  ...twoWays("L2 norm over the last axis", [5, 6], (x) => l2(x, -1)),
  ...twoWays("batch norm in training mode", [2, 3, 4, 5], batchNorm),
  ...twoWays("standardize", [3, 8], (x) => nn.standardize(x, -1)),
  ...twoWays("fused sigmoid", [9], (x) => sigmoid(x), -20, 20),
  ...twoWays("fused softplus", [9], (x) => softplus(x), -30, 30),
  ...[2, 4].flatMap((factor) =>
    (["half_pixel", "align_corners"] as const).flatMap((alignment) =>
      twoWays(`bilinear resizing ×${factor}, ${alignment}`, [1, 2, 3, 4], (x) => upsample(x, factor, alignment)),
    ),
  ),
];

const transformed: Case[] = [
  {
    name: "nested jit",
    inputs: { a: uniform([3, 4]) },
    fn: (x) => {
      const inner = jit((a: np.Array) => np.tanh(a).mul(2));
      const outer = jit((a: np.Array) => np.add(inner(a.ref), inner(np.transpose(a).reshape([3, 4]))));
      return outer(x.a);
    },
  },
  {
    name: "gradient through nested jit",
    inputs: { a: uniform([3, 4]) },
    fn: (x) => {
      const inner = jit((a: np.Array) => np.square(np.tanh(a)));
      return grad((a: np.Array) => weigh(inner(inner(a))))(x.a);
    },
  },
  {
    name: "jit of a gradient",
    inputs: { a: uniform([5]) },
    fn: (x) => jit(grad((a: np.Array) => weigh(np.exp(np.tanh(a)))))(x.a),
  },
  {
    name: "value and gradients of a tree",
    inputs: { a: uniform([4, 3]), b: uniform([3]) },
    fn: (x) => {
      const f = ({ a, b }: { a: np.Array; b: np.Array }) => np.sum(np.square(np.matmul(a, b)));
      const [value, { a, b }] = valueAndGrad(f)({ a: x.a, b: x.b });
      return { value, a, b };
    },
  },
  {
    name: "gradient of a gradient",
    inputs: { a: uniform([4]) },
    fn: (x) => grad((b: np.Array) => weigh(grad((a: np.Array) => np.sum(np.exp(a.ref).mul(np.square(a))))(b)))(x.a),
  },
  {
    name: "vmap of a softmax and a gather",
    inputs: { a: uniform([3, 5]), i: integers([3, 2], 0, 5) },
    fn: (x) => vmap((a: np.Array, i: np.Array) => np.take(nn.softmax(a), i, 0))(x.a, x.i),
  },
  {
    name: "vmap of a gradient",
    inputs: { a: uniform([3, 5]) },
    fn: (x) => vmap(grad((a: np.Array) => np.prod(np.exp(a))))(x.a),
  },
  {
    name: "vmap of vmap",
    inputs: { a: uniform([2, 3, 4]), b: uniform([2, 4]) },
    fn: (x) => vmap((a: np.Array, b: np.Array) => vmap((r: np.Array) => np.vecdot(r, b.ref))(a))(x.a, x.b),
  },
  {
    name: "jvp",
    inputs: { a: uniform([4]), t: uniform([4]) },
    fn: (x) => {
      const [value, tangent] = jvp((a: np.Array) => np.exp(np.square(a)), [x.a], [x.t]);
      return { value, tangent };
    },
  },
  {
    name: "cross-entropy over all similarities, as in training",
    inputs: { a: uniform([6, 4]), b: uniform([6, 4]) },
    fn: (x) => {
      const loss = (a: np.Array, b: np.Array) => {
        const s = np.matmul(l2(a, 1), np.transpose(l2(b, 1))).mul(20);
        const rows = np.sum(nn.logSoftmax(s.ref, 1).mul(np.eye(6)));
        return np.add(rows, np.sum(nn.logSoftmax(s, 0).mul(np.eye(6)))).mul(-1 / 12);
      };
      const [value, [da, db]] = valueAndGrad(loss, { argnums: [0, 1] })(x.a, x.b);
      return { value, da, db };
    },
  },
];

/** Points inside, on the edge, half outside and far outside of a 5 × 4 map. */
const POINTS = values(
  [0, 0, 4, 3, 1.25, 2.5, -0.5, 1, 4.75, 3.25, -3, 1, 2, 9, 3.999, 0.001, 2.5, -0.25, 0.1, 0.9],
  "float32",
  [1, 2, 5, 2],
);
const OFFSETS = values([0, 0, -1, 2, 1, 0, -2, -2], "float32", [4, 2]);
const CELLS = { ...POINTS, shape: [2, 5, 2], data: Float32Array.from(POINTS.data as Float32Array, Math.round) };

const maps: Case[] = [
  {
    name: "bilinear samples of a map, zeros outside",
    inputs: { a: uniform([1, 3, 4, 5]), p: POINTS },
    fn: (x) => sampleLinear(x.a, x.p),
  },
  {
    name: "windows of two maps, zeros outside",
    inputs: { a: uniform([2, 1, 4, 5]), p: CELLS, o: OFFSETS },
    fn: (x) => sampleWindows(x.a, x.p, x.o),
  },
  ...twoWays("softmax of the last of three axes", [2, 3, 5], (x) => softmaxLast(x)),
  {
    name: "many rows times one matrix",
    inputs: { a: uniform([2, 4, 3]), b: uniform([3, 5]) },
    fn: (x) => np.matmul(x.a, x.b),
  },
  {
    name: "channels to pixels",
    inputs: { a: uniform([2, 8, 3, 5]) },
    fn: (x) => pixelShuffle2(x.a),
  },
  {
    name: "samples of a batch, each of its own map",
    inputs: { a: uniform([2, 3, 4, 5]), p: uniform([2, 1, 7, 2], -1, 5) },
    fn: (x) => sampleLinear(x.a, x.p),
  },
  {
    name: "gradient of bilinear samples",
    inputs: { a: uniform([1, 2, 4, 5]), p: POINTS },
    fn: (x) => {
      const { p } = x;
      return grad((a: np.Array) => weigh(np.square(sampleLinear(a, p.ref))))(x.a);
    },
  },
  {
    name: "the largest cells of two maps, in order, ties to the first",
    inputs: { a: { ...TIES, shape: [2, 1, 2, 3] }, k: uniform([4]) },
    fn: (x) => topCells(x.a, x.k),
  },
  {
    name: "all cells of a map in order",
    inputs: { a: distinct([1, 1, 4, 6]), k: uniform([24]) },
    fn: (x) => topCells(x.a, x.k),
  },
];

export const networkCases: Case[] = [...indexing, ...sorting, ...norms, ...maps, ...transformed];
