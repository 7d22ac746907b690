import { describe, expect, it } from "vitest";
import { FormatError, ShapeError, UnsupportedError } from "../../../src/errors.js";
import { encodeUtf8 } from "../../../src/formats/bytes.js";
import { DTYPES, type NdArray } from "../../../src/formats/ndarray.js";
import { readNpy, readNpyHeader, writeNpy } from "../../../src/formats/npy.js";
import { cpuTime, machineUnit } from "../../cpu.js";
import { expectSameArray, sampleArray } from "./samples.js";

/** A .npy file with that header text and those values. */
function npy(header: string, values: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = encodeUtf8(header);
  return new Uint8Array([0x93, ...encodeUtf8("NUMPY"), 1, 0, text.length & 255, text.length >> 8, ...text, ...values]);
}

describe("npy", () => {
  it.each(DTYPES.filter((dtype) => dtype !== "bfloat16"))("gives %s back in every shape", (dtype) => {
    for (const shape of [[], [0], [5], [0, 64], [3, 2], [2, 1, 3]]) {
      const array = sampleArray(dtype, shape);
      expectSameArray(readNpy(writeNpy(array)), array);
    }
  });

  it("aligns values to 64 bytes and views them, but copies where the address is odd", () => {
    const bytes = writeNpy(sampleArray("float64", [4]));
    expect(readNpyHeader(bytes).offset % 64).toBe(0);
    expect(readNpy(bytes).data.buffer).toBe(bytes.buffer);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expectSameArray(readNpy(shifted.subarray(1)), sampleArray("float64", [4]));
  });

  it("reads keys in any order and Python 2's long shapes", () => {
    const bytes = npy("{'shape': (2L, 1L), 'fortran_order':False, 'descr' : '|u1'}\n", Uint8Array.of(7, 8));
    expectSameArray(readNpy(bytes), { dtype: "uint8", shape: [2, 1], data: Uint8Array.of(7, 8) });
    expect(readNpyHeader(npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }")).descr).toBe("|O");
  });

  it.each([
    ["an empty file", new Uint8Array(0), "magic"],
    ["another file", encodeUtf8("PK\x03\x04 something else"), "not a .npy file"],
    ["no shape", npy("{'descr': '<f4', 'fortran_order': False}"), '"shape"'],
    ["code for a shape", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (exit(),)}"), '"shape"'],
    ["no dictionary", npy("'descr': '<f4', 'fortran_order': False, 'shape': (1,)"), "dictionary"],
    ["too few values", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", new Uint8Array(7)), "needs 8"],
    ["too many values", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", new Uint8Array(8)), "needs 4"],
    ["a huge shape", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 999999999)}"), "too large"],
    [
      "an endless number",
      npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (${"9".repeat(400)},)}`),
      "not a shape",
    ],
    ["many dimensions", npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (${"1,".repeat(70)})}`), "dimensions"],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => readNpy(bytes)).toThrow(FormatError);
    expect(() => readNpy(bytes)).toThrow(message);
  });

  it("is not slowed down by a header made to be slow", () => {
    const header = `{${"'descr': [".repeat(6000)}`;
    const start = cpuTime();
    expect(() => readNpy(npy(header))).toThrow(FormatError);
    expect(cpuTime() - start).toBeLessThan(100 * machineUnit());
  });

  it("refuses versions, text and 16-bit brain floats by name", () => {
    const later = writeNpy(sampleArray("float32", [1]));
    later[6] = 4;
    expect(() => readNpy(later)).toThrow("version 4");
    expect(() => readNpy(npy("{'descr': '<U5', 'fortran_order': False, 'shape': (1,)}"))).toThrow(UnsupportedError);
    expect(() => writeNpy(sampleArray("bfloat16", [1]))).toThrow(/no bfloat16/);
  });

  it("does not write arrays that do not belong together", () => {
    expect(() => writeNpy({ dtype: "float32", shape: [3], data: new Float32Array(2) })).toThrow(ShapeError);
    expect(() => writeNpy({ dtype: "float32", shape: [2], data: new Int32Array(2) })).toThrow("needs a Float32Array");
    expect(() => writeNpy({ dtype: "text", shape: [0], data: new Int8Array(0) } as unknown as NdArray)).toThrow(
      '"text"',
    );
  });
});
