import { zlibSync } from "fflate";
import { describe, expect, it } from "vitest";
import { FormatError, LimitError, OptionError, UnsupportedError } from "../../../src/errors.js";
import { readMat, writeMat } from "../../../src/formats/mat.js";
import { bytesOf, DTYPES, type NdArray } from "../../../src/formats/ndarray.js";
import { expectSameArray, plain, sampleArray } from "./samples.js";

/** A MAT-file whose one variable `x` has these sizes, class, flags, and values of element type `type`. */
function mat(sizes: number[], mxClass: number, type: number, values: Uint8Array, flags = 0): Uint8Array {
  const bytes = new Uint8Array(128 + 8 + 16 + 16 + 16 + 8 + values.length + (-values.length & 7));
  bytes.set(writeMat({}));
  const size = bytes.length - 136;
  bytes.set(bytesOf(Uint32Array.of(14, size, 6, 8, mxClass | (flags << 8), 0, 5, 8, ...sizes, 1, 1, 0x78, 0)), 128);
  bytes.set(bytesOf(Uint32Array.of(type, values.length)), 184);
  bytes.set(values, 192);
  return bytes;
}

describe("mat", () => {
  const types = DTYPES.filter((dtype) => !dtype.endsWith("float16"));
  it.each(types)("gives %s back in every shape", (dtype) => {
    for (const shape of [
      [1, 1],
      [0, 64],
      [1, 0],
      [3, 2],
      [2, 3, 4],
    ]) {
      const array = sampleArray(dtype, shape);
      expectSameArray(readMat(writeMat({ x: array })).x, array);
    }
  });

  it("stores columns first: the bytes of [[1, 2, 3], [4, 5, 6]] are 1 4 2 5 3 6", () => {
    const bytes = writeMat({ m: { dtype: "uint8", shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) } });
    expect([...bytes.subarray(192, 198)]).toEqual([1, 4, 2, 5, 3, 6]);
    expect(bytes.length % 8).toBe(0);
  });

  it("turns single values and flat arrays into matrices, as scipy does", () => {
    const read = readMat(writeMat({ one: sampleArray("float64", []), flat: sampleArray("int32", [3]) }));
    expect(read.one.shape).toEqual([1, 1]);
    expect(read.flat.shape).toEqual([1, 3]);
  });

  it("reads numbers that MATLAB stored in a smaller type, also inside the tag", () => {
    const { x } = readMat(mat([1, 3], 6, 2, Uint8Array.of(1, 2, 255)));
    expectSameArray(x, { dtype: "float64", shape: [1, 3], data: Float64Array.of(1, 2, 255) });
    const big = readMat(mat([1, 1], 14, 1, Uint8Array.of(254))).x;
    expect(big.data).toEqual(BigInt64Array.of(-2n));
    const small = mat([1, 2], 8, 1, new Uint8Array(0)).subarray(0, 192).slice();
    small.set(bytesOf(Uint32Array.of((2 << 16) | 1, 0x0403)), 184);
    expect(plain(readMat(small).x.data)).toEqual([3, 4]);
  });

  it("compares the checksum of compressed variables and stops at the limit", () => {
    const plainFile = writeMat({ x: { dtype: "uint8", shape: [1, 100000], data: new Uint8Array(100000) } });
    const packed = zlibSync(plainFile.subarray(128));
    const bytes = new Uint8Array([
      ...plainFile.subarray(0, 128),
      ...bytesOf(Uint32Array.of(15, packed.length)),
      ...packed,
    ]);
    expect(readMat(bytes).x.shape).toEqual([1, 100000]);
    expect(() => readMat(bytes, { limit: 99999 })).toThrow(LimitError);
    bytes[bytes.length - 1] ^= 1;
    expect(() => readMat(bytes)).toThrow("checksum");
  });

  it("skips what is not asked for, whatever it is", () => {
    const cell = mat([1, 1], 1, 14, new Uint8Array(0));
    expect(() => readMat(cell)).toThrow('"x" is a cell array');
    expect(readMat(cell, { names: ["y"] })).toEqual({});
    expect(
      Object.keys(readMat(writeMat({ a: sampleArray("int8", [2]), b: sampleArray("int8", [2]) }), { names: ["b"] })),
    ).toEqual(["b"]);
  });

  it.each<[string, Uint8Array, string]>([
    ["an empty file", new Uint8Array(0), "header"],
    ["text", new Uint8Array(200).fill(65), "not a MAT-file"],
    ["a cut file", writeMat({ x: sampleArray("float64", [9]) }).subarray(0, 220), "truncated"],
    ["sizes that do not fit", mat([2, 2], 9, 2, new Uint8Array(3)), "does not fit"],
    ["more values than the sizes say", mat([2, 2], 9, 2, new Uint8Array(5)), "does not fit"],
    ["negative sizes", mat([-1, -4], 9, 2, new Uint8Array(4)), "not a shape"],
    ["huge sizes", mat([0x7fffffff, 0x7fffffff], 9, 2, new Uint8Array(4)), "too large"],
    ["broken numbers in whole ones", mat([1, 1], 14, 7, bytesOf(Float32Array.of(0.5))), "0.5"],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => readMat(bytes)).toThrow(FormatError);
    expect(() => readMat(bytes)).toThrow(message);
  });

  it("refuses what it does not offer, by name", () => {
    const order = writeMat({});
    order.set([0x4d, 0x49], 126);
    expect(() => readMat(order)).toThrow("big-endian");
    const hdf5 = writeMat({});
    hdf5[125] = 2;
    expect(() => readMat(hdf5)).toThrow(/7\.3 .*"-v7"/);
    expect(() => readMat(mat([1, 1], 6, 9, new Uint8Array(8), 8))).toThrow('"x" is a complex array');
    expect(() => writeMat({ h: sampleArray("float16", [1]) })).toThrow(UnsupportedError);
    for (const name of ["", "1a", "a-b", "a".repeat(64)]) {
      expect(() => writeMat({ [name]: sampleArray("int8", [1]) } as Record<string, NdArray>)).toThrow(OptionError);
    }
  });
});
