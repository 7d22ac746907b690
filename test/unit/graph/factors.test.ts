/** LU factors and eigenvectors as graphs: their size, batches of any number, and what they do to matrices. */
import { lax, type numpy as np } from "@jax-js/jax";
import { afterEach, describe, expect, it } from "vitest";
import { type Compiled, compile, type InputSpec, input, lower } from "../../../src/graph/compile.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { Random } from "../../../src/random.js";

type Arrays = Record<string, np.Array>;

const eigen = ({ a }: Arrays) => {
  const [v, w] = lax.linalg.eigh(a);
  return { v, w };
};
const factors = ({ a }: Arrays) => {
  const [packed, pivots, permutation] = lax.linalg.lu(a);
  return { packed, pivots, permutation };
};

let compiled: Compiled | undefined;
afterEach(() => compiled?.dispose());

const open = async (fn: (x: Arrays) => Arrays, inputs: Record<string, InputSpec>, dims = {}) => {
  compiled = await compile(fn, inputs, { runtime: nodeRuntime, threads: 1, dims });
  return compiled;
};

/** Symmetric matrices of numbers in [−1, 1). */
function symmetric(count: number, n: number): Float32Array {
  const random = new Random(3);
  const data = new Float32Array(count * n * n);
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        data[(k * n + i) * n + j] = data[(k * n + j) * n + i] = random.uniform(-1, 1);
      }
    }
  }
  return data;
}

/** Largest |A·v − w·v| and |vᵀ·v − 1| of n eigenvectors. */
function eigenError(a: Float32Array, v: ArrayLike<number>, w: ArrayLike<number>, n: number): number {
  let worst = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let [product, inner] = [0, 0];
      for (let k = 0; k < n; k++) {
        product += a[i * n + k] * v[k * n + j];
        inner += v[k * n + i] * v[k * n + j];
      }
      worst = Math.max(worst, Math.abs(product - w[j] * v[i * n + j]), Math.abs(inner - Number(i === j)));
    }
  }
  return worst;
}

/** vᵀ·A·v of every eigenvector. */
const rayleigh = (a: Float32Array, v: Float32Array, n: number): number[] =>
  Array.from({ length: n }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < n; i++) for (let k = 0; k < n; k++) sum += v[i * n + j] * a[i * n + k] * v[k * n + j];
    return sum;
  });

describe("eigenvectors", () => {
  it("are one Loop, whatever the size", async () => {
    const [small, large] = await Promise.all([3, 64].map((n) => lower(eigen, { a: input([n, n]) })));
    expect(small.stats.operators.Loop).toBe(1);
    expect(large.stats.nodes).toBe(small.stats.nodes);
  });

  it.each([2, 7, 40])("are orthonormal and fit their eigenvalues, which ascend (n = %i)", async (n) => {
    const a = symmetric(1, n);
    const { v, w } = await (await open(eigen, { a: input([n, n]) })).run({ a });
    expect(eigenError(a, v.data as Float32Array, w.data as Float32Array, n)).toBeLessThan(3e-5);
    const numbers = [...(w.data as Float32Array)];
    expect(numbers).toEqual([...numbers].sort((p, q) => p - q));
  });

  it("of a batch are those of each matrix alone", async () => {
    const n = 5;
    const a = symmetric(3, n);
    // One that is done before it begins.
    for (let i = 0; i < n * n; i++) a[n * n + i] = i % (n + 1) === 0 ? i : 0;
    const { v } = await (await open(eigen, { a: input([3, n, n]) })).run({ a });
    await compiled?.dispose();
    const alone = await open(eigen, { a: input([n, n]) });
    for (let k = 0; k < 3; k++) {
      const [from, to] = [k * n * n, (k + 1) * n * n];
      const own = await alone.run({ a: a.slice(from, to) });
      expect([...v.data.slice(from, to)]).toEqual([...own.v.data]);
    }
  });

  it("of two inputs in one graph, called like what is inside of it, keep apart", async () => {
    const fn = ({ a, iteration }: Arrays) => ({
      first: lax.linalg.eigh(a)[1],
      second: lax.linalg.eigh(iteration)[1],
    });
    const both = await open(fn, { a: input([2, 2]), iteration: input([2, 2]) });
    const found = await both.run({ a: Float32Array.of(2, 1, 1, 2), iteration: Float32Array.of(0, 4, 4, 0) });
    expect([...found.first.data].map((x) => Math.round(Number(x) * 1e5) / 1e5)).toEqual([1, 3]);
    expect([...found.second.data].map((x) => Math.round(Number(x) * 1e5) / 1e5)).toEqual([-4, 4]);
  });

  it("of a batch that is named: one graph serves all", async () => {
    // Eigenvalues are read off by a reshape with the batch's size in it; the vectors alone are free of it.
    const fn = ({ a }: Arrays) => ({ v: lax.linalg.eigh(a, { sortEigenvalues: false })[0] });
    const graph = await open(fn, { a: input(["N", 4, 4]) }, { N: [2, 3] });
    const a = symmetric(6, 4);
    const { v } = await graph.run({ a: { data: a, shape: [6, 4, 4] } });
    expect(v.shape).toEqual([6, 4, 4]);
    for (let k = 0; k < 6; k++) {
      const [own, vectors] = [a, v.data as Float32Array].map((data) => data.slice(k * 16, (k + 1) * 16));
      expect(eigenError(own, vectors, rayleigh(own, vectors, 4), 4)).toBeLessThan(1e-5);
    }
  });

  it("of matrices whose size is named are refused: the graph is that of one size", async () => {
    await expect(lower(eigen, { a: input(["N", "N"]) }, { dims: { N: [3, 4] } })).rejects.toThrow(
      /depends on its named dimensions/,
    );
  });

  it("of no matrices are none", async () => {
    const { v, w } = await (await open(eigen, { a: input([0, 3, 3]) })).run({ a: new Float32Array(0) });
    expect([v.shape, w.shape]).toEqual([
      [0, 3, 3],
      [0, 3],
    ]);
  });
});

