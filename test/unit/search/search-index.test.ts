import { beforeAll, describe, expect, it } from "vitest";
import {
  createIndex,
  type IndexStore,
  memoryStore,
  openIndex,
  type SearchIndex,
  type Vocabulary,
} from "../../../src/search/index.js";
import { drawnFeatures, MODEL, seenAgain, smallVocabulary, VERDICT } from "./samples.js";

let vocabulary: Vocabulary;
beforeAll(async () => {
  vocabulary = await smallVocabulary();
});

const name = (i: number) => `pictures/${i}.jpg`;

async function fill(
  store: IndexStore,
  count: number,
  { kind = "asmk" as "asmk" | "vlad", each = 4 } = {},
): Promise<SearchIndex> {
  const index = await createIndex(store, { vocabulary, kind, verdict: VERDICT });
  for (let i = 0; i < count; i++) {
    await index.add({ id: name(i), features: drawnFeatures(i), digest: `${i}`.padStart(32, "0") });
    if (i % each === each - 1) await index.commit();
  }
  await index.commit();
  return index;
}

const ranking = async (index: SearchIndex, i: number, options = {}) =>
  (await index.search(seenAgain(drawnFeatures(i), 9000 + i), options)).results;

describe.each(["asmk", "vlad"] as const)("an index of kind %s", (kind) => {
  it("finds each picture first, seen from elsewhere among others, with where it lies", async () => {
    const index = await fill(memoryStore(), 12, { kind });
    for (let i = 0; i < 12; i++) {
      const [first, second] = await ranking(index, i);
      expect(first.id).toBe(name(i));
      expect(first.found).toBe(true);
      expect(first.probability).toBeGreaterThan(0.9);
      expect(first.inliers).toBeGreaterThan(30);
      const { matrix, corners } = first.geometry ?? { matrix: [], corners: [] };
      expect(matrix[0] / matrix[8]).toBeCloseTo(0.7, 1);
      expect(corners[0]).toBeCloseTo(90, -1);
      expect(corners).toHaveLength(8);
      expect(second.found).toBe(false);
      expect(second.probability).toBeLessThan(0.5);
    }
    const byWords = await ranking(index, 3, { verify: 0 });
    expect(byWords[0]).toMatchObject({ id: name(3), found: false, probability: 0, inliers: 0, geometry: null });
    expect(byWords[0].score).toBeGreaterThan(1.5 * byWords[1].score);
    await index.close();
  });

  it("finds nothing for a picture that is not in it", async () => {
    const index = await fill(memoryStore(), 8, { kind });
    expect((await ranking(index, 100)).filter(({ found }) => found)).toEqual([]);
    await index.close();
  });
});

describe("words that many images have", () => {
  it("are looked at last, and not at all beyond the number of postings", async () => {
    const index = await fill(memoryStore(), 12, { each: 5 });
    const all = await ranking(index, 7, { verify: 0, top: 12 });
    expect(await ranking(index, 7, { verify: 0, top: 12, mostPostings: 1e9 })).toEqual(all);
    const few = await ranking(index, 7, { verify: 0, top: 12, mostPostings: 60 });
    expect(few[0].id).toBe(name(7));
    const sum = (results: typeof all) => results.reduce((total, { score }) => total + score, 0);
    expect(sum(few)).toBeLessThan(0.7 * sum(all));
    expect(await ranking(index, 7, { verify: 0, mostPostings: 1 })).toEqual([]);
    await expect(ranking(index, 7, { mostPostings: 0 })).rejects.toThrow(/mostPostings/);
    await index.close();
  });
});

