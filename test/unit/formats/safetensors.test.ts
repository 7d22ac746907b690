import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FormatError, UnsupportedError } from "../../../src/errors.js";
import { encodeUtf8 } from "../../../src/formats/bytes.js";
import { DTYPES, type NdArray } from "../../../src/formats/ndarray.js";
import { readSafetensors, writeSafetensors } from "../../../src/formats/safetensors.js";
import { describeShared } from "../../shared.js";
import { expectSameArray, sampleArray } from "./samples.js";

/** A file with that header and so many bytes of data. */
function file(header: unknown, dataBytes = 0): Uint8Array {
  const text = encodeUtf8(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const tensor = (begin: number, end: number, shape = [end - begin], dtype = "U8") => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe("safetensors", () => {
  it("gives every type and shape back, with metadata, as views of the file", () => {
    const tensors = new Map<string, NdArray>();
    for (const dtype of DTYPES) {
      for (const shape of [[], [0], [3], [2, 3], [2, 0, 4]])
        tensors.set(`${dtype}.${shape}`, sampleArray(dtype, shape));
    }
    const bytes = writeSafetensors(tensors, { model: "strata", licence: "Ä" });
    const read = readSafetensors(bytes);
    expect(read.metadata).toEqual({ model: "strata", licence: "Ä" });
    expect(read.tensors.size).toBe(tensors.size);
    for (const [name, array] of tensors) {
      const got = read.tensors.get(name) as NdArray;
      expectSameArray(got, array);
      expect(got.data.buffer).toBe(bytes.buffer);
    }
    expect(writeSafetensors([...tensors].reverse(), { model: "strata", licence: "Ä" })).toEqual(bytes);
  });

  it("copies where the file's address is odd", () => {
    const bytes = writeSafetensors([["x", sampleArray("float32", [4])]]);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expectSameArray(readSafetensors(shifted.subarray(1)).tensors.get("x") as NdArray, sampleArray("float32", [4]));
  });

  it("reads a file without tensors, and names that are names of objects' own parts", () => {
    expect(readSafetensors(file({}))).toEqual({ tensors: new Map(), metadata: {} });
    const read = readSafetensors(file('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1));
    expect([...read.tensors.keys()]).toEqual(["__proto__"]);
  });

  it.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "header length"],
    ["a header longer than the file", file({}).subarray(0, 9), "not safetensors, or truncated"],
    ["an absurd header length", new Uint8Array(16).fill(255), "cannot be"],
    ["no JSON", file("{ not json"), "not JSON"],
    ["no object", file("[1]"), 'begin with "{"'],
    ["a list for a tensor", file({ x: [] }), "JSON object"],
    ["an overlap", file({ a: tensor(0, 4), b: tensor(3, 6) }, 6), "overlaps"],
    ["the same range twice", file({ a: tensor(0, 4), b: tensor(0, 4) }, 4), "overlaps"],
    ["a hole", file({ a: tensor(0, 4), b: tensor(5, 6) }, 6), "hole"],
    ["bytes left over", file({ a: tensor(0, 4) }, 5), "truncated or damaged"],
    ["bytes missing", file({ a: tensor(0, 4) }, 3), "truncated or damaged"],
    ["a shape that does not fit", file({ a: tensor(0, 4, [5]) }, 4), "needs 5 bytes"],
    ["a range turned round", file({ a: tensor(4, 0, [4]) }, 4), "span -4"],
    ["negative sizes", file({ a: tensor(0, 4, [-2, -2]) }, 4), "whole numbers"],
    ["broken offsets", file({ a: { dtype: "U8", shape: [1], data_offsets: [0, 0.5] } }, 1), "whole numbers"],
    ["metadata that is no text", file({ __metadata__: { a: 1 } }), "must be text"],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(FormatError);
    expect(() => readSafetensors(bytes)).toThrow(message);
  });

  it("names the tensor and type that it does not read", () => {
    expect(() => readSafetensors(file({ a: tensor(0, 1, [1], "F8_E4M3") }, 1))).toThrow(UnsupportedError);
    expect(() => readSafetensors(file({ a: tensor(0, 1, [1], "F8_E4M3") }, 1))).toThrow('"a": data type "F8_E4M3"');
    const array = sampleArray("int8", [1]);
    expect(() =>
      writeSafetensors([
        ["a", array],
        ["a", array],
      ]),
    ).toThrow("taken");
    expect(() => writeSafetensors([["__metadata__", array]])).toThrow("taken");
  });
});

describeShared("the default model's weights", (shared) => {
  it("are read whole, as finite float32", () => {
    const bytes = new Uint8Array(readFileSync(join(shared, "default-model/strata-s0.safetensors")));
    const { tensors } = readSafetensors(bytes);
    expect(tensors.get("levels.0.a.conv.weight")?.shape).toEqual([16, 3, 3, 3]);
    for (const { dtype, data } of tensors.values()) {
      expect(dtype).toBe("float32");
      expect((data as Float32Array).every(Number.isFinite)).toBe(true);
    }
    const again = readSafetensors(writeSafetensors(tensors)).tensors;
    for (const [name, array] of tensors) expectSameArray(again.get(name) as NdArray, array);
  });
});