describe("LU factors", () => {
  it("by hand: pivots are rows as they stood, the permutation is of the first order", async () => {
    // 8 leads column 0; of what is left, −0.75 (once the first row) leads −0.5 in column 1.
    const a = Float32Array.of(2, 1, 1, 4, 3, 3, 8, 7, 9);
    const { packed, pivots, permutation } = await (await open(factors, { a: input([3, 3]) })).run({ a });
    const [l10, l20, u11] = [0.25, 0.5, 1 - 0.25 * 7];
    const l21 = (3 - 0.5 * 7) / u11;
    const u12 = 1 - 0.25 * 9;
    const want = [8, 7, 9, l10, u11, u12, l20, l21, 3 - 0.5 * 9 - l21 * u12];
    want.forEach((value, i) => {
      expect(packed.data[i]).toBeCloseTo(value, 5);
    });
    expect([...pivots.data]).toEqual([2, 2, 2]);
    expect([...permutation.data]).toEqual([2, 0, 1]);
  });

  it("cost no nodes for what is not read", async () => {
    const whole = (await lower(factors, { a: input([6, 6]) })).stats.nodes;
    const alone = (await lower(({ a }: Arrays) => lax.linalg.lu(a)[0], { a: input([6, 6]) })).stats.nodes;
    expect(alone).toBeLessThan(whole - 20);
  });

  it("of a batch that is named: one graph serves all", async () => {
    const graph = await open(factors, { a: input(["N", 2, 2]) }, { N: [2, 3] });
    const a = Float32Array.of(1, 2, 4, 4, 0, 1, 1, 0, 2, 0, 0, 3, 1, 1, 1, 1);
    const { packed, permutation } = await graph.run({ a: { data: a, shape: [4, 2, 2] } });
    expect([...packed.data]).toEqual([4, 4, 0.25, 1, 1, 0, 0, 1, 2, 0, 0, 3, 1, 1, 1, 0]);
    expect([...permutation.data]).toEqual([1, 0, 1, 0, 0, 1, 0, 1]);
  });

  it.each([
    [[0, 3], [0], [0]],
    [[3, 0], [0], [0, 1, 2]],
  ])("of a matrix [%s] without entries", async (shape, pivotShape, order) => {
    const found = await (await open(factors, { a: input(shape) })).run({ a: new Float32Array(0) });
    expect(found.packed.shape).toEqual(shape);
    expect(found.pivots.shape).toEqual(pivotShape);
    expect([...found.permutation.data]).toEqual(order.slice(0, shape[0]));
  });

  it("are refused beyond 64 columns, and of whole numbers", async () => {
    await expect(lower(factors, { a: input([65, 70]) })).rejects.toThrow(
      /cannot lower .*lu is written out for matrices up to 64×64, got 65×65/s,
    );
    await expect(lower(factors, { a: input([3, 3], "int32") })).rejects.toThrow(
      /lu takes floating-point matrices, got int32/,
    );
    const tall = await lower(factors, { a: input([500, 2]) });
    expect(tall.stats.nodes).toBeLessThan(100);
  });
});
