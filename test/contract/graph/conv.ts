/** Matrix products and convolutions: every stride, padding, dilation and group in use, forward and both gradients. */
import { grad, lax, numpy as np, vmap } from "@jax-js/jax";
import { type Case, integers, uniform, weigh } from "./case.js";

type Binary = (x: np.Array, y: np.Array) => np.Array;

/** A function of two arrays plain, with both gradients, and with the gradients of its square (which has two paths). */
function threeWays(
  name: string,
  a: readonly number[],
  b: readonly number[],
  fn: Binary,
  except?: Case["except"],
): Case[] {
  const inputs = { a: uniform(a, -1, 1), b: uniform(b, -1, 1) };
  return [
    { name, inputs, fn: (x) => fn(x.a, x.b), except },
    {
      name: `gradients of ${name}`,
      inputs,
      fn: (x) => {
        const [da, db] = grad((a: np.Array, b: np.Array) => weigh(fn(a, b)), { argnums: [0, 1] })(x.a, x.b);
        return { da, db };
      },
      except,
    },
    {
      name: `gradients of the square of ${name}`,
      inputs,
      fn: (x) => {
        const f = (a: np.Array, b: np.Array) => weigh(np.square(fn(a, b)));
        const [da, db] = grad(f, { argnums: [0, 1] })(x.a, x.b);
        return { da, db };
      },
      except,
    },
  ];
}

/** [left, right]: vectors, matrices, batches on either side, broadcast batches, axes of length 1 and 0. */
const PRODUCTS: [number[], number[]][] = [
  [[4], [4]],
  [
    [3, 4],
    [4, 5],
  ],
  [[3, 4], [4]],
  [[4], [4, 5]],
  [
    [2, 3, 4],
    [2, 4, 5],
  ],
  [
    [2, 3, 4],
    [4, 5],
  ],
  [
    [2, 1, 3, 4],
    [1, 2, 4, 5],
  ],
  [
    [1, 4],
    [4, 1],
  ],
  [
    [3, 1],
    [1, 5],
  ],
  [
    [1, 1],
    [1, 1],
  ],
];

const products: Case[] = [
  ...PRODUCTS.flatMap(([a, b]) => threeWays(`matmul [${a}] [${b}]`, a, b, (x, y) => np.matmul(x, y))),
  ...threeWays("matmul of transposes", [4, 3], [5, 4], (x, y) => np.matmul(np.transpose(x), np.transpose(y))),
  ...threeWays("inner product of all descriptors", [2, 6, 4], [2, 7, 4], (x, y) =>
    np.matmul(x, np.transpose(y, [0, 2, 1])),
  ),
  ...threeWays("vecdot", [2, 3, 4], [3, 4], (x, y) => np.vecdot(x, y)),
  ...threeWays("tensordot over two axes", [2, 3, 4], [3, 4, 5], (x, y) => np.tensordot(x, y, 2)),
  ...threeWays("outer", [3], [4], (x, y) => np.outer(x, y)),
  ...threeWays("product with something repeated", [3, 1], [4, 5], (x, y) => np.matmul(np.broadcastTo(x, [3, 4]), y)),
  {
    name: "matmul over an empty axis",
    inputs: { a: uniform([3, 0]), b: uniform([0, 2]) },
    fn: (x) => np.matmul(x.a, x.b),
  },
  {
    name: "matmul without rows",
    inputs: { a: uniform([0, 4]), b: uniform([4, 2]) },
    fn: (x) => np.matmul(x.a, x.b),
  },
  {
    name: "matmul of whole numbers with floats",
    inputs: { a: integers([3, 4], -5, 5), b: uniform([4, 2]) },
    fn: (x) => np.matmul(x.a, x.b),
  },
  {
    name: "vmap of a product",
    inputs: { a: uniform([3, 4, 5]), b: uniform([3, 5]) },
    fn: (x) => vmap((a: np.Array, b: np.Array) => np.matmul(a, b))(x.a, x.b),
  },
];

interface Sweep {
  map: number[];
  kernel: number[];
  strides?: number[];
  padding?: [number, number][] | "SAME" | "VALID";
  lhsDilation?: number[];
  rhsDilation?: number[];
  groups?: number;
  except?: Case["except"];
}

const NO_3D = {
  "node-webgpu": "its ConvTranspose is for one or two axes",
  "web-webgpu": "its ConvTranspose is for one or two axes",
};

