import { describe, expect, it } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { type NdArray, ndarray } from "../../../src/formats/ndarray.js";
import { WeightReader } from "../../../src/model/weights.js";
import { naiveConv, randomValues, type Values, worstDifference } from "../../networks.js";

const zeros = (...shape: number[]): NdArray => ndarray(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const reader = (tensors: Record<string, NdArray>) => new WeightReader("w.bin", new Map(Object.entries(tensors)));

describe("WeightReader", () => {
  it("gives what is there, without a copy, and is content when all was taken", () => {
    const weight = ndarray(Float32Array.of(1, 2), [2, 1, 1, 1]);
    const own = reader({ "a.weight": weight, "a.bias": zeros(2) });
    expect([own.has("a.bias"), own.has("a")]).toEqual([true, false]);
    const conv = own.conv("a", [2, 1, 1, 1]);
    expect(conv.weight).toEqual({ shape: [2, 1, 1, 1], data: Float32Array.of(1, 2) });
    expect(conv.weight.data).toBe(weight.data);
    own.finish();
  });

  it("names missing tensors all together, and those that lie there unused", () => {
    const own = reader({ "a.weight": zeros(2, 3, 1, 1), stray: zeros(1) });
    own.conv("a", [2, 3, 1, 1]);
    own.convNorm("c", "n", [4, 2, 3, 3]);
    expect(() => own.finish()).toThrow(FormatError);
    expect(() => own.finish()).toThrow(
      "w.bin: missing tensors: a.bias, c.weight, n.weight, n.bias, n.mean, … (6 in all); it has, unused: stray",
    );
  });

  it("refuses tensors that nobody asked for, except those to be ignored", () => {
    const own = reader({ "d.weight": zeros(1), "d.steps": zeros(1), e: zeros(1) });
    own.take("d.weight", [1]);
    expect(() => own.finish()).toThrow("w.bin: tensors that this model does not have: d.steps, e");
    own.ignore(/\.steps$/);
    expect(() => own.finish()).toThrow("does not have: e");
    own.ignore(/^e$/);
    own.finish();
  });

  it.each([[[3]], [[2, 1]], [[]], [[1, 2]]])("refuses the shape %j for [2]", (shape) => {
    expect(() => reader({ a: zeros(...shape) }).take("a", [2])).toThrow(
      `w.bin: tensor "a" has shape [${shape}], the model needs [2]`,
    );
  });

  it("does not take memory for tensors that are missing, however large a file says they are", () => {
    const own = reader({});
    const huge = 2 ** 40;
    own.convNorm("c", "n", [huge, huge, 3, 3]);
    own.conv("d", [huge, huge, 1, 1]);
    expect(() => own.finish()).toThrow(FormatError);
  });

  it.each([
    ["without a bias", false],
    ["with a bias", true],
  ])("folds batch norm into a convolution %s", (_, hasBias) => {
    const [eps, out] = [1e-3, 3];
    const parts: Record<string, NdArray> = {
      "c.weight": ndarray(randomValues(out * 2 * 9, 1), [out, 2, 3, 3]),
      "n.weight": ndarray(randomValues(out, 2), [out]),
      "n.bias": ndarray(randomValues(out, 3), [out]),
      "n.running_mean": ndarray(randomValues(out, 4), [out]),
      "n.running_var": ndarray(Float32Array.of(0, 0.3, 2), [out]),
    };
    if (hasBias) parts["c.bias"] = ndarray(randomValues(out, 5), [out]);
    const own = reader(parts);
    const names = ["running_mean", "running_var"];
    const folded = own.convNorm("c", "n", [out, 2, 3, 3], { eps, statistics: names });
    own.finish();

    const x: Values = { shape: [1, 2, 5, 4], data: randomValues(40, 6) };
    const value = (name: string) => parts[name].data as Float32Array;
    const bias = hasBias ? value("c.bias") : new Float32Array(out);
    const plain = naiveConv(x, { shape: [out, 2, 3, 3], data: value("c.weight") }, bias, { padding: 1 });
    plain.data.forEach((v, i) => {
      const o = Math.floor(i / 20);
      const centred = (v - value("n.running_mean")[o]) / Math.sqrt(value("n.running_var")[o] + eps);
      plain.data[i] = centred * value("n.weight")[o] + value("n.bias")[o];
    });
    const weight = { shape: [out, 2, 3, 3], data: folded.weight.data as Float32Array };
    const once = naiveConv(x, weight, folded.bias.data as Float32Array, { padding: 1 });
    expect(worstDifference(once, plain)).toBeLessThan(1e-5);
    // The file's own values stay: another model may be read from them.
    expect(value("c.weight")).toEqual(randomValues(out * 2 * 9, 1));
  });

  it("refuses a batch norm with a negative variance", () => {
    const bad = reader({
      "c.weight": zeros(1, 1, 1, 1),
      "n.weight": zeros(1),
      "n.bias": zeros(1),
      "n.mean": zeros(1),
      "n.var": ndarray(Float32Array.of(-1)),
    });
    expect(() => bad.convNorm("c", "n", [1, 1, 1, 1])).toThrow(/variance -1 of batch norm "n"/);
  });

  it("reads half precision and brain floats as the numbers they are", () => {
    const halves: NdArray = { dtype: "float16", shape: [3], data: Uint16Array.of(0x3c00, 0xc000, 0x3800) };
    const brains: NdArray = { dtype: "bfloat16", shape: [2], data: Uint16Array.of(0x3f80, 0xc000) };
    const doubles: NdArray = { dtype: "float64", shape: [1], data: Float64Array.of(0.5) };
    const own = reader({ halves, brains, doubles });
    expect(own.take("halves", [3]).data).toEqual(Float32Array.of(1, -2, 0.5));
    expect(own.take("brains", [2]).data).toEqual(Float32Array.of(1, -2));
    expect(own.take("doubles", [1]).data).toEqual(Float32Array.of(0.5));
    own.finish();
  });
});
