/** The files of an index and of a vocabulary: what comes back, and what damage does. */
import { beforeAll, describe, expect, it } from "vitest";
import { StrataError } from "../../../src/errors.js";
import { crc32 } from "../../../src/formats/bytes.js";
import { Random } from "../../../src/random.js";
import {
  createIndex,
  type IndexStore,
  memoryStore,
  openIndex,
  readVocabulary,
  type Vocabulary,
  writeVocabulary,
} from "../../../src/search/index.js";
import { localBytes, packLocal, unpackLocal } from "../../../src/search/local-features.js";
import { DIM, drawnFeatures, MODEL, seenAgain, smallVocabulary, VERDICT } from "./samples.js";

let vocabulary: Vocabulary;
beforeAll(async () => {
  vocabulary = await smallVocabulary();
});

async function bytesOf(store: IndexStore, file: string): Promise<Uint8Array> {
  const source = await store.open(file);
  return source ? source.read(0, source.size) : new Uint8Array(0);
}

async function twoSegments(kind: "asmk" | "vlad" = "asmk"): Promise<IndexStore> {
  const store = memoryStore("photos.index");
  const index = await createIndex(store, { vocabulary, kind, verdict: VERDICT });
  for (const id of [1, 2]) {
    await index.add({ id: `${id}`, features: drawnFeatures(id) });
    await index.commit();
  }
  await index.close();
  return store;
}

describe("keypoints of an image", () => {
  it("come back within an eighth of a pixel and a hundredth of a descriptor, in 20 kB for 300", () => {
    const features = drawnFeatures(3, 400, DIM, [4000, 3000]);
    const packed = packLocal(features, 300);
    expect(packed.length).toBe(localBytes(300, 64));
    expect(packed.length).toBeLessThanOrEqual(20 * 1024);
    const back = unpackLocal("test", packed, DIM);
    expect(back).toMatchObject({ count: 300, dim: DIM, imageSize: [4000, 3000] });
    for (let i = 0; i < 600; i++) expect(Math.abs(back.keypoints[i] - features.keypoints[i])).toBeLessThan(0.125);
    for (let i = 0; i < 300; i++) {
      let cosine = 0;
      for (let d = i * DIM; d < (i + 1) * DIM; d++) cosine += back.descriptors[d] * features.descriptors[d];
      expect(cosine).toBeGreaterThan(0.9995);
    }
    packed[500] ^= 1;
    expect(() => unpackLocal("test", packed, DIM)).toThrow(/test: the keypoints of an image are damaged/);
  });
});

describe("a vocabulary", () => {
  it("comes back bit for bit, and is refused when anything in it is changed", () => {
    const bytes = writeVocabulary(vocabulary);
    expect(readVocabulary(bytes)).toEqual(vocabulary);
    const random = new Random(1);
    for (let n = 0; n < 100; n++) {
      const spoiled = bytes.slice(0, random.integer(4) === 0 ? random.integer(bytes.length) : bytes.length);
      if (spoiled.length === bytes.length) spoiled[random.integer(bytes.length)] ^= 1 << random.integer(8);
      expect(() => readVocabulary(spoiled, "words")).toThrow(StrataError);
    }
  });

  it("with a checksum that fits is a vocabulary or a plain error", () => {
    const bytes = writeVocabulary(vocabulary);
    const random = new Random(2);
    for (let n = 0; n < 150; n++) {
      const spoiled = bytes.slice();
      spoiled[20 + random.integer(300)] = random.integer(256);
      new DataView(spoiled.buffer).setUint32(16, crc32(spoiled.subarray(20)), true);
      try {
        expect(readVocabulary(spoiled).words).toBe(vocabulary.words);
      } catch (error) {
        expect(error).toBeInstanceOf(StrataError);
      }
    }
  });

  it("of another version is refused by its number", () => {
    const bytes = writeVocabulary(vocabulary);
    bytes[8] = 9;
    expect(() => readVocabulary(bytes, "words")).toThrow(
      "words: a vocabulary of version 9; this strata reads version 1",
    );
    expect(() => readVocabulary(new Uint8Array(100), "words")).toThrow(
      /not a vocabulary; "strata index train-vocabulary"/,
    );
  });
});

