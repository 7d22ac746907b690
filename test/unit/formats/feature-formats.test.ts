/** The contract of the table: what every format of features has to do, whoever adds it. */
import { describe, expect, it } from "vitest";
import { FormatError, StrataError } from "../../../src/errors.js";
import { MissingImageSize } from "../../../src/formats/feature-arrays.js";
import {
  codecFor,
  codecOf,
  FORMAT_NAMES,
  FORMAT_TABLE,
  formatRow,
  PER_IMAGE_ENDINGS,
  type PerImageFormat,
  RECORD_FORMATS,
} from "../../../src/formats/feature-formats.js";
import { sampleFeatures } from "./samples.js";

const PER_IMAGE = FORMAT_NAMES.filter((name): name is PerImageFormat => formatRow(name).load !== undefined);
const HOW = { where: "x", imageSize: null, kind: null };

describe("the table of formats", () => {
  it("names each format once, and endings with a dot and in small letters", () => {
    expect(new Set(FORMAT_NAMES).size).toBe(FORMAT_TABLE.length);
    for (const { endings } of FORMAT_TABLE) for (const ending of endings) expect(ending).toMatch(/^\.[a-z0-9-]+$/);
    expect(PER_IMAGE_ENDINGS).toContain(".npz");
    expect(PER_IMAGE_ENDINGS).not.toContain(".h5");
    expect(RECORD_FORMATS).toEqual(["npz", "mat", "json", "h5"]);
  });

  it.each(PER_IMAGE)("%s: what is written is read, known by its ending, the same bytes each time", async (name) => {
    const codec = await codecOf(name);
    // COLMAP's text holds descriptors of 64 or 128 values, rounded; scores it has none.
    const given = sampleFeatures(3, { dim: 64 });
    const bytes = codec.write(given, {});
    expect(codec.write(given, {})).toEqual(bytes);
    const { features } = codec.read(bytes, { ...HOW, imageSize: given.imageSize });
    expect(features).toMatchObject({ count: 3, dim: 64, imageSize: given.imageSize });
    expect([...features.keypoints]).toEqual([...given.keypoints].map((value) => expect.closeTo(value, 3)));
    for (const ending of formatRow(name).endings) expect(await codecFor(ending.toUpperCase(), bytes)).toBe(codec);
  });

  it.each(PER_IMAGE)("%s: zero keypoints are an answer", async (name) => {
    const codec = await codecOf(name);
    const bytes = codec.write(sampleFeatures(0, { dim: 64 }), {});
    expect(codec.read(bytes, { ...HOW, imageSize: [8, 6] }).features.count).toBe(0);
  });

  it.each(PER_IMAGE)("%s: provenance is kept exactly where the table says so", async (name) => {
    const codec = await codecOf(name);
    const provenance = { model: "m", options: { a: [1, null], text: "ä\n" } };
    const bytes = codec.write(sampleFeatures(2, { dim: 64 }), { provenance });
    const read = codec.read(bytes, { ...HOW, imageSize: [640, 480] });
    expect(read.provenance).toEqual(formatRow(name).provenance ? provenance : null);
  });

  it.each(PER_IMAGE)("%s: damaged bytes are an error of ours", async (name) => {
    const codec = await codecOf(name);
    const bytes = codec.write(sampleFeatures(2, { dim: 64 }), {});
    const half = bytes.slice(0, Math.floor(bytes.length / 2));
    expect(() => codec.read(half, { ...HOW, imageSize: [640, 480] })).toThrow(StrataError);
  });

  it("a size that the file lacks is asked for by an error of its own kind", async () => {
    const codec = await codecOf("colmap");
    expect(() => codec.read(codec.write(sampleFeatures(1, { dim: 64 }), {}), HOW)).toThrow(MissingImageSize);
  });

  it("no codec for other endings, nor for a file of many images", async () => {
    expect(await codecFor(".xyz", new Uint8Array(1))).toBeNull();
    await expect(codecOf("h5" as PerImageFormat)).rejects.toThrow("one file for many images");
    await expect(codecFor(".json", new TextEncoder().encode("{"))).rejects.toThrow(FormatError);
  });
});