const SWEEPS: Record<string, Sweep> = {
  "3×3": { map: [2, 3, 6, 5], kernel: [4, 3, 3, 3] },
  "3×3 padded": {
    map: [2, 3, 6, 5],
    kernel: [4, 3, 3, 3],
    padding: [
      [1, 1],
      [1, 1],
    ],
  },
  "3×3 stride 2, odd map": {
    map: [2, 3, 7, 5],
    kernel: [4, 3, 3, 3],
    strides: [2, 2],
    padding: [
      [1, 1],
      [1, 1],
    ],
  },
  "3×3 stride 2, even map": {
    map: [2, 3, 8, 6],
    kernel: [4, 3, 3, 3],
    strides: [2, 2],
    padding: [
      [1, 1],
      [1, 1],
    ],
  },
  "3×3 padded on one side only": {
    map: [1, 2, 6, 5],
    kernel: [3, 2, 3, 3],
    strides: [2, 1],
    padding: [
      [0, 1],
      [2, 0],
    ],
  },
  "3×3 padded wider than its reach": {
    map: [1, 2, 4, 3],
    kernel: [2, 2, 3, 3],
    padding: [
      [3, 4],
      [4, 3],
    ],
  },
  "3×3 with negative padding": {
    map: [1, 2, 6, 7],
    kernel: [2, 2, 3, 3],
    padding: [
      [-1, 0],
      [1, -2],
    ],
  },
  "3×3 dilated": {
    map: [2, 2, 8, 7],
    kernel: [3, 2, 3, 3],
    rhsDilation: [2, 1],
    padding: [
      [2, 2],
      [1, 1],
    ],
  },
  "3×3 dilated, stride 2": {
    map: [1, 2, 9, 8],
    kernel: [3, 2, 3, 3],
    strides: [2, 2],
    rhsDilation: [2, 2],
    padding: "SAME",
  },
  "7×7 stride 2, as a stem": {
    map: [1, 3, 16, 13],
    kernel: [4, 3, 7, 7],
    strides: [2, 2],
    padding: [
      [3, 3],
      [3, 3],
    ],
  },
  "2×5": { map: [2, 3, 6, 8], kernel: [4, 3, 2, 5], strides: [1, 2] },
  "1×1": { map: [2, 5, 4, 3], kernel: [6, 5, 1, 1] },
  "1×1 stride 2": { map: [2, 5, 5, 4], kernel: [6, 5, 1, 1], strides: [2, 2] },
  "stride 3 with a rest": { map: [1, 2, 9, 10], kernel: [3, 2, 2, 2], strides: [3, 3] },
  "one image, one channel": { map: [1, 1, 5, 5], kernel: [1, 1, 3, 3], padding: "SAME" },
  "a map smaller than the kernel": {
    map: [2, 3, 2, 3],
    kernel: [4, 3, 3, 3],
    padding: [
      [1, 1],
      [1, 1],
    ],
  },
  "a map of one pixel": {
    map: [2, 3, 1, 1],
    kernel: [4, 3, 3, 3],
    padding: [
      [1, 1],
      [1, 1],
    ],
  },
  "a kernel as large as the map": { map: [2, 3, 4, 5], kernel: [6, 3, 4, 5] },
  "transposed, stride 2": {
    map: [2, 3, 4, 5],
    kernel: [4, 3, 3, 3],
    lhsDilation: [2, 2],
    padding: [
      [1, 2],
      [1, 2],
    ],
  },
  "1-d": { map: [2, 3, 9], kernel: [4, 3, 3], strides: [2], padding: [[1, 0]] },
  "3-d": { map: [1, 2, 4, 5, 3], kernel: [3, 2, 2, 3, 2], strides: [1, 2, 1], except: NO_3D },
  "no spatial axes": { map: [2, 3], kernel: [4, 3] },
  "2 groups": { map: [2, 4, 6, 5], kernel: [6, 2, 3, 3], padding: "SAME", groups: 2 },
  "depthwise, stride 2": { map: [2, 3, 6, 5], kernel: [3, 1, 3, 3], strides: [2, 2], padding: "SAME", groups: 3 },
};

const convolutions: Case[] = Object.entries(SWEEPS).flatMap(
  ([name, { map, kernel, strides, padding, lhsDilation, rhsDilation, groups, except }]) =>
    threeWays(
      `conv ${name}`,
      map,
      kernel,
      (x, y) =>
        lax.convGeneralDilated(x, y, strides ?? kernel.slice(2).map(() => 1), padding ?? "VALID", {
          lhsDilation,
          rhsDilation,
          featureGroupCount: groups,
        }),
      except,
    ),
);

const others: Case[] = [
  ...threeWays("convTranspose", [2, 3, 4, 5], [3, 4, 2, 2], (x, y) =>
    lax.convTranspose(x, y, [2, 2], "VALID", { transposeKernel: true }),
  ),
  ...threeWays("two convolutions and a ReLU", [1, 2, 6, 6], [2, 2, 3, 3], (x, y) =>
    lax.conv(np.maximum(lax.conv(x, y.ref, [1, 1], "SAME"), 0), y, [2, 2], "SAME"),
  ),
  ...threeWays("convolution of a transpose", [6, 5, 2, 2], [3, 2, 3, 3], (x, y) =>
    lax.conv(np.transpose(x, [2, 3, 0, 1]), y, [1, 1], "SAME"),
  ),
  ...threeWays("convolve", [9], [4], (x, y) => np.convolve(x, y)),
  ...threeWays("vmap of a convolution over maps and kernels", [3, 2, 2, 5, 5], [3, 2, 2, 3, 3], (x, y) =>
    vmap((a: np.Array, b: np.Array) => lax.conv(a, b, [1, 1], "SAME"))(x, y),
  ),
];

export const convCases: Case[] = [...products, ...convolutions, ...others];
