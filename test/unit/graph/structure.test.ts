/** What a lowered graph is made of: the patterns that speed hangs on, and how a compiled function is used. */
import { fromBinary } from "@bufbuild/protobuf";
import { grad, init, lax, makeJaxpr, numpy as np } from "@jax-js/jax";
import { ModelProtoSchema } from "onnx-buf";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Compiled, compile, type InputSpec, input, lower } from "../../../src/graph/compile.js";
import { flattenJaxpr } from "../../../src/graph/jaxpr.js";
import { lowerProgram } from "../../../src/graph/lower/index.js";
import { OnnxBuilder } from "../../../src/graph/onnx.js";
import { identityView } from "../../../src/graph/views.js";
import { nodeRuntime } from "../../../src/node/runtime.js";

type Arrays = Record<string, np.Array>;
type Fn = (x: Arrays) => np.Array | Record<string, np.Array>;

const operators = async (fn: Fn, inputs: Record<string, InputSpec>, options = {}) =>
  (await lower(fn, inputs, options)).stats.operators;

describe("operators of a graph", () => {
  it("elementwise operations broadcast by themselves", async () => {
    const ops = await operators(({ a, b }) => a.add(b).mul(2), { a: input([4, 1, 5]), b: input([3, 1]) });
    expect(ops).toEqual({ Add: 1, Mul: 1, Identity: 1 });
  });

  it("the gradient of a matrix product is one MatMul; nothing of size B·N·N·64 is laid out", async () => {
    const similarity: Fn = ({ x, y }) =>
      grad((a: np.Array) => np.sum(np.square(np.matmul(a, y.transpose([0, 2, 1])))))(x);
    const ops = await operators(similarity, { x: input([2, 24, 64]), y: input([2, 24, 64]) });
    expect(ops.MatMul).toBe(2); // forward and backward
    expect(ops.Expand).toBeUndefined();
  });

  it("a convolution with bias and ReLU is Conv, Add, Relu", async () => {
    const layer: Fn = ({ x, w, b }) =>
      np.maximum(
        lax
          .convGeneralDilated(
            x,
            w,
            [1, 1],
            [
              [1, 1],
              [1, 1],
            ],
          )
          .add(b.reshape([1, 4, 1, 1])),
        0,
      );
    const ops = await operators(layer, { x: input([1, 3, 8, 8]), w: input([4, 3, 3, 3]), b: input([4]) });
    expect(ops).toEqual({ Conv: 1, Unsqueeze: 1, Add: 1, Relu: 1, Identity: 1 });
  });

  it("the gradients of a strided convolution are MatMuls and a ConvTranspose", async () => {
    const conv = (x: np.Array, w: np.Array) =>
      lax.convGeneralDilated(
        x,
        w,
        [2, 2],
        [
          [1, 1],
          [1, 1],
        ],
      );
    const inputs = { x: input([2, 3, 16, 16]), w: input([4, 3, 3, 3]) };
    const weights = await operators(({ x, w }) => grad((v: np.Array) => np.sum(np.square(conv(x, v))))(w), inputs);
    expect(weights.MatMul).toBe(9);
    const image = await operators(({ x, w }) => grad((v: np.Array) => np.sum(np.square(conv(v, w))))(x), inputs);
    expect(image.ConvTranspose).toBe(1);
  });

  it("padding before a maximum of what is not negative goes into MaxPool", async () => {
    const pool: Fn = ({ x }) =>
      lax.reduceWindow(
        np.pad(np.maximum(x, 0), [
          [0, 0],
          [0, 0],
          [1, 1],
          [1, 1],
        ]),
        (v) => np.max(v),
        [3, 3],
        [2, 2],
      );
    expect(await operators(pool, { x: input([1, 2, 9, 9]) })).toEqual({ Relu: 1, MaxPool: 1, Identity: 1 });
  });

  it("top-k sorts only k: one TopK of that size", async () => {
    const { onnx, stats } = await lower(({ x }: Arrays) => lax.topK(x, 3)[0], { x: input([50]) });
    expect(stats.operators.TopK).toBe(1);
    const { graph } = fromBinary(ModelProtoSchema, onnx);
    const k = graph?.node.find(({ opType }) => opType === "TopK")?.input[1];
    const stored = graph?.initializer.find(({ name }) => name === k)?.rawData as Uint8Array;
    expect(new DataView(stored.buffer, stored.byteOffset).getBigInt64(0, true)).toBe(3n);
    const compiled = await compile(({ x }: Arrays) => lax.topK(x, 3)[0], { x: input([50]) }, { runtime: nodeRuntime });
    const x = Float32Array.from({ length: 50 }, (_, i) => (i * 37) % 50);
    const { out } = await compiled.run({ x });
    await compiled.dispose();
    expect([...out.data]).toEqual([49, 48, 47]);
  });

  it("what no output needs is dropped, and weights are stored once", async () => {
    const data = new Float32Array(1000).fill(2);
    const twice: Fn = ({ x, w }) => {
      np.exp(x.ref).dispose();
      return { a: x.ref.mul(w.ref), b: x.add(w) };
    };
    const { stats } = await lower(twice, { x: input([1000]), w: { shape: [1000], data } });
    expect(stats.operators).toEqual({ Mul: 1, Add: 1, Identity: 2 });
    expect(stats.bytes).toBeLessThan(4000 + 1000);
  });

  it("constants that nothing reads are not even computed", async () => {
    const read = vi.spyOn(np.Array.prototype, "dataSync");
    // A gradient takes what it is not to differentiate along with zeros of the same shape.
    const slope: Fn = ({ x, w }) => grad((k: np.Array) => np.sum(np.square(x.ref.mul(k))))(w);
    await lower(slope, { x: input([50, 40]), w: input([1, 40]) });
    const sizes = read.mock.contexts.map((array) => (array as np.Array).size);
    read.mockRestore();
    expect(Math.max(0, ...sizes)).toBeLessThan(50 * 40);
  });
});