describe("a store of somebody else that gives Buffers", () => {
  /** In the middle of a longer one, and not at a multiple of 4: what Node does with small Buffers. */
  const within = (bytes: Uint8Array): Buffer => {
    const longer = Buffer.alloc(bytes.length + 64, 7);
    longer.set(bytes, 33);
    return longer.subarray(33, 33 + bytes.length);
  };

  it.each(["asmk", "vlad"] as const)("is read and searched as any other, kind %s", async (kind) => {
    expect(readVocabulary(within(writeVocabulary(vocabulary)))).toEqual(vocabulary);
    const store = await twoSegments(kind);
    const other: IndexStore = {
      ...store,
      async open(file) {
        const source = await store.open(file);
        return source && { size: source.size, read: async (at, length) => within(await source.read(at, length)) };
      },
    };
    const [want, got] = [await openIndex(store), await openIndex(other)];
    const query = seenAgain(drawnFeatures(2), 9);
    expect((await got.search(query)).results).toEqual((await want.search(query)).results);
    expect((await got.search(query)).results[0]).toMatchObject({ id: "2", found: true });
    expect(await got.features("1")).toEqual(await want.features("1"));
    expect(await got.check()).toEqual([]);
  });
});

describe("a manifest", () => {
  it("that is changed, of another version or of nobody is a plain error", async () => {
    const store = await twoSegments();
    const text = new TextDecoder().decode(await bytesOf(store, "manifest.json"));
    const opening = async (spoiled: string) => {
      await store.write("manifest.json", new TextEncoder().encode(spoiled));
      return openIndex(store);
    };
    await expect(opening(text.replace('"images":1', '"images":2'))).rejects.toThrow(
      /checksum does not fit; the index is damaged/,
    );
    await expect(opening(text.slice(0, 80))).rejects.toThrow(/manifest\.json: not JSON/);
    await expect(opening("{}")).rejects.toThrow(/"manifest" must be an object/);
    await expect(opening(text.replace('"version":1', '"version":3'))).rejects.toThrow(
      /an index of version 3; this strata reads versions 1 to 2/,
    );
    const forged = (change: (manifest: Record<string, unknown>) => void) => {
      const { manifest } = JSON.parse(text);
      change(manifest);
      return JSON.stringify({ crc32: crc32(new TextEncoder().encode(JSON.stringify(manifest))), manifest });
    };
    for (const change of [
      (m: Record<string, unknown>) =>
        Object.assign(m, { segments: [{ file: "../../etc/passwd", images: 1, bytes: 1, removed: null }] }),
      (m: Record<string, unknown>) => Object.assign(m, { kind: "best" }),
      (m: Record<string, unknown>) => Object.assign(m, { verdict: { weights: 3 } }),
      (m: Record<string, unknown>) => Object.assign(m, { vocabulary: { file: "/x", digest: "" } }),
      (m: Record<string, unknown>) => Object.assign((m.segments as object[])[0], { removed: "AAAA" }),
      (m: Record<string, unknown>) => Object.assign((m.segments as object[])[0], { removed: "?" }),
    ]) {
      await expect(opening(forged(change))).rejects.toThrow(StrataError);
    }
  });
});

describe.each(["asmk", "vlad"] as const)("a segment of kind %s", (kind) => {
  it("that is damaged anywhere is named by check; the other one is searched", async () => {
    const store = await twoSegments(kind);
    const file = "segment-00000001.strata";
    const whole = await bytesOf(store, file);
    const random = new Random(5);
    for (let n = 0; n < 24; n++) {
      const spoiled = whole.slice(0, n % 4 === 0 ? random.integer(whole.length) : whole.length);
      if (spoiled.length === whole.length) spoiled[random.integer(whole.length)] ^= 1 << random.integer(8);
      await store.write(file, spoiled);
      const index = await openIndex(store);
      const { results } = await index.search(seenAgain(drawnFeatures(2), 77), { verify: 3 });
      expect(results[0]).toMatchObject({ id: "2", found: true });
      await index.search(seenAgain(drawnFeatures(1), 78), { verify: 3 });
      const damaged = await index.check();
      // Bytes that fill up to the next section say nothing.
      if (damaged.length > 0) expect(damaged).toMatchObject([{ file, error: expect.any(StrataError) }]);
      else
        expect((await index.search(seenAgain(drawnFeatures(1), 78))).results[0]).toMatchObject({
          id: "1",
          found: true,
        });
    }
    await store.write(file, whole);
    expect(await (await openIndex(store)).check()).toEqual([]);
  });

  it("of another vocabulary is refused", async () => {
    const store = await twoSegments(kind);
    const other = { ...vocabulary, model: MODEL, idf: vocabulary.idf.map((value) => value + 1) };
    await store.write("vocabulary.strata", writeVocabulary(other));
    const index = await openIndex(store);
    await expect(index.search(drawnFeatures(1))).rejects.toThrow(/not the vocabulary that the index was made with/);
    expect(await index.check()).toMatchObject([{ file: "vocabulary.strata" }]);
  });
});
