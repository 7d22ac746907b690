import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EXTRACT_DEFAULTS } from "../../../src/extract/options.js";
import { indexingRate } from "../../../src/node/bench/indexing-rate.js";
import { openKeptQueries } from "../../../src/node/bench/kept-prints.js";
import { type SearchPrintsOptions, searchPrints, setAside } from "../../../src/node/bench/search-prints.js";
import { saveImage } from "../../../src/node/images.js";
import { temporaryFolder } from "../cli/fake.js";
import { extractorOf, smallVocabulary, VERDICT } from "../search/samples.js";

const { path, remove } = temporaryFolder();
beforeAll(async () => {
  mkdirSync(path("photos"));
  for (let i = 0; i < 5; i++) {
    await saveImage(path("photos", `${i}.png`), { width: 16, height: 12, data: new Uint8Array(576).fill(i) });
  }
});
afterAll(remove);

/** An extractor, and how many images it was given. */
function countingExtractor() {
  const counted = { images: 0 };
  const extractor = {
    ...extractorOf(),
    options: EXTRACT_DEFAULTS,
    extract: async (image: Parameters<ReturnType<typeof extractorOf>["extract"]>[0]) => {
      counted.images++;
      return extractorOf().extract(image);
    },
  } as unknown as SearchPrintsOptions["extractor"];
  return { extractor, count: counted };
}

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
  const { extractor, count } = countingExtractor();
  const rate = await indexingRate([path("photos")], extractor, await smallVocabulary(), { most: 4 });
  expect(rate.images).toBe(4);
  // By either way, to warm up and then.
  expect(count.images).toBe(16);
  for (const value of [rate.plain, rate.indexing, rate.processor.plain, rate.processor.indexing]) {
    expect(value).toBeGreaterThan(0);
  }
  await expect(indexingRate([path("photos/9*")], extractor, await smallVocabulary())).rejects.toThrow(/no images in/);
});

it("keeps what each query gave, goes on where it was stopped, and asks again where the question is another one", async () => {
  const { extractor, count } = countingExtractor();
  const options: SearchPrintsOptions = {
    ...{
      photos: [path("photos")],
      aside: 2,
      extractor,
      queryExtractor: extractor,
      vocabulary: await smallVocabulary(),
    },
    ...{ verdict: VERDICT, queries: 1, strangers: 1, search: { verify: 3 }, out: path("new", "kept") },
  };
  const whole = await searchPrints(options);
  expect(whole.figures).toMatchObject({ images: 3, queries: 1, strangers: 1, flat: 0, top1Flat: null });
  expect(count.images).toBeGreaterThanOrEqual(3 + 2);
  // Nothing is left to do, not even to extract.
  count.images = 0;
  expect(await searchPrints(options)).toEqual(whole);
  expect(count.images).toBe(0);
  // Killed in the middle of a line.
  const lines = path("new", "kept", "queries.jsonl");
  const text = readFileSync(lines, "utf8");
  writeFileSync(lines, text.slice(0, text.indexOf("\n") + 40));
  const again = await searchPrints(options);
  expect(count.images).toBeGreaterThan(0);
  expect(again.queries[0]).toEqual(whole.queries[0]);
  const { seconds: _, ...second } = whole.queries[1];
  expect(again.queries[1]).toMatchObject(second);
  expect(readFileSync(lines, "utf8").split("\n")).toHaveLength(3);
  // A query that is now matched with all pictures is asked again, the other one is not; other questions have no answers yet.
  const flat = await searchPrints({ ...options, flat: 1 });
  expect(flat.figures).toMatchObject({ flat: 1, top1Flat: expect.any(Number) });
  expect(flat.queries[1]).toEqual(again.queries[1]);
  expect((await openKeptQueries(path("new", "kept"), async () => "another verdict")).done.size).toBe(0);
});
