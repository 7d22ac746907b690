/** What descriptors of a file are, and that bits, and features without descriptors, come back from every format. */
import { describe, expect, it } from "vitest";
import { FormatError, OptionError } from "../../../src/errors.js";
import type { BinaryFeatures, Features, FloatFeatures } from "../../../src/features.js";
import { encodeUtf8 } from "../../../src/formats/bytes.js";
import { writeColmapFeatures } from "../../../src/formats/colmap.js";
import { readFeaturesCsv, writeFeaturesCsv } from "../../../src/formats/csv.js";
import { toDescriptors } from "../../../src/formats/descriptors.js";
import { readFeatures, writeFeatures } from "../../../src/formats/features.js";
import { createHdf5 } from "../../../src/formats/hdf5.js";
import { readHlocFeatures, writeHlocFeatures } from "../../../src/formats/hloc.js";
import type { DType, NdArray, TypedArray } from "../../../src/formats/ndarray.js";
import { writeNpz } from "../../../src/formats/npz.js";
import {
  readOpenCvFeatures,
  readOpenCvMatches,
  writeOpenCvFeatures,
  writeOpenCvMatches,
} from "../../../src/formats/opencv-json.js";
import { Random } from "../../../src/random.js";
import { sampleArray, sampleFeatures } from "./samples.js";

function sampleBits(count: number, bytes: number, fill?: number): BinaryFeatures {
  const random = new Random(count + bytes);
  const { descriptors: _, ...features } = sampleFeatures(count);
  const descriptors = Uint8Array.from({ length: count * bytes }, () => fill ?? random.integer(256));
  return { ...features, dim: bytes, kind: "binary", descriptors };
}

/** As OpenCV, VLFeat and COLMAP keep SIFT's: none negative, length 512, in bytes. */
function siftBytes(count: number): { bytes: Uint8Array; unit: FloatFeatures } {
  const unit = sampleFeatures(count, { dim: 128, levels: false });
  const bytes = Uint8Array.from(unit.descriptors, (value) => Math.min(255, Math.round(512 * Math.abs(value))));
  return { bytes, unit };
}

const array = (dtype: DType, shape: number[], data: TypedArray): NdArray => ({ dtype, shape, data });
const norms = ({ dim, descriptors }: { dim: number; descriptors: Float32Array | Uint8Array }): number[] =>
  Array.from({ length: descriptors.length / dim }, (_, i) =>
    Math.hypot(...descriptors.subarray(i * dim, (i + 1) * dim)),
  );

/** Every format that holds descriptors: written and read again. */
const ROUND_TRIPS: [string, (features: Features) => Features | Promise<Features>][] = [
  ...(["npz", "mat", "json"] as const).map((format): [string, (features: Features) => Features] => [
    format,
    (features) => readFeatures(format, writeFeatures(format, features)),
  ]),
  ["csv", (features) => readFeaturesCsv(writeFeaturesCsv(features), features.imageSize)],
  ["OpenCV's JSON", (features) => readOpenCvFeatures(writeOpenCvFeatures(features))],
  ["h5", async (features) => (await readHlocFeatures(await writeHlocFeatures([["a", features]]))).get("a") as Features],
];

describe.each(ROUND_TRIPS)("%s gives back", (_, there) => {
  it("bits, of ORB's, AKAZE's and other lengths, also few that could be SIFT's bytes", async () => {
    for (const [count, bytes, fill] of [
      [5, 32],
      [3, 61],
      [0, 32],
      [1, 1],
      [4, 128, 1],
      [2, 128],
    ]) {
      const features = sampleBits(count, bytes, fill);
      expect(await there(features)).toEqual(features);
    }
  });

  it("features without descriptors", async () => {
    for (const count of [0, 3]) {
      const features: Features = { ...sampleFeatures(count), dim: 0, descriptors: new Float32Array(0) };
      expect(await there(features)).toEqual(features);
    }
  });
});

