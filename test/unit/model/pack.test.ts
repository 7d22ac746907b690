import { describe, expect, it } from "vitest";
import { FormatError, OptionError } from "../../../src/errors.js";
import { openStrata } from "../../../src/families.js";
import { ndarray, toFloat32 } from "../../../src/formats/ndarray.js";
import { readSafetensors, writeSafetensors } from "../../../src/formats/safetensors.js";
import { packTensors, unpackTensors } from "../../../src/model/pack.js";
import { strataTensors, TINY } from "../../models.js";

/** A kernel [8, 4, 3, 3] whose rows have very different sizes, one of them only zeros. */
function kernel() {
  const each = 36;
  return ndarray(
    Float32Array.from({ length: 8 * each }, (_, i) => {
      const row = Math.floor(i / each);
      return row === 3 ? 0 : 10 ** (row - 4) * Math.sin(1 + i);
    }),
    [8, 4, 3, 3],
  );
}

describe("packTensors", () => {
  it("int8: every number within half a 127th of its row's largest, a quarter of the size", () => {
    const tensors = new Map([
      ["a.weight", kernel()],
      ["a.bias", ndarray(Float32Array.of(1, 2, 3))],
    ]);
    const packed = packTensors(tensors, "int8");
    expect([...packed].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ["a.weight", "int8", [8, 4, 3, 3]],
      ["a.weight.scale", "float32", [8]],
      ["a.bias", "float32", [3]],
    ]);
    const back = unpackTensors("w", readSafetensors(writeSafetensors(packed)).tensors);
    expect([...back.keys()].sort()).toEqual(["a.bias", "a.weight"]);
    const [before, after] = [kernel().data as Float32Array, toFloat32(back.get("a.weight")!)];
    for (let row = 0; row < 8; row++) {
      const own = before.subarray(36 * row, 36 * row + 36);
      const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (const [i, value] of own.entries()) {
        expect(Math.abs(after[36 * row + i] - value)).toBeLessThanOrEqual((0.5001 * largest) / 127);
      }
    }
    expect(packTensors(back, "int8")).toEqual(packed);
  });

  it("fp16: half floats, read as they are", () => {
    const packed = packTensors(new Map([["a", ndarray(Float32Array.of(0.1, -2.5, 0, 60000))]]), "fp16");
    expect(packed.get("a")?.dtype).toBe("float16");
    expect([...toFloat32(unpackTensors("w", packed).get("a")!)]).toEqual([0.0999755859375, -2.5, 0, 60000]);
  });

  it("fp16 refuses what half floats cannot hold", () => {
    const tensors = new Map([["a", ndarray(Float32Array.of(1, 70000))]]);
    expect(() => packTensors(tensors, "fp16")).toThrow(OptionError);
    expect(() => packTensors(tensors, "fp16")).toThrow(/"a" holds 70000/);
  });

  it("a packed model opens, and is unpacked before its shapes are checked", () => {
    const packed = packTensors(strataTensors({ ...TINY, widths: [4, 4, 8, 8, 32] }), "int8");
    expect([...packed.values()].some(({ dtype }) => dtype === "int8")).toBe(true);
    expect(() => openStrata("m", packed, { ...TINY, widths: [4, 4, 8, 8, 32] }, "")).not.toThrow();
    expect(() => openStrata("m", packed, { ...TINY, widths: [4, 4, 8, 8, 16] }, "")).toThrow(/has shape/);
  });
});

describe("unpackTensors", () => {
  const int8 = ndarray(new Int8Array(6), [2, 3]);

  it.each([
    ["none", []],
    ["shape [3]", [["a.scale", ndarray(new Float32Array(3))]]],
    ["shape [2,1]", [["a.scale", ndarray(new Float32Array(2), [2, 1])]]],
  ] as const)("refuses 8-bit kernels with scales: %s", (found, more) => {
    expect(() => unpackTensors("w", new Map([["a", int8], ...more]))).toThrow(FormatError);
    expect(() => unpackTensors("w", new Map([["a", int8], ...more]))).toThrow(`found ${found}`);
  });

  it("leaves a float tensor alone whose name ends like a scale's", () => {
    const tensors = new Map([["a.scale", ndarray(Float32Array.of(1))]]);
    expect(unpackTensors("w", tensors)).toEqual(tensors);
  });
});