describe("the segments of an index", () => {
  it("rank alike however the images lie in them, and after a merge", async () => {
    const stores = [memoryStore(), memoryStore(), memoryStore()];
    const indexes = await Promise.all(stores.map((store, i) => fill(store, 12, { each: [1, 5, 12][i] })));
    expect(indexes.map((index) => index.info().segments.length)).toEqual([12, 3, 1]);
    const want = await ranking(indexes[2], 7);
    for (const index of indexes) {
      expect(await ranking(index, 7)).toEqual(want);
      await index.merge();
      expect(index.info().segments).toHaveLength(1);
      expect(await ranking(index, 7)).toEqual(want);
      expect(await index.check()).toEqual([]);
    }
    await Promise.all(indexes.map((index) => index.close()));
  });

  it("merges small ones only, where asked", async () => {
    const store = memoryStore();
    const index = await fill(store, 9, { each: 4 });
    expect(index.info().segments.map(({ images }) => images)).toEqual([4, 4, 1]);
    await index.add({ id: "late", features: drawnFeatures(77) });
    await index.commit();
    expect(await index.merge({ below: 4 })).toEqual({ before: 4, after: 3 });
    expect(index.info().segments.map(({ images }) => images)).toEqual([4, 4, 2]);
    expect((await store.list()).filter((file) => file.startsWith("segment")).length).toBe(3);
    await index.close();
  });

  it("hide what was removed, and drop it at the next merge", async () => {
    const store = memoryStore();
    const index = await fill(store, 8);
    index.remove([name(3), "never there"]);
    expect((await ranking(index, 3))[0].id).toBe(name(3));
    expect(await index.commit()).toEqual({ added: 0, removed: 1 });
    expect((await ranking(index, 3)).map(({ id }) => id)).not.toContain(name(3));
    expect(index.info()).toMatchObject({ images: 7, removed: 1 });
    const { bytes } = index.info();
    await index.merge();
    expect(index.info()).toMatchObject({ images: 7, removed: 0 });
    expect(index.info().bytes).toBeLessThan(bytes);
    expect([...(await index.entries()).keys()].sort()).toEqual([0, 1, 2, 4, 5, 6, 7].map(name));
    index.remove([0, 1, 2, 4, 5, 6, 7].map(name));
    await index.commit();
    expect(index.info()).toMatchObject({ images: 0, segments: [] });
    expect((await index.search(drawnFeatures(1))).results).toEqual([]);
    await index.close();
  });

  it("take the newer of two images of one id", async () => {
    const index = await fill(memoryStore(), 4);
    await index.add({ id: name(0), features: drawnFeatures(50), digest: "ff" });
    await index.commit();
    expect(index.info().images).toBe(4);
    expect((await ranking(index, 50))[0]).toMatchObject({ id: name(0), found: true });
    expect((await ranking(index, 0)).filter(({ found }) => found)).toEqual([]);
    expect((await index.entries()).get(name(0))).toBe(`ff${"0".repeat(30)}`);
    expect((await index.features(name(0)))?.count).toBe(60);
    expect(await index.features("nobody")).toBe(null);
    await index.close();
  });

  it("take images without keypoints and of one", async () => {
    const index = await fill(memoryStore(), 2);
    for (const count of [0, 1]) await index.add({ id: `${count}`, features: drawnFeatures(count, count) });
    await index.commit();
    expect(index.info().images).toBe(4);
    expect((await index.search(drawnFeatures(9, 0))).results).toEqual([]);
    expect((await index.search(drawnFeatures(9, 1))).results.every(({ found }) => !found)).toBe(true);
    expect(await index.check()).toEqual([]);
    await index.close();
  });
});

describe("readers and writers", () => {
  it("read on while one writes, and see it after refresh", async () => {
    const store = memoryStore();
    const writer = await fill(store, 8);
    const reader = await openIndex(store);
    writer.remove([name(2)]);
    await writer.add({ id: "new", features: drawnFeatures(60) });
    await writer.merge();
    expect((await ranking(reader, 2))[0].id).toBe(name(2));
    expect(await reader.refresh()).toBe(true);
    expect(await reader.refresh()).toBe(false);
    expect((await ranking(reader, 60))[0]).toMatchObject({ id: "new", found: true });
    expect((await ranking(reader, 2)).filter(({ found }) => found)).toEqual([]);
    await Promise.all([reader.close(), writer.close()]);
  });

  it("keep a second writer out until the first has closed", async () => {
    const store = memoryStore("photos.index");
    const writer = await fill(store, 1);
    await expect(openIndex(store, { write: true })).rejects.toThrow(/photos\.index is being written by somebody else/);
    await writer.close();
    await (await openIndex(store, { write: true })).close();
    await expect(createIndex(store, { vocabulary })).rejects.toThrow(/there is an index already/);
    // The lock of a refused one is free again.
    await (await openIndex(store, { write: true })).close();
  });

  it("drop what was not committed, and what a killed writer left", async () => {
    const store = memoryStore();
    const writer = await fill(store, 4);
    await writer.add({ id: "lost", features: drawnFeatures(60) });
    await writer.close();
    await store.write("segment-00000099.strata", Uint8Array.of(1));
    const next = await openIndex(store, { write: true });
    expect(next.info().images).toBe(4);
    expect(await store.list()).not.toContain("segment-00000099.strata");
    await next.close();
  });

  it("leave the index as it was where writing fails, and the images to the next commit", async () => {
    const full: IndexStore = memoryStore();
    const { write } = full;
    const index = await fill(full, 4);
    for (const failing of ["segment", "manifest"]) {
      full.write = async (file, content) => {
        if (!file.startsWith(failing)) return write(file, content);
        throw new Error("the disk is full");
      };
      await index.add({ id: "more", features: drawnFeatures(60) });
      await expect(index.commit()).rejects.toThrow(/disk is full/);
      expect((await openIndex(full)).info().images).toBe(4);
    }
    full.write = write;
    expect(await index.commit()).toEqual({ added: 1, removed: 0 });
    expect((await openIndex(full)).info().images).toBe(5);
    await index.close();
  });

  it("say what is not offered", async () => {
    const store = memoryStore("photos.index");
    await expect(openIndex(store)).rejects.toThrow(/photos\.index: there is no index; "strata index DIR/);
    await (await createIndex(store, { vocabulary })).close();
    const reader = await openIndex(store);
    await expect(reader.add({ id: "a", features: drawnFeatures(1) })).rejects.toThrow(/open for reading/);
    await expect(reader.search(drawnFeatures(1, 5, 32))).rejects.toThrow(
      /features of drawn, 64 floats each; got 32 floats/,
    );
    await expect(reader.search(drawnFeatures(1))).rejects.toThrow(/no verdict of drawn/);
    expect((await reader.search(drawnFeatures(1), { verify: 0 })).results).toEqual([]);
    expect(reader.model).toEqual(MODEL);
    await reader.close();
    await expect(reader.search(drawnFeatures(1))).rejects.toThrow(/the index is closed/);
  });
});
