import { describe, expect, it } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { type NdArray, ndarray } from "../../../src/formats/ndarray.js";
import { WeightReader } from "../../../src/model/weights.js";

const zeros = (...shape: number[]): NdArray => ndarray(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const reader = (tensors: Record<string, NdArray>) => new WeightReader("w.bin", new Map(Object.entries(tensors)));

describe("WeightReader", () => {
  it("gives what is there, without a copy, and is content when all was taken", () => {
    const weight = ndarray(Float32Array.of(1, 2), [2, 1, 1, 1]);
    const own = reader({ "a.weight": weight, "a.bias": zeros(2) });
    expect([own.has("a.bias"), own.has("a")]).toEqual([true, false]);
    const taken = own.take("a.weight", [2, 1, 1, 1]);
    expect(taken).toEqual({ shape: [2, 1, 1, 1], data: Float32Array.of(1, 2) });
    expect(taken.data).toBe(weight.data);
    own.take("a.bias", [2]);
    own.finish();
  });

  it("names missing tensors all together, and those that lie there unused", () => {
    const own = reader({ "a.weight": zeros(2, 3, 1, 1), stray: zeros(1) });
    own.take("a.weight", [2, 3, 1, 1]);
    expect(own.lacksSome).toBe(false);
    for (const name of ["a.bias", "c.weight", "n.weight", "n.bias", "n.mean", "n.var"]) own.take(name, [2]);
    expect(own.lacksSome).toBe(true);
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
