import { describe, expect, it } from "vitest";
import { FormatError, OptionError, ShapeError, UnsupportedError } from "../../../src/errors.js";
import { encodeUtf8 } from "../../../src/formats/bytes.js";
import {
  fromColmapDescriptors,
  readColmapFeatures,
  readColmapMatches,
  toColmapDescriptors,
  writeColmapFeatures,
  writeColmapMatches,
} from "../../../src/formats/colmap.js";
import { sampleFeatures } from "./samples.js";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (v, i) => v * b[i]).reduce((x, y) => x + y, 0);

describe("COLMAP's features", () => {
  it("are lines of X Y SCALE ORIENTATION and 128 bytes, half a pixel further", () => {
    const features = { ...sampleFeatures(2), keypoints: Float32Array.of(0, 0, 10.25, 20) };
    const lines = text(writeColmapFeatures(features)).split("\n");
    expect(lines).toHaveLength(4);
    expect(lines[0]).toBe("2 128");
    expect(lines[1]).toMatch(/^0\.5 0\.5 1 0( \d+){128}$/);
    expect(lines[2]).toMatch(/^10\.75 20\.5 1 0( \d+){128}$/);
    expect([...features.keypoints]).toEqual([0, 0, 10.25, 20]);
  });

  it("come back, descriptors up to rounding", () => {
    for (const count of [0, 1, 20]) {
      const features = sampleFeatures(count);
      const read = readColmapFeatures(writeColmapFeatures(features));
      expect(read.count).toBe(count);
      for (let i = 0; i < 2 * count; i++) expect(read.keypoints[i]).toBeCloseTo(features.keypoints[i], 3);
      expect([...read.scales]).toEqual(new Array(count).fill(1));
      const descriptors = fromColmapDescriptors(read.descriptors);
      for (let i = 0; i < descriptors.length; i++) {
        expect(Math.abs(descriptors[i] - features.descriptors[i])).toBeLessThanOrEqual(0.5 / 512 + 1e-7);
      }
    }
  });

  it("have descriptors of length 512, with the angle of close ones kept", () => {
    const { descriptors } = sampleFeatures(1);
    const near = descriptors.map((v, i) => v + (i % 2 ? 0.02 : -0.02));
    const norm = Math.sqrt(dot(near, near));
    const [a, b] = [toColmapDescriptors(descriptors), toColmapDescriptors(near.map((v) => v / norm))];
    expect(Math.sqrt(dot(a, a))).toBeCloseTo(512, -0.5);
    const angle = Math.acos(dot(descriptors, near) / norm);
    expect(Math.acos(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)))).toBeCloseTo(angle, 1);
    expect([...toColmapDescriptors(new Float32Array(64).fill(-1))]).toEqual([
      ...new Array(64).fill(0),
      ...new Array(64).fill(255),
    ]);
  });

  it("of SIFT are read too, with white space as it comes", () => {
    const row = Array.from({ length: 128 }, (_, i) => i).join("  ");
    const read = readColmapFeatures(encodeUtf8(`1 128\r\n 3.5 4.5 2.5 -0.1 ${row} \r\n\r\n`));
    expect(read).toMatchObject({ count: 1, keypoints: Float32Array.of(3, 4), scales: Float32Array.of(2.5) });
    expect([...read.descriptors]).toEqual(Array.from({ length: 128 }, (_, i) => i));
  });

  it.each<[string, string, string]>([
    ["nothing", "", "line 1: expected 2 numbers"],
    ["another length", "0 64\n", "descriptors of 64 bytes"],
    ["too few lines", "3 128\n", "line 1 says 3 features"],
    ["too many lines", "0 128\n1 2 3 4\n", "line 1 says 0 features"],
    ["half a feature", "0.5 128\n", "line 1 says 0.5"],
    ["a count without lines", "999999999999 128\n", "features"],
    ["a short line", "1 128\n1 2 3 4\n", "line 2: expected 132 numbers"],
    ["words", `1 128\n1 2 3 x${" 1".repeat(128)}\n`, "line 2: expected 132 numbers"],
    ["numbers over 255", `1 128\n1 2 3 4${" 256".repeat(128)}\n`, "line 2: 256 is no byte"],
    ["numbers beyond float32", `1 128\n1e300 2 3 4${" 1".repeat(128)}\n`, "line 2"],
  ])("are refused with %s", (_, content, message) => {
    expect(() => readColmapFeatures(encodeUtf8(content))).toThrow(FormatError);
    expect(() => readColmapFeatures(encodeUtf8(content))).toThrow(message);
  });

  it("are not written where COLMAP could not hold them", () => {
    expect(() => writeColmapFeatures(sampleFeatures(1, { dim: 32 }))).toThrow(UnsupportedError);
    expect(() => writeColmapFeatures({ ...sampleFeatures(1), keypoints: Float32Array.of(NaN, 1) })).toThrow(ShapeError);
  });
});

describe("COLMAP's matches", () => {
  const matches = { count: 2, pairs: Uint32Array.of(0, 7, 4294967295, 1), scores: Float32Array.of(1, 1) };
  const none = { count: 0, pairs: new Uint32Array(0), scores: new Float32Array(0) };

  it("are names, lines of indices, an empty line; and come back", () => {
    const pairs = [
      { name0: "db/1.jpg", name1: "2.jpg", matches },
      { name0: "2.jpg", name1: "3.jpg", matches: none },
    ];
    const bytes = writeColmapMatches(pairs);
    expect(text(bytes)).toBe("db/1.jpg 2.jpg\n0 7\n4294967295 1\n\n2.jpg 3.jpg\n\n");
    expect(readColmapMatches(bytes)).toEqual(pairs);
    expect(readColmapMatches(new Uint8Array(0))).toEqual([]);
    expect(readColmapMatches(encodeUtf8("a b\r\n1 2"))).toMatchObject([{ name0: "a", matches: { count: 1 } }]);
  });

  it("are refused with damage or names that cannot be", () => {
    expect(() => readColmapMatches(encodeUtf8("only\n"))).toThrow(FormatError);
    expect(() => readColmapMatches(encodeUtf8("a b\n1\n"))).toThrow("line 2: expected 2 numbers");
    expect(() => readColmapMatches(encodeUtf8("a b\n1 -2\n"))).toThrow("line 2: -2 is no index");
    expect(() => writeColmapMatches([{ name0: "a b", name1: "c", matches }])).toThrow(OptionError);
    expect(() => writeColmapMatches([{ name0: "", name1: "c", matches }])).toThrow(OptionError);
  });
});