describe("descriptors of a file", () => {
  it("are bits where they are bytes or booleans, floats of length 1 where they are other numbers", () => {
    const random = new Random(1);
    const bytes = Uint8Array.from({ length: 4 * 64 }, () => random.integer(256));
    for (const dim of [32, 61, 64, 128]) {
      const rows = array("uint8", [2, dim], bytes.subarray(0, 2 * dim));
      expect(toDescriptors("t", rows)).toEqual({ kind: "binary", dim, descriptors: bytes.subarray(0, 2 * dim) });
    }
    for (const dtype of ["float64", "float16", "int32", "int8", "uint16", "int64"] as const) {
      const { kind, ...floats } = toDescriptors("t", sampleArray(dtype, [3, 32]));
      expect(kind, dtype).toBeUndefined();
      for (const norm of norms(floats)) expect(norm, dtype).toBeCloseTo(1, 6);
    }
    const truths = array("bool", [2, 10], Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 1, 1, 0, ...new Array(9).fill(0), 1));
    expect(toDescriptors("t", truths)).toEqual({ kind: "binary", dim: 2, descriptors: Uint8Array.of(129, 1, 0, 2) });
  });

  it("are SIFT's where 128 bytes have the length 512, or floats do; angles stay", () => {
    const { bytes, unit } = siftBytes(20);
    for (const rows of [array("uint8", [20, 128], bytes), array("float32", [20, 128], Float32Array.from(bytes))]) {
      const found = toDescriptors("t", rows);
      expect(found).toMatchObject({ dim: 128 });
      expect(found.kind).toBeUndefined();
      for (const [i, norm] of norms(found).entries()) {
        expect(norm).toBeCloseTo(1, 6);
        for (let k = 0; k < 128; k++) {
          expect(found.descriptors[128 * i + k]).toBeCloseTo(Math.abs(unit.descriptors[128 * i + k]), 2);
        }
      }
    }
    expect(toDescriptors("t", array("uint8", [0, 128], new Uint8Array(0))).kind).toBeUndefined();
  });

  it("keep zeros and unit vectors to the last bit", () => {
    const { descriptors } = sampleFeatures(3, { dim: 8 });
    descriptors.fill(0, 8, 16);
    expect(toDescriptors("t", array("float32", [3, 8], descriptors)).descriptors).toBe(descriptors);
    const mixed = descriptors.slice();
    mixed.forEach((value, i) => {
      if (i < 8) mixed[i] = 3 * value;
    });
    const given = mixed.slice();
    const found = toDescriptors("t", array("float32", [3, 8], mixed)).descriptors;
    expect([...found.subarray(8)]).toEqual([...descriptors.subarray(8)]);
    expect(mixed).toEqual(given);
    for (let k = 0; k < 8; k++) expect(found[k]).toBeCloseTo(descriptors[k], 6);
  });

  it("are what the caller says, where the type does not tell", async () => {
    const bits = sampleBits(2, 32);
    const asFloats = array("float32", [2, 32], Float32Array.from(bits.descriptors));
    expect(toDescriptors("t", asFloats, "binary")).toEqual({ kind: "binary", dim: 32, descriptors: bits.descriptors });
    const asBytes = array("uint8", [2, 32], bits.descriptors);
    expect(toDescriptors("t", asBytes, "float").kind).toBeUndefined();
    for (const value of [0.5, -1, 256]) {
      const bad = array("float32", [1, 2], Float32Array.of(1, value));
      expect(() => toDescriptors("t", bad, "binary")).toThrow(FormatError);
      expect(() => toDescriptors("t", bad, "binary")).toThrow(`descriptors[1] is ${value}`);
    }
    const { keypoints } = bits;
    const size = array("int32", [2], Int32Array.of(640, 480));
    const npz = writeNpz({ keypoints: array("float32", [2, 2], keypoints), descriptors: asFloats, image_size: size });
    expect(readFeatures("npz", npz, { kind: "binary" })).toMatchObject({ kind: "binary", dim: 32 });
    expect(readFeatures("npz", npz).kind).toBeUndefined();
    expect(() => readFeatures("npz", npz, { kind: "bits" as "binary" })).toThrow(OptionError);
    const h5 = await createHdf5("t", null, (file) => {
      file.makeGroup("a");
      file.write("a/keypoints", array("float32", [2, 2], keypoints));
      file.write("a/image_size", size);
      file.write("a/descriptors", array("uint8", [32, 2], bits.descriptors));
    });
    expect((await readHlocFeatures(h5)).get("a")).toMatchObject({ kind: "binary", dim: 32 });
    expect((await readHlocFeatures(h5, { kind: "float" })).get("a")?.kind).toBeUndefined();
    const csv = encodeUtf8("x,y,d0,d1\n1,2,3,255\n");
    expect(readFeaturesCsv(csv, [9, 9], "binary")).toMatchObject({ descriptors: Uint8Array.of(3, 255) });
    expect(() => readFeaturesCsv(encodeUtf8("x,y,b0\n1,2,256\n"), [9, 9])).toThrow("descriptors[0] is 256");
  });
});

