import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EXTRACT_DEFAULTS } from "../../../src/extract/options.js";
import { indexingRate } from "../../../src/node/bench/indexing-rate.js";
import { setAside } from "../../../src/node/bench/search-prints.js";
import { saveImage } from "../../../src/node/images.js";
import { temporaryFolder } from "../cli/fake.js";
import { extractorOf, smallVocabulary } from "../search/samples.js";

const { path, remove } = temporaryFolder();
beforeAll(async () => {
  mkdirSync(path("photos"));
  for (let i = 0; i < 5; i++) {
    await saveImage(path("photos", `${i}.png`), { width: 16, height: 12, data: new Uint8Array(576).fill(i) });
  }
});
afterAll(remove);

it("sets pictures aside evenly, and none of a place that others show", () => {
  const paths = ["a/beach_1", "a/beach_2", "a/cat", "b/dog", "b/elk", "b/fox", "beach/hen"];
  expect(setAside(paths, 2, ["beach_"])).toEqual({
    kept: ["a/beach_1", "a/beach_2", "a/cat", "b/elk", "beach/hen"],
    taken: ["b/dog", "b/fox"],
  });
  expect(setAside(paths, 0, [])).toEqual({ kept: paths, taken: [] });
  expect(setAside(paths, 99, ["beach_"]).kept).toEqual(["a/beach_1", "a/beach_2"]);
});

it("times indexing and extraction of the same images", async () => {
  let extracted = 0;
  const extractor = {
    ...extractorOf(),
    options: EXTRACT_DEFAULTS,
    extract: async (image: Parameters<ReturnType<typeof extractorOf>["extract"]>[0]) => {
      extracted++;
      return extractorOf().extract(image);
    },
  } as unknown as Parameters<typeof indexingRate>[1];
  const rate = await indexingRate([path("photos")], extractor, await smallVocabulary(), { most: 4 });
  expect(rate.images).toBe(4);
  // By either way, to warm up and then.
  expect(extracted).toBe(16);
  for (const value of [rate.plain, rate.indexing, rate.processor.plain, rate.processor.indexing]) {
    expect(value).toBeGreaterThan(0);
  }
  await expect(indexingRate([path("photos/9*")], extractor, await smallVocabulary())).rejects.toThrow(/no images in/);
});