describe("named dimensions", () => {
  const dims = { N: [2, 3], H: [20, 30] } as const;

  it("one graph serves every size", async () => {
    const compiled = await compile(
      ({ x }: Arrays) => np.maximum(x, 0).mul(3),
      { x: input(["N", "H"]) },
      { runtime: nodeRuntime, dims },
    );
    for (const shape of [
      [1, 1],
      [2, 7],
      [5, 30],
    ]) {
      const data = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => i - 3);
      const { out } = await compiled.run({ x: { data, shape } });
      expect(out.shape).toEqual(shape);
      expect([...out.data]).toEqual([...data].map((v) => Math.max(v, 0) * 3));
    }
    await compiled.dispose();
  });

  it("a graph that depends on a size is refused, and the operator is named", async () => {
    const mean: Fn = ({ x }) => np.mean(x);
    await expect(lower(mean, { x: input(["N", "H"]) }, { dims })).rejects.toThrow(
      /depends on its named dimensions at node \d+ \(\w+/,
    );
    await expect(lower(mean, { x: input(["N", 4]) })).rejects.toThrow(/"N" needs two sample sizes/);
  });
});

describe("using a compiled function", () => {
  let compiled: Compiled | undefined;
  afterEach(() => compiled?.dispose());

  it("refuses wrong names, lengths and shapes, and use after dispose", async () => {
    compiled = await compile(({ a }: Arrays) => a.mul(2), { a: input([2, 3]) }, { runtime: nodeRuntime });
    await expect(compiled.run({})).rejects.toThrow(/"a" is missing/);
    await expect(compiled.run({ a: new Float32Array(6), b: new Float32Array(1) })).rejects.toThrow(
      /no input "b"; inputs: a/,
    );
    await expect(compiled.run({ a: new Float32Array(5) })).rejects.toThrow(/needs 6 values, got 5/);
    await expect(compiled.run({ a: { data: new Float32Array(6), shape: [3, 2] } })).rejects.toThrow(
      /\[2,3\], got \[3,2\]/,
    );
    expect([...(await compiled.run({ a: Float32Array.of(1, 2, 3, 4, 5, 6) })).out.data]).toEqual([2, 4, 6, 8, 10, 12]);
    await compiled.dispose();
    await compiled.dispose();
    await expect(compiled.run({ a: new Float32Array(6) })).rejects.toThrow(/disposed/);
  });

  it("says when a backend is not to be had, and runs on the CPU", async () => {
    compiled = await compile(({ a }: Arrays) => a.mul(2), { a: input([1]) }, { runtime: nodeRuntime, backend: "cuda" });
    expect(compiled.info.backend === "cuda" || /cuda is not to be had here/.test(compiled.info.fallback ?? "")).toBe(
      true,
    );
    expect([...(await compiled.run({ a: Float32Array.of(4) })).out.data]).toEqual([8]);
  });

  it("names primitives without an ONNX form", async () => {
    await init("cpu");
    const closed = makeJaxpr((x: np.Array) => np.sin(x))(np.zeros([2])).jaxpr;
    const { eqns, ...program } = flattenJaxpr(closed);
    closed.dispose();
    const later = eqns.map((eqn) => ({ ...eqn, primitive: "of_a_later_version" }));
    const view = identityView({ name: "x", shape: [2] });
    expect(() => lowerProgram(new OnnxBuilder(), { ...program, eqns: later }, [view])).toThrow(
      /primitive "of_a_later_version" has no ONNX form here; lowered are .*lu/,
    );
  });
});
