import { describe, expect, it } from "vitest";
import { FormatError, OptionError, ShapeError, UnsupportedError } from "../../../src/errors.js";
import { encodeUtf8 } from "../../../src/formats/bytes.js";
import { FEATURE_FORMATS, readFeatures, writeFeatures } from "../../../src/formats/features.js";
import { readKeypointsJson, writeKeypointsJson } from "../../../src/formats/keypoints-json.js";
import type { NdArray } from "../../../src/formats/ndarray.js";
import { readNpz, writeNpz } from "../../../src/formats/npz.js";
import { sampleArray, sampleFeatures } from "./samples.js";

describe.each(FEATURE_FORMATS)("features as %s", (format) => {
  it("come back exactly, with as many keypoints as there are, with and without levels", () => {
    for (const count of [0, 1, 2, 3, 50]) {
      for (const levels of [true, false]) {
        const features = sampleFeatures(count, { levels, dim: count === 2 ? 1 : 64 });
        expect(readFeatures(format, writeFeatures(format, features))).toEqual(features);
      }
    }
  });

  it("hold float32 values exactly, from the smallest to the largest", () => {
    const values = Float32Array.of(1e-45, 1.1754944e-38, 3.4028235e38, 0.1, 1 / 3, 16777217, -2.5, 1.0000001);
    const features = { ...sampleFeatures(4, { levels: false, dim: 2 }), keypoints: values };
    expect(readFeatures(format, writeFeatures(format, features))).toEqual(features);
  });

  it("are refused with lengths that do not fit or numbers that are none", () => {
    const features = sampleFeatures(3);
    expect(() => writeFeatures(format, { ...features, count: 4 })).toThrow(ShapeError);
    expect(() => writeFeatures(format, { ...features, scores: Float32Array.of(1, NaN, 0) })).toThrow(
      "scores[1] is NaN",
    );
    expect(() => writeFeatures(format, { ...features, imageSize: [0, 5] })).toThrow("imageSize");
    expect(() => readFeatures(format, encodeUtf8("something else"))).toThrow(FormatError);
    expect(() => readFeatures(format, new Uint8Array(0))).toThrow(FormatError);
  });
});

describe("features as arrays", () => {
  const arrays = (changes: Record<string, NdArray | undefined>): Uint8Array => {
    const all = { ...readNpz(writeFeatures("npz", sampleFeatures(3))), ...changes };
    return writeNpz(Object.fromEntries(Object.entries(all).filter(([, array]) => array)) as Record<string, NdArray>);
  };
  const read = (changes: Record<string, NdArray | undefined>) => readFeatures("npz", arrays(changes));

  it("have a third column of ones when asked", () => {
    for (const format of ["npz", "mat"] as const) {
      const features = sampleFeatures(4);
      expect(readFeatures(format, writeFeatures(format, features, { append: true }))).toEqual(features);
    }
    const { keypoints } = readNpz(writeFeatures("npz", sampleFeatures(2), { append: true }));
    expect(keypoints.shape).toEqual([2, 3]);
    expect([keypoints.data[2], keypoints.data[5]]).toEqual([1, 1]);
  });

  it("may be of other types and carry other things", () => {
    const { descriptors } = read({ descriptors: sampleArray("float16", [3, 4]), extra: sampleArray("int8", [7]) });
    expect(descriptors[0]).toBeCloseTo(0.5, 1);
    expect(read({ keypoints: sampleArray("float64", [3, 2]), scores: sampleArray("int64", [3, 1]) }).count).toBe(3);
  });

  it("need the image's size from somewhere", () => {
    const bytes = arrays({ image_size: undefined });
    expect(() => readFeatures("npz", bytes)).toThrow(OptionError);
    expect(readFeatures("npz", bytes, { imageSize: [7, 8] }).imageSize).toEqual([7, 8]);
    // What the file says wins.
    expect(readFeatures("npz", arrays({}), { imageSize: [7, 8] }).imageSize).toEqual([640, 480]);
  });

  it.each<[string, Record<string, NdArray | undefined>, string]>([
    ["without keypoints", { keypoints: undefined }, 'no array "keypoints"; there are: scores'],
    ["with flat keypoints", { keypoints: sampleArray("float32", [6]) }, "keypoints must be [N, 2]"],
    ["with rows for columns", { keypoints: sampleArray("float32", [2, 30]) }, "got [2,30]"],
    ["with one column", { keypoints: sampleArray("float32", [3, 1]) }, "got [3,1]"],
    ["with too few scores", { scores: sampleArray("float32", [2]) }, "scores must be [3], got [2]"],
    ["with a table of scores", { scores: sampleArray("float32", [3, 3]) }, "scores must be [3]"],
    ["with descriptors of others", { descriptors: sampleArray("float32", [4, 64]) }, "descriptors must be [3, D]"],
    ["with descriptors of length 0", { descriptors: sampleArray("float32", [3, 0]) }, "descriptors must be [3, D]"],
    ["with levels below 0", { levels: { dtype: "int8", shape: [3], data: Int8Array.of(0, -1, 2) } }, "levels[1] is -1"],
    [
      "with an infinite value",
      { scores: { dtype: "float64", shape: [3], data: Float64Array.of(1, 1e300, 0) } },
      "scores[1]",
    ],
    [
      "with a broken size",
      { image_size: { dtype: "float32", shape: [2], data: Float32Array.of(1.5, 2) } },
      "imageSize",
    ],
  ])("are refused %s", (_, changes, message) => {
    expect(() => read(changes)).toThrow(FormatError);
    expect(() => read(changes)).toThrow(message);
  });

  it("have options that are known", () => {
    expect(() => writeFeatures("npz", sampleFeatures(1), { apend: true } as object)).toThrow('unknown option "apend"');
    expect(() => writeFeatures("csv" as "npz", sampleFeatures(1))).toThrow("npz, mat, json");
    const plain = writeFeatures("npz", sampleFeatures(99)).length;
    expect(writeFeatures("npz", sampleFeatures(99), { compress: true }).length).toBeLessThan(plain);
  });
});

