import { beforeAll, expect, it } from "vitest";
import type { Extractor } from "../../../src/extract/extractor.js";
import { emptyFeatures } from "../../../src/features.js";
import type { Image } from "../../../src/image/image.js";
import { createIndex, memoryStore, type SearchIndex, searchImage } from "../../../src/search/index.js";
import { drawnFeatures, extractorOf, seenAgain, smallVocabulary, VERDICT } from "./samples.js";

let index: SearchIndex;
let extracted: [number, number][] = [];

/** The first pixel says which picture is seen. */
const extractor = {
  ...extractorOf(),
  async extract(image: Image) {
    extracted.push([image.width, image.height]);
    const shade = image.data[0];
    if (shade === 0) return emptyFeatures([image.width, image.height], 64);
    return { ...seenAgain(drawnFeatures(shade), 700), imageSize: [image.width, image.height] as [number, number] };
  },
} as unknown as Extractor;

/** A view of 600 × 400 that shows `shade` in the part that begins at (left, top), which is its upper right one by default. */
function view(shade: number, left = 240, top = 0): Image {
  const image: Image = { width: 600, height: 400, data: new Uint8Array(3 * 600 * 400).fill(99) };
  image.data[3 * (top * 600 + left)] = shade;
  return image;
}

beforeAll(async () => {
  index = await createIndex(memoryStore(), { vocabulary: await smallVocabulary(), verdict: VERDICT });
  for (let i = 10; i < 20; i++) await index.add({ id: `${i}`, features: drawnFeatures(i) });
  await index.commit();
});

it("looks at parts where the whole shows nothing, until one shows an image", async () => {
  extracted = [];
  const report = await searchImage(index, extractor, view(12), { points: true });
  expect(report.results[0]).toMatchObject({ id: "12", found: true });
  expect(report.parts).toBe(2);
  expect(extracted).toEqual([
    [600, 400],
    [720, 480],
    [720, 480],
  ]);
  // Enlarged twofold; in pixels of the whole picture, where the part begins at (240, 0).
  expect(report.results[0].geometry?.corners[0]).toBeCloseTo(90 / 2 + 240, -1);
  expect(report.results[0].points?.query[0]).toBeGreaterThan(240);
  expect(report.features.imageSize).toEqual([600, 400]);
  expect(report.seconds.verify).toBeGreaterThan(0);
  const last = await searchImage(index, extractor, view(13, 120, 80));
  expect([last.parts, last.results[0].id, last.results[0].found]).toEqual([5, "13", true]);
});

it("looks at none where the whole shows something, a region is asked for, or nobody wants it", async () => {
  const whole = view(12);
  whole.data[0] = 14;
  const seen = await searchImage(index, extractor, whole);
  expect([seen.parts, seen.results[0].id, seen.results[0].found]).toEqual([0, "14", true]);
  for (const options of [{ parts: false }, { verify: 0 }, { region: [0, 0, 600, 400] as const }]) {
    const { parts, results } = await searchImage(index, extractor, view(12), options);
    expect(parts).toBe(0);
    expect(results.some(({ found }) => found)).toBe(false);
  }
  const small: Image = { width: 100, height: 100, data: new Uint8Array(30_000).fill(99) };
  expect((await searchImage(index, extractor, small)).parts).toBe(0);
  await expect(searchImage(index, extractor, whole, { parts: "all" as unknown as boolean })).rejects.toThrow(/parts/);
});

it("enlarges a region up to the size at which queries are looked at, and takes its keypoints back", async () => {
  const wide: Image = { width: 1600, height: 400, data: new Uint8Array(3 * 1600 * 400).fill(99) };
  for (const [region, size] of [
    [
      [0, 0, 500, 300],
      [1000, 600],
    ],
    [
      [10, 20, 1000, 300],
      [1280, 384],
    ],
    [
      [0, 0, 1600, 400],
      [1600, 400],
    ],
  ] as const) {
    extracted = [];
    const { features } = await searchImage(index, extractor, wide, { region });
    expect(extracted).toEqual([size]);
    const [x, y] = seenAgain(drawnFeatures(99), 700).keypoints;
    expect(features.keypoints[0]).toBeCloseTo(((x + 0.5) * region[2]) / size[0] - 0.5 + region[0], 3);
    expect(features.keypoints[1]).toBeCloseTo(((y + 0.5) * region[3]) / size[1] - 0.5 + region[1], 3);
    expect(features.imageSize).toEqual([1600, 400]);
  }
});

it("finds nothing where no part shows anything, or no keypoint is there", async () => {
  const nothing = await searchImage(index, extractor, view(99));
  expect([nothing.parts, nothing.results.some(({ found }) => found)]).toEqual([5, false]);
  const blank: Image = { width: 600, height: 400, data: new Uint8Array(720_000) };
  expect(await searchImage(index, extractor, blank)).toMatchObject({ parts: 0, results: [] });
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  await expect(searchImage(index, extractor, view(99), { signal: stop.signal })).rejects.toThrow("enough");
});
