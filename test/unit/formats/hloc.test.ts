import { describe, expect, it } from "vitest";
import { FormatError, LimitError, OptionError, ShapeError } from "../../../src/errors.js";
import { encodeUtf8 } from "../../../src/formats/bytes.js";
import { createHdf5 } from "../../../src/formats/hdf5.js";
import {
  inspectHloc,
  listHlocImages,
  readHlocFeatures,
  readHlocMatches,
  writeHlocFeatures,
  writeHlocMatches,
} from "../../../src/formats/hloc.js";
import { mergeHlocFeatures } from "../../../src/formats/hloc-merge.js";
import type { NdArray } from "../../../src/formats/ndarray.js";
import { sampleArray, sampleFeatures } from "./samples.js";

describe("hloc's features", () => {
  it("come back exactly, under names with slashes, blanks and letters of all kinds", async () => {
    const images = new Map([
      ["db/day/1.jpg", sampleFeatures(7)],
      ["db/day/2.jpg", sampleFeatures(0)],
      ["db", sampleFeatures(1, { levels: false })],
      ["日本 é.png", sampleFeatures(2, { dim: 3 })],
    ]);
    const read = await readHlocFeatures(await writeHlocFeatures(images));
    expect([...read.keys()].sort()).toEqual([...images.keys()].sort());
    for (const [name, features] of images) expect(read.get(name), name).toEqual(features);
    expect((await readHlocFeatures(await writeHlocFeatures([]))).size).toBe(0);
  });

  it("are joined from several files to the bytes that one run writes, named images in their order", async () => {
    const entries = ["a/1.jpg", "b.jpg", "blank.jpg", "c.jpg"].map(
      (name, i) => [name, sampleFeatures(i === 2 ? 0 : 3 + i, { seed: i, levels: i !== 1 }), { strata: name }] as const,
    );
    const parts = [
      { bytes: await writeHlocFeatures(entries.slice(0, 2)), names: ["a/1.jpg", "b.jpg", "missing.jpg"] },
      { bytes: await writeHlocFeatures(entries.slice(2)), names: ["blank.jpg", "c.jpg"] },
    ];
    const whole = await writeHlocFeatures(entries);
    expect(Buffer.compare(await mergeHlocFeatures(parts), whole)).toBe(0);
    await expect(mergeHlocFeatures([parts[0], parts[0]])).rejects.toThrow(/"a\/1\.jpg" is in the file already/);
    const cut = { ...parts[0], bytes: parts[0].bytes.subarray(0, 900) };
    await expect(mergeHlocFeatures([cut])).rejects.toThrow(FormatError);
  });

  it("are taken as they come, also from a generator, and added to a file", async () => {
    async function* extract(): AsyncGenerator<[string, ReturnType<typeof sampleFeatures>]> {
      for (const name of ["b.jpg", "a/b.jpg"]) yield [name, sampleFeatures(2, { seed: name.length })];
    }
    const first = await writeHlocFeatures([["a/a.jpg", sampleFeatures(3)]]);
    const all = await writeHlocFeatures(extract(), { base: first });
    expect((await listHlocImages(all)).sort()).toEqual(["a/a.jpg", "a/b.jpg", "b.jpg"]);
    expect((await readHlocFeatures(all)).get("a/a.jpg")).toEqual(sampleFeatures(3));
    expect(await listHlocImages(first)).toEqual(["a/a.jpg"]);
  });

  it("are refused under names that are taken or cannot be", async () => {
    const write = (...names: string[]) => writeHlocFeatures(names.map((name) => [name, sampleFeatures(1)] as const));
    for (const name of ["", "/a.jpg", "a//b", "./a.jpg", "a/", "a\0"])
      await expect(write(name), name).rejects.toThrow(OptionError);
    await expect(write("a", "a")).rejects.toThrow('"a" is in the file already');
    await expect(write("a", "a/keypoints")).rejects.toThrow(OptionError);
    await expect(write("a/keypoints", "a")).rejects.toThrow(OptionError);
    await expect(writeHlocFeatures([], { base: encodeUtf8("no HDF5") })).rejects.toThrow(FormatError);
    await expect(writeHlocFeatures([["a", { ...sampleFeatures(1), count: 2 }]])).rejects.toThrow(ShapeError);
    // A failure leaves nothing behind that hinders the next.
    expect(await listHlocImages(await write("a"))).toEqual(["a"]);
  });

  it("are the same whatever size was expected", async () => {
    const images = new Map(Array.from({ length: 9 }, (_, i) => [`${i}.jpg`, sampleFeatures(20, { seed: i })] as const));
    const { length } = await writeHlocFeatures(images);
    for (const expectedBytes of [1, 5000, length - 1, length, 10 * length]) {
      const bytes = await writeHlocFeatures(images, { expectedBytes });
      expect(bytes.length, String(expectedBytes)).toBe(length);
      expect(await readHlocFeatures(bytes), String(expectedBytes)).toEqual(images);
    }
  });

  it("say how they were made beside the arrays; an inventory tells what else is in a file", async () => {
    const provenance = { image: "a/b.jpg", options: { text: "ä\n\0" } };
    const bytes = await writeHlocFeatures([
      ["a/b.jpg", sampleFeatures(2), provenance],
      ["c.jpg", sampleFeatures(1)],
    ]);
    const images = new Map<string, unknown>([
      ["a/b.jpg", provenance],
      ["c.jpg", null],
    ]);
    expect(await inspectHloc(bytes)).toEqual({ images, others: [] });
    expect([...(await readHlocFeatures(bytes)).keys()]).toEqual([...images.keys()]);
    const more = await createHdf5("test", bytes, (file) => {
      file.write("top", sampleArray("float32", [2]));
      file.makeGroup("global");
      for (const path of ["global/vlad", "c.jpg/mask"]) file.write(path, sampleArray("float32", [2]));
    });
    expect((await inspectHloc(more)).others.sort()).toEqual(["c.jpg/mask", "global/vlad", "top"]);
    const long = { image: "x".repeat(70_000) };
    await expect(writeHlocFeatures([["a", sampleFeatures(1), long]])).rejects.toThrow(LimitError);
  });

  it("are looked for 32 groups deep, not in circles", async () => {
    const deep = (depth: number): Promise<Uint8Array> =>
      createHdf5("test", null, (file) => file.makeGroup(new Array(depth).fill("g").join("/")));
    expect(await listHlocImages(await deep(32))).toEqual([]);
    await expect(listHlocImages(await deep(33))).rejects.toThrow("32 deep");
  });

  it("an error of the caller's generator comes through as it is", async () => {
    async function* failing(): AsyncGenerator<[string, ReturnType<typeof sampleFeatures>]> {
      yield ["a", sampleFeatures(1)];
      throw new LimitError("enough");
    }
    await expect(writeHlocFeatures(failing())).rejects.toThrow(new LimitError("enough"));
  });

  it("are refused when they are no features, too many, or no file at all", async () => {
    const bytes = await writeHlocFeatures([["a", sampleFeatures(9)]]);
    await expect(readHlocFeatures(bytes, { limit: 1000 })).rejects.toThrow(LimitError);
    for (const damaged of [new Uint8Array(0), encodeUtf8("text"), bytes.subarray(0, bytes.length / 2)]) {
      await expect(readHlocFeatures(damaged)).rejects.toThrow(/not a readable HDF5 file \(.+\)/);
    }
    const group = async (arrays: Record<string, NdArray>): Promise<Uint8Array> =>
      createHdf5("test", null, (file) => {
        file.makeGroup("x");
        for (const [name, array] of Object.entries(arrays)) file.write(`x/${name}`, array);
      });
    const keypoints = sampleArray("float32", [3, 2]);
    await expect(readHlocFeatures(await group({ keypoints }))).rejects.toThrow("does not say the image's size");
    const image_size: NdArray = { dtype: "int32", shape: [2], data: Int32Array.of(9, 9) };
    const turned = {
      image_size,
      keypoints,
      scores: sampleArray("float32", [3]),
      descriptors: sampleArray("float32", [3, 64]),
    };
    await expect(readHlocFeatures(await group(turned))).rejects.toThrow("descriptors must be [3, D], got [64,3]");
    // Other groups are none of our business.
    expect((await readHlocFeatures(await group({ depth: sampleArray("float64", [2, 2]) }))).size).toBe(0);
  });
});

