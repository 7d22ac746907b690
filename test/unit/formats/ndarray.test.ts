import { describe, expect, it } from "vitest";
import { FormatError, LimitError, ShapeError } from "../../../src/errors.js";
import { halfToNumber } from "../../../src/float16.js";
import {
  bfloat16ToNumber,
  checkByteLimit,
  countOf,
  DTYPES,
  fromColumnMajor,
  itemSize,
  ndarray,
  toColumnMajor,
  toFloat32,
} from "../../../src/formats/ndarray.js";
import { plain, sampleArray } from "./samples.js";

describe("ndarray", () => {
  it("turns half floats into numbers: normal, subnormal, largest, not finite", () => {
    const known: [number, number][] = [
      [0x0000, 0],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3555, 0.333251953125],
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
      [0x7e00, NaN],
    ];
    for (const [bits, value] of known) expect(halfToNumber(bits)).toBe(value);
    expect(Object.is(halfToNumber(0x8000), -0)).toBe(true);
    // Larger bits, larger number.
    for (let bits = 1; bits <= 0x7c00; bits++) expect(halfToNumber(bits)).toBeGreaterThan(halfToNumber(bits - 1));
  });

  it("turns brain floats into numbers", () => {
    expect([0x3f80, 0xc000, 0x4049, 0x7f80].map(bfloat16ToNumber)).toEqual([1, -2, 3.140625, Infinity]);
  });

  it("converts every type to float32, without a copy where it is", () => {
    for (const dtype of DTYPES) {
      const array = sampleArray(dtype, [2, 3]);
      const floats = toFloat32(array);
      expect(floats).toHaveLength(6);
      if (!dtype.endsWith("float16")) expect([...floats]).toEqual(plain(array.data));
    }
    const array = sampleArray("float32", [4]);
    expect(toFloat32(array)).toBe(array.data);
  });

  it("knows columns from rows, in any rank", () => {
    const rows = Int8Array.of(1, 2, 3, 4, 5, 6);
    expect([...(toColumnMajor(rows, [2, 3], "int8") as Int8Array)]).toEqual([1, 4, 2, 5, 3, 6]);
    for (const shape of [[], [5], [0, 3], [4, 1], [2, 3, 4], [3, 1, 2, 5]]) {
      const { data } = sampleArray("int64", shape);
      const back = fromColumnMajor(toColumnMajor(data, shape, "int64"), shape, "int64");
      expect(plain(back)).toEqual(plain(data));
    }
  });

  it("counts and refuses shapes, sizes and data that cannot be", () => {
    expect(countOf("test", [])).toBe(1);
    expect(countOf("test", [3, 0, 2 ** 40])).toBe(0);
    for (const shape of [[-1], [0.5], [NaN], [2 ** 53], [2 ** 30, 2 ** 30]]) {
      expect(() => countOf("test", shape)).toThrow(FormatError);
    }
    expect(() => checkByteLimit("test", 11, 10)).toThrow(LimitError);
    checkByteLimit("test", 10, 10);
    expect(ndarray(Uint16Array.of(1, 2)).dtype).toBe("uint16");
    expect(ndarray(new Uint8Array(6), [2, 3])).toMatchObject({ dtype: "uint8", shape: [2, 3] });
    expect(() => ndarray(new Float32Array(6), [2, 2])).toThrow(ShapeError);
    expect(DTYPES.map(itemSize)).toEqual([8, 4, 2, 2, 8, 8, 4, 4, 2, 2, 1, 1, 1]);
  });
});
