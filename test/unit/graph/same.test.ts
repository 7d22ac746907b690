/** One graph for every size: whatever a function bakes its sizes into is found, and nothing else is refused. */
import { lax, numpy as np } from "@jax-js/jax";
import { describe, expect, it } from "vitest";
import { OptionError, UnsupportedError } from "../../../src/errors.js";
import { type CompileOptions, type InputSpec, input, lower } from "../../../src/graph/compile.js";
import { OnnxBuilder } from "../../../src/graph/onnx.js";
import { buildForEverySize } from "../../../src/graph/same.js";
import { samplesOf } from "../../../src/graph/samples.js";

type Arrays = Record<string, np.Array>;
type Fn = (x: Arrays) => np.Array | Record<string, np.Array>;
type Dims = CompileOptions["dims"];

const H: Dims = { H: [5, 7] };

/** What a function of x [H, 3] is refused with; null where it is accepted. */
async function refusal(fn: Fn, dims: Dims = H, inputs: Record<string, InputSpec> = { x: input(["H", 3]) }) {
  try {
    await lower(fn, inputs, { dims });
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(UnsupportedError);
    return (error as Error).message;
  }
}

/** The sum of x, to which `length` values are added that know how long x is. */
const baked =
  (length: number, value: (i: number, h: number) => number): Fn =>
  ({ x }) => {
    const [h] = x.shape;
    return np.sum(x).add(np.array(Float32Array.from({ length }, (_, i) => value(i, h))));
  };