describe("hloc's matches", () => {
  const matches = { count: 2, pairs: Uint32Array.of(1, 40000, 4, 0), scores: Float32Array.of(0.5, 0.75) };
  const pair = { name0: "db/1.jpg", name1: "q/2.jpg", count0: 5, matches };

  it("come back under names without slashes", async () => {
    const none = { count: 0, pairs: new Uint32Array(0), scores: new Float32Array(0) };
    const read = await readHlocMatches(
      await writeHlocMatches([pair, { ...pair, name1: "3.jpg", count0: 0, matches: none }]),
    );
    expect(read).toEqual([
      { name0: "db-1.jpg", name1: "3.jpg", count0: 0, matches: none },
      { ...pair, name0: "db-1.jpg", name1: "q-2.jpg" },
    ]);
  });

  it("are refused with indices that do not fit, or twice", async () => {
    await expect(writeHlocMatches([{ ...pair, count0: 4 }])).rejects.toThrow(ShapeError);
    const twice = { ...matches, pairs: Uint32Array.of(1, 2, 1, 3) };
    await expect(writeHlocMatches([{ ...pair, matches: twice }])).rejects.toThrow("one match each");
    await expect(writeHlocMatches([pair, pair])).rejects.toThrow("in the file already");
  });

  it("get their images' whole names back from the features, also in the old layout", async () => {
    const bytes = await writeHlocMatches([pair]);
    const names = ["q/2.jpg", "db/1.jpg", "x.jpg"];
    expect(await readHlocMatches(bytes, { names })).toEqual([pair]);
    const old = async (name: string): Promise<Uint8Array> =>
      createHdf5("test", null, (file) => {
        file.makeGroup(name);
        file.write(`${name}/matches0`, { dtype: "int16", shape: [3], data: Int16Array.of(-1, 2, 0) });
      });
    await expect(readHlocMatches(await old("a_b.jpg_c.jpg"))).rejects.toThrow("does not name a pair");
    expect(await readHlocMatches(await old("d-a_b.jpg_c.jpg"), { names: ["c.jpg", "d/a_b.jpg"] })).toMatchObject([
      { name0: "d/a_b.jpg", name1: "c.jpg", matches: { count: 2, pairs: Uint32Array.of(1, 2, 2, 0) } },
    ]);
    await expect(readHlocMatches(bytes, { names: ["db/1.jpg", "other.jpg"] })).rejects.toThrow(
      'the pair "db-1.jpg/q-2.jpg" names an image that has no features; there are 2 images: db/1.jpg, other.jpg',
    );
    await expect(readHlocMatches(bytes, { names: [...names, "db-1.jpg"] })).rejects.toThrow(
      'differ in "/" and "-" only',
    );
    await expect(readHlocMatches(await old("a_b_c"), { names: ["a", "a_b", "c", "b_c"] })).rejects.toThrow(
      "can be read in several ways",
    );
  });
});

it("features without image_size are read with sizes from elsewhere", async () => {
  const bytes = await createHdf5("test", null, (file) => {
    file.makeGroup("a.jpg");
    file.write("a.jpg/keypoints", sampleArray("float32", [3, 2]));
    file.write("a.jpg/scores", sampleArray("float32", [3]));
    file.write("a.jpg/descriptors", sampleArray("float32", [8, 3]));
  });
  await expect(readHlocFeatures(bytes)).rejects.toThrow("does not say the image's size");
  const read = await readHlocFeatures(bytes, { imageSizes: new Map([["a.jpg", [30, 20]]]) });
  expect(read.get("a.jpg")).toMatchObject({ count: 3, dim: 8, imageSize: [30, 20] });
});
