/** Which operators a function becomes, where a rewriting or a pattern decides it; structure.test.ts has the large patterns. */
import { grad, jit, lax, nn, numpy as np } from "@jax-js/jax";
import { describe, expect, it } from "vitest";
import { type InputSpec, input, lower } from "../../../src/graph/compile.js";
import type { Tree } from "../../../src/graph/trace.js";

/** Operators of a function's graph, without the Identity of each output. */
async function operators(fn: (x: never) => Tree<np.Array>, inputs: Tree<InputSpec>): Promise<Record<string, number>> {
  const { stats } = await lower(fn, inputs);
  const { Identity: _, ...rest } = stats.operators;
  return rest;
}

type Pair = { x: np.Array; w: np.Array };
const map = input([2, 3, 9, 7]);
const kernel = input([4, 3, 3, 3]);
const convolve = (x: np.Array, w: np.Array, stride = 1) =>
  lax.conv(
    x,
    w,
    [stride, stride],
    [
      [1, 1],
      [1, 1],
    ],
  );

describe("elementwise operations", () => {
  it("broadcast by themselves, without an Expand", async () => {
    const found = await operators(
      ({ x, w }: Pair) =>
        np.multiply(np.add(x, w.ref.reshape([3, 1, 1])), np.broadcastTo(np.exp(w), [9, 7, 3]).transpose([2, 0, 1])),
      { x: map, w: input([3]) },
    );
    expect(found.Expand).toBeUndefined();
    expect(found.Transpose).toBeUndefined();
    expect(found).toMatchObject({ Add: 1, Mul: 1, Exp: 1 });
  });

  it("are computed before a broadcast, not after", async () => {
    const { stats } = await lower((x: np.Array) => np.sum(np.exp(np.broadcastTo(x, [1000, 3]))), input([3]));
    expect(stats.operators).toMatchObject({ Exp: 1, ReduceSum: 1, Mul: 1 });
    expect(stats.operators.Expand).toBeUndefined();
  });

  it("are made once where they are written twice", async () => {
    expect(await operators((x: np.Array) => np.add(np.exp(x.ref), np.exp(x)), input([3]))).toEqual({ Exp: 1, Add: 1 });
  });

  it("write a quotient as one Div and max(x, 0) as Relu", async () => {
    expect(await operators(({ x, w }: Pair) => np.trueDivide(x, w), { x: map, w: map })).toEqual({ Div: 1 });
    expect(await operators((x: np.Array) => nn.relu(x), map)).toEqual({ Relu: 1 });
  });

  it("drop factors of one and gather constant ones", async () => {
    expect(await operators((x: np.Array) => np.exp(x).mul(1).mul(4).mul(0.5), map)).toEqual({ Exp: 1, Mul: 1 });
    expect(await operators((x: np.Array) => np.exp(x).mul(4).mul(0.25), map)).toEqual({ Exp: 1 });
  });
});

describe("matrix products", () => {
  it("are one MatMul over batch, left and right axes", async () => {
    const found = await operators(({ x, w }: Pair) => np.matmul(x, w), { x: input([2, 5, 4]), w: input([2, 4, 6]) });
    expect(found).toEqual({ MatMul: 1 });
  });
});

describe("convolutions", () => {
  it("are a Conv and a Relu, which runtimes fuse", async () => {
    const found = await operators(({ x, w }: Pair) => nn.relu(convolve(x, w)), { x: map, w: kernel });
    expect(found).toEqual({ Conv: 1, Relu: 1 });
  });

  it("stay a Conv over maps smaller than the kernel", async () => {
    for (const size of [1, 2, 3]) {
      const inputs = { x: input([2, 3, size, size + 1]), w: kernel };
      expect(await operators(({ x, w }: Pair) => convolve(x, w), inputs)).toEqual({ Conv: 1 });
    }
  });

  it("have a weight gradient of one MatMul a kernel offset, whatever the map's size", async () => {
    const loss = (w: np.Array, x: np.Array) => np.sum(np.square(convolve(x, w, 2)));
    for (const size of [5, 20]) {
      const inputs = { x: input([2, 3, size, size]), w: kernel };
      const found = await operators(({ x, w }: Pair) => grad(loss)(w, x), inputs);
      expect(found).toMatchObject({ Conv: 1, MatMul: 9 });
    }
  });
});

describe("windows", () => {
  const pool = (x: np.Array, reducer: (w: np.Array) => np.Array) => {
    const padded = np.pad(x, [
      [0, 0],
      [0, 0],
      [1, 1],
      [1, 1],
    ]);
    return lax.reduceWindow(padded, reducer, [3, 3], [2, 2]);
  };

  it("of signed maps keep their zero padding out of the MaxPool", async () => {
    const found = await operators((x: np.Array) => pool(x, (w) => np.max(w)), map);
    expect(found).toEqual({ Neg: 2, Pad: 1, MaxPool: 1 });
  });

  it("have a mean that is one AveragePool, without arithmetic behind it", async () => {
    expect(await operators((x: np.Array) => pool(x, (w) => np.mean(w)), map)).toEqual({ AveragePool: 1 });
  });
});

describe("a graph", () => {
  it("has the equations of nested jits, not a node of their own", async () => {
    const inner = jit((x: np.Array) => np.exp(x));
    const outer = jit((x: np.Array) => np.cos(inner(x)));
    expect(await operators((x: np.Array) => outer(x), input([3]))).toEqual({ Exp: 1, Cos: 1 });
  });
});

describe("what is written out row by row", () => {
  it("is refused above its limit, which the error names", async () => {
    const factor = (x: np.Array) => np.linalg.cholesky(x);
    expect((await lower(factor, input([64, 64]))).stats.operators.Sqrt).toBe(64);
    await expect(lower(factor, input([65, 65]))).rejects.toThrow(/cholesky.*up to 64×64, got 65×65/s);
  });
});