describe("keypoints", () => {
  it("of 2 to 7 columns begin with x and y, in every format of arrays", async () => {
    for (const columns of [2, 3, 4, 6, 7]) {
      const keypoints = sampleArray("float32", [3, columns]);
      const wanted = Float32Array.from({ length: 6 }, (_, k) => keypoints.data[(k >> 1) * columns + (k & 1)] as number);
      const npz = writeNpz({ keypoints });
      expect(readFeatures("npz", npz, { imageSize: [9, 9] })).toEqual({
        count: 3,
        dim: 0,
        imageSize: [9, 9],
        keypoints: wanted,
        scores: Float32Array.of(1, 1, 1),
        descriptors: new Float32Array(0),
      });
      const matrix = {
        type_id: "opencv-matrix",
        rows: 3,
        cols: columns,
        dt: "f",
        data: [...keypoints.data].map(Number),
      };
      const { scores, ...found } = readOpenCvFeatures(encodeUtf8(JSON.stringify({ keypoints: matrix })), [9, 9]);
      expect(found.keypoints).toEqual(wanted);
      expect(scores[1]).toBe(columns === 7 ? keypoints.data[11] : 1);
    }
    const csv = "y,x,scale,angle,d0\n2,1,9,0.5,1\n";
    expect(readFeaturesCsv(encodeUtf8(csv), [9, 9])).toMatchObject({ keypoints: Float32Array.of(1, 2), dim: 1 });
  });

  it("of R2D2's files come with the image's size under its name", () => {
    const npz = writeNpz({
      imsize: array("int64", [2], BigInt64Array.of(30n, 20n)),
      keypoints: sampleArray("float32", [3, 3]),
      scores: sampleArray("float32", [3]),
      descriptors: sampleArray("float32", [3, 128]),
    });
    expect(readFeatures("npz", npz).imageSize).toEqual([30, 20]);
  });
});

describe("OpenCV's JSON", () => {
  it("has bits as CV_8U, and Hamming distances that come back as scores", () => {
    const features = sampleBits(2, 4);
    const json = JSON.parse(new TextDecoder().decode(writeOpenCvFeatures(features)));
    expect(json.descriptors).toEqual({
      type_id: "opencv-matrix",
      rows: 2,
      cols: 4,
      dt: "u",
      data: [...features.descriptors],
    });
    const matches = { count: 2, pairs: Uint32Array.of(0, 1, 1, 0), scores: Float32Array.of(1 - 6 / 488, 1) };
    const pair = { name0: "a", name1: "b", matches };
    const bytes = writeOpenCvMatches([{ ...pair, bits: 488 }]);
    expect(JSON.parse(new TextDecoder().decode(bytes)).pairs[0].matches).toEqual([
      [0, 1, 0, 3],
      [1, 0, 0, 0],
    ]);
    expect(readOpenCvMatches(bytes)).toEqual([pair]);
  });

  it("of other programs: a flat list of keypoints, every type of matrix, none that does not hold its numbers", () => {
    const read = (json: object) => readOpenCvFeatures(encodeUtf8(JSON.stringify(json)), [9, 9]);
    expect(read({ keypoints: [1, 2, 31, -1, 0.5, 0, -1, 3, 4, 31, -1, 0.25, 0, -1] })).toMatchObject({
      keypoints: Float32Array.of(1, 2, 3, 4),
      scores: Float32Array.of(0.5, 0.25),
    });
    expect(read({ keypoints: [] })).toMatchObject({ count: 0, dim: 0 });
    const matrix = (dt: string, data: number[]) => ({ type_id: "opencv-matrix", rows: 1, cols: data.length, dt, data });
    const keypoints = matrix("f", [1, 2]);
    for (const dt of ["c", "w", "s", "i", "f", "d"]) {
      expect(read({ keypoints, descriptors: matrix(dt, [3, 4]) }).descriptors, dt).toEqual(Float32Array.of(0.6, 0.8));
    }
    expect(read({ keypoints, descriptors: matrix("u", [3, 4]) })).toMatchObject({ kind: "binary", dim: 2 });
    expect(() => read({ keypoints, descriptors: matrix("u", [3, 256]) })).toThrow('"descriptors": 256 is no uint8');
    expect(() => read({ keypoints, descriptors: matrix("2u", [3, 4]) })).toThrow("an opencv-matrix of type u, c");
  });
});

it("COLMAP's feature files, which hold neither bits nor nothing, say so", () => {
  expect(() => writeColmapFeatures(sampleBits(2, 128))).toThrow("the features have 128 bytes of bits; a database");
  const none: Features = { ...sampleFeatures(2), dim: 0, descriptors: new Float32Array(0) };
  expect(() => writeColmapFeatures(none)).toThrow("the features have no descriptors; a database does without");
});