describe("keypoints as JSON", () => {
  const json = (changes: object): Uint8Array => {
    const value = JSON.parse(new TextDecoder().decode(writeKeypointsJson(sampleFeatures(2, { dim: 3 })))) as object;
    return encodeUtf8(JSON.stringify({ ...value, ...changes }));
  };

  it("say what they are, in plain numbers, and keep what is noted beside them", () => {
    const meta = { image: "a.jpg", options: { thresh: 0.3 } };
    const bytes = writeKeypointsJson(sampleFeatures(2, { dim: 3 }), meta);
    const value = JSON.parse(new TextDecoder().decode(bytes)) as { keypoints: number[][]; descriptors: number[][] };
    expect(value).toMatchObject({ format: "strata-keypoints", version: 1, imageSize: [640, 480], count: 2, dim: 3 });
    expect([value.keypoints[1].length, value.descriptors[1].length]).toEqual([2, 3]);
    expect(readKeypointsJson(bytes).meta).toEqual(meta);
    expect(readKeypointsJson(writeFeatures("json", sampleFeatures(1), { meta })).meta).toEqual(meta);
  });

  it.each<[string, object, string]>([
    ["another format", { format: "geojson" }, "strata-keypoints"],
    ["rows that are missing", { keypoints: [[1, 2]] }, '"keypoints" must be a list of 2 rows'],
    [
      "rows of another length",
      {
        descriptors: [
          [1, 2, 3],
          [1, 2],
        ],
      },
      '"descriptors[1]" must be a list of 3 numbers',
    ],
    ["text for numbers", { scores: ["1", 2] }, '"scores" must be a list of 2 numbers'],
    ["null for numbers", { scores: [null, 2] }, '"scores" must be'],
    ["counts that are none", { count: -1 }, '"count" and "dim" must be whole'],
    ["a false count, before memory is taken", { count: 1e15 }, "rows"],
    ["a false dim, before memory is taken", { dim: 1e15 }, "numbers"],
    ["a list of notes", { meta: [] }, '"meta" must be an object'],
  ])("are refused with %s", (_, changes, message) => {
    expect(() => readKeypointsJson(json(changes))).toThrow(FormatError);
    expect(() => readKeypointsJson(json(changes))).toThrow(message);
  });

  it("of a later version are refused by name", () => {
    expect(() => readKeypointsJson(json({ version: 3 }))).toThrow(UnsupportedError);
    expect(() => readKeypointsJson(Uint8Array.of(0xff, 0xfe))).toThrow("not UTF-8");
  });
});