describe("a constant that holds a size", () => {
  it.each([1, 64, 65, 5000])("is refused at %i elements, in a short message", async (length) => {
    const message = await refusal(baked(length, (i, h) => i + h));
    expect(message).toMatch(/depends on its named dimensions at node \d+ \(Add: input 1 is a constant float32/);
    expect(message).toMatch(/5 against 7/);
    expect(message?.length).toBeLessThan(220);
  });

  it("is found wherever it lies: last, NaN, zero of the other sign, another type", async () => {
    const at64 = (one: number, other: number) => baked(65, (i, h) => (i === 64 ? (h === 5 ? one : other) : i));
    expect(await refusal(at64(1, 2))).toMatch(/1 against 2 at position 64/);
    expect(await refusal(at64(64, Number.NaN))).toMatch(/64 against NaN at position 64/);
    expect(await refusal(at64(0, -0))).toMatch(/0 against -0 at position 64/);
    const whole: Fn = ({ x }) => {
      const [h] = x.shape;
      return np.sum(x).add(np.array(Int32Array.from({ length: 99 }, () => h)).astype(np.float32));
    };
    expect(await refusal(whole)).toMatch(/int32 \[99\], 5 against 7 at position 0/);
    const lengths: Fn = ({ x }) => {
      const [h] = x.shape;
      return np.sum(x).add(np.sum(np.array(new Float32Array(20 * h))));
    };
    expect(await refusal(lengths)).toMatch(/\[100\] against float32 \[140\]/);
  });

  it("may be large, and NaN, when it is the same", async () => {
    expect(await refusal(baked(65, (i) => (i === 64 ? Number.NaN : i)))).toBeNull();
    const weights = new Float32Array(100_000).map((_, i) => i);
    const inputs = { x: input(["H", 3]), w: { shape: [100_000], data: weights } };
    expect(await refusal(({ x, w }) => np.sum(x).add(w), H, inputs)).toBeNull();
  });
});

describe("outputs", () => {
  it("that change places or types with a size are refused", async () => {
    const places: Fn = ({ x }) => {
      const [h] = x.shape;
      const [p, q] = [x.ref.mul(2), x.add(1)];
      return h === 5 ? { p, q } : { q: p, p: q };
    };
    expect(await refusal(places)).toMatch(/in its outputs/);
    const number: Fn = ({ x }): Arrays => (x.shape[0] === 5 ? { p: x } : { p: x.ref, q: x });
    expect(await refusal(number)).toMatch(/depends on its named dimensions/);
  });
});

describe("bodies of loops", () => {
  const loop = (last: number, attribute = 0): OnnxBuilder => {
    const graph = new OnnxBuilder();
    const body = graph.body();
    body.input("i", "int64", []);
    const going = body.input("going", "bool", []);
    const value = body.input("value", "float32", [80]);
    const table = Float32Array.from({ length: 80 }, (_, i) => (i === 79 ? last : i));
    body.output("goes_on", going, "bool", []);
    body.output("value_out", body.node("Add", [value, body.constant("float32", [80], table)]), "float32", [80]);
    const x = graph.input("x", "float32", [80]);
    const bounded = graph.node("Clip", [x], { most: { float: attribute } });
    const [out] = graph.nodeMany("Loop", [graph.ints([3]), "", bounded], { body: { body } }, 1);
    graph.output("out", out, "float32", [80]);
    return graph;
  };
  const both = (a: OnnxBuilder, b: OnnxBuilder) =>
    buildForEverySize(samplesOf(["H"], H), (sample) => ({ builder: sample.H === 5 ? a : b }));

  it("are compared by the values of their constants too", async () => {
    await expect(both(loop(1), loop(2))).rejects.toThrow(
      /Loop: body differs at node 1 \(Add: .*1 against 2 at position 79/,
    );
    await expect(both(loop(1), loop(1))).resolves.toBeDefined();
  });

  it("and attributes by all their values, NaN and infinity included", async () => {
    await expect(both(loop(1, Number.NaN), loop(1, Infinity))).rejects.toThrow(/most float NaN against float Infinity/);
    await expect(both(loop(1, 0), loop(1, -0))).rejects.toThrow(/most float 0 against float -0/);
    const graph = new OnnxBuilder();
    const x = graph.input("x", "float32", [1]);
    const names = [Number.NaN, Infinity, Number.NaN].map((most) => graph.node("Clip", [x], { most: { float: most } }));
    expect(names[0]).not.toBe(names[1]);
    expect(names[0]).toBe(names[2]);
  });

  it("of a function that is lowered: eigenvectors of matrices whose size is named", async () => {
    const fn: Fn = ({ a }) => lax.linalg.eigh(a, { sortEigenvalues: false })[0];
    const message = await refusal(fn, { N: [12, 13] }, { a: input(["N", "N"]) });
    expect(message?.length).toBeLessThan(300);
  });
});

describe("samples", () => {
  const image = { x: input(["H", "W"]) };
  const mean: Fn = ({ x }) => np.mean(x);
  const aspect: Fn = ({ x }) => {
    const [h, w] = x.shape;
    return x.mul(h / w);
  };

  it("that exchange their sizes do not hide a product, a sum, a ratio or a difference", async () => {
    expect(await refusal(mean, { H: [32, 48], W: [48, 32] }, image)).toMatch(/depends on its named dimensions/);
    expect(await refusal(aspect, { H: [32, 48], W: [32, 48] }, image)).toMatch(/depends on its named dimensions/);
    const wider: Fn = ({ x }) => {
      const [h, w] = x.shape;
      return x.mul(w - h);
    };
    expect(await refusal(wider, { H: [32, 48], W: [40, 56] }, image)).toMatch(/depends on its named dimensions/);
  });

  it("of dimensions that belong together may have one ratio", async () => {
    const both = { x: input(["H", "W"]), y: input(["h", "W"]) };
    const fn: Fn = ({ x, y }) => np.concatenate([y.ref, y], 0).add(x);
    expect(await refusal(fn, { H: [8, 12], h: [4, 6], W: [5, 9] }, both)).toBeNull();
  });

  it("of which all lie on one side of a step do not show it; more of them do", async () => {
    const step: Fn = ({ x }) => (x.shape[0] > 100 ? x.mul(2) : x.mul(3));
    expect(await refusal(step, { H: [5, 7] })).toBeNull();
    expect(await refusal(step, { H: [5, 7, 101] })).toMatch(/3 against 2/);
  });

  it("any two dimensions that are alike are told apart", () => {
    const names = ["A", "B", "C", "D", "E"];
    const { given, exchanged } = samplesOf(names, Object.fromEntries(names.map((name) => [name, [2, 3]])));
    expect(given).toEqual([2, 3].map((size) => Object.fromEntries(names.map((name) => [name, size]))));
    for (const p of names) {
      for (const q of names.slice(names.indexOf(p) + 1)) expect(exchanged.some((s) => s[p] !== s[q])).toBe(true);
    }
    expect(samplesOf(["N", "H", "W"], { N: [2, 3], H: [128, 160], W: [160, 208] }).exchanged).toEqual([]);
  });

  it.each([[[5, 5]], [[5]], [[]], ["57"], [[5, 7.5]], [[0, 3]], [[Number.NaN, 3]], [null], [12]])(
    "must be different whole numbers: %j",
    async (H) => {
      const dims = { H } as never;
      await expect(lower(({ x }: Arrays) => x, { x: input(["H"]) }, { dims })).rejects.toThrow(OptionError);
    },
  );
});
