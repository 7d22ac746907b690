/** An index in LanceDB: the same answers as the index in files. The package is large; where it is not installed, this is told. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { saveImage } from "../../../src/node/images.js";
import { findPackage } from "../../../src/node/packages.js";
import {
  createIndex,
  createLanceIndex,
  findDuplicates,
  type ImageIndex,
  memoryStore,
  openGlobalModel,
  openLanceIndex,
  type Vocabulary,
} from "../../../src/node/search/index.js";
import { lanceError, lancePlace } from "../../../src/node/search/lance/place.js";
import { LIMITS } from "../../../src/node/search/lance/table.js";
import { saveVocabulary } from "../../../src/node/search/vocabularies.js";
import { setPackageFinder } from "../../../src/peers.js";
import { Random } from "../../../src/random.js";
import { trainVocabulary } from "../../../src/search/index.js";
import { SIGN_BYTES, signsOf } from "../../../src/search/signs.js";
import { fakeStrata, temporaryFolder } from "../cli/fake.js";
import { globalOnnx } from "./global-onnx.js";
import { DIM, drawnFeatures, MODEL, seenAgain, smallVocabulary, VERDICT } from "./samples.js";

const { path, remove } = temporaryFolder();
afterAll(remove);
afterAll(() => setPackageFinder(findPackage));

const isThere = findPackage("@lancedb/lancedb") !== null;
if (!isThere) console.warn("skipped, for @lancedb/lancedb is not installed (.ci/run installs it): indexes in LanceDB");

it("LanceDB is there where .ci/run has installed it", () => {
  expect(isThere || process.env.CI === undefined).toBe(true);
});

let vocabulary: Vocabulary;
beforeAll(async () => {
  vocabulary = await smallVocabulary();
});

const name = (i: number) => `pictures/${i}'s.jpg`;
const query = (i: number) => seenAgain(drawnFeatures(i), 9000 + i);

async function fill<I extends ImageIndex>(index: I, count = 12): Promise<I> {
  for (let i = 0; i < count; i++) {
    await index.add({ id: name(i), features: drawnFeatures(i), digest: `${i}`.padStart(32, "0") });
    if (i % 5 === 4) await index.commit();
  }
  await index.commit();
  return index;
}

const create = (at: string, options = {}) => createLanceIndex(at, { vocabulary, verdict: VERDICT, ...options });

describe("signs of vectors", () => {
  it("differ by their angle, whatever the vectors' length, and are the same in every run", () => {
    const random = new Random(5);
    for (const length of [3, 48, 700, 8192]) {
      const [a, b] = [0, 1].map(() => Int8Array.from({ length }, () => random.uniform(-127, 127)));
      const mixed = a.map((value, i) => (3 * value + b[i]) / 4);
      const cosine = (x: Int8Array, y: Int8Array) => {
        const dot = (u: Int8Array, v: Int8Array) => u.reduce((sum, value, i) => sum + value * v[i], 0);
        return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
      };
      const signs = [a, b, mixed].map(signsOf);
      for (const [i, j] of [
        [0, 1],
        [0, 2],
        [1, 2],
      ]) {
        let differing = 0;
        for (let k = 0; k < SIGN_BYTES; k++)
          for (let bits = signs[i][k] ^ signs[j][k]; bits > 0; bits >>= 1) differing += bits & 1;
        const angle = Math.acos(cosine([a, b, mixed][i], [a, b, mixed][j])) / Math.PI;
        expect(Math.abs(differing / (8 * SIGN_BYTES) - angle)).toBeLessThan(length < 40 ? 0.06 : 0.025);
      }
    }
    expect([...signsOf(Int8Array.of(5, -3, 1)).subarray(0, 4)]).toEqual([
      ...signsOf(Int8Array.of(5, -3, 1)).subarray(0, 4),
    ]);
  });
});

describe("the place of an index in LanceDB", () => {
  it("is a folder or an object store; others are refused", () => {
    expect(lancePlace("x", "lance:photos")).toMatchObject({
      name: "lance:photos",
      folder: join(process.cwd(), "photos"),
    });
    expect(lancePlace("x", "s3://bucket/a.lance")).toMatchObject({ folder: null, uri: "s3://bucket/a.lance" });
    for (const bad of ["lance:", "db://cloud", "http://host/x", "lance:https://host", "lance:a\0b"])
      expect(() => lancePlace("x", bad)).toThrow(/give a folder, or an address that begins with s3:/);
    expect(() => lancePlace("x", "s3://b", { region: 5 })).toThrow(/storageOptions\.region/);
  });

  it("shows no secret, whatever LanceDB says", () => {
    process.env.AWS_SECRET_ACCESS_KEY = "env-secret-value";
    const place = lancePlace("x", "s3://user:pass@bucket/a?sig=hidden", {
      aws_secret_access_key: "option-secret",
      region: "eu-central-1",
    });
    expect(place.name).toBe("lance:s3://bucket/a");
    const said = new Error(
      `Generic S3 error at s3://user:pass@bucket/a?sig=hidden in eu-central-1:\n option-secret env-secret-value: error sending request`,
    );
    const { message, cause } = lanceError(place, "read", said) as Error;
    delete process.env.AWS_SECRET_ACCESS_KEY;
    expect(message).toBe(
      "cannot read lance:s3://bucket/a: Generic S3 error at s3://bucket/a in eu-central-1: *** ***: error sending request",
    );
    expect(cause).toBeUndefined();
  });

  it("needs a package, and says which", async () => {
    setPackageFinder(() => null);
    const text =
      /Indexes in LanceDB need the package @lancedb\/lancedb \^0\.37\.1, which is not installed; run "npm install @lancedb/;
    await expect(create(path("none"))).rejects.toThrow(text);
    await expect(openLanceIndex(path("none"))).rejects.toThrow(text);
    setPackageFinder(findPackage);
    expect(existsSync(path("none"))).toBe(false);
  });
});

describe.runIf(isThere)("an index in LanceDB", () => {
  it("ranks and verifies as the index in files does, opened again and merged too", async () => {
    const files = await fill(await createIndex(memoryStore(), { vocabulary, kind: "vlad", verdict: VERDICT }));
    const index = await fill(await create(path("same")));
    const wanted = await Promise.all([3, 7, 100].map((i) => files.search(query(i), { top: 20, points: true })));
    const same = async (one: ImageIndex) => {
      for (const [k, i] of [3, 7, 100].entries()) {
        const { results, verified } = await one.search(query(i), { top: 20, points: true });
        expect(results).toEqual(wanted[k].results);
        expect(verified).toBe(wanted[k].verified);
      }
    };
    expect(wanted[0].results[0]).toMatchObject({ id: name(3), found: true });
    await same(index);
    expect(await index.merge()).toEqual({ before: 3, after: 1 });
    await same(index);
    expect(await index.entries()).toEqual(await files.entries());
    expect(await index.features(name(2))).toEqual(await files.features(name(2)));
    expect(await index.features("nobody")).toBe(null);
    expect(index.info()).toMatchObject({
      kind: "vlad",
      images: 12,
      model: MODEL,
      damaged: [],
      vocabulary: { words: 64 },
    });
    expect(index.info().bytes).toBeGreaterThan(12 * 4000);
    await index.close();
    const again = await openLanceIndex(path("same"));
    await same(again);
    expect(await again.check()).toEqual([]);
    const few = await again.search(query(3), { among: (id) => id !== name(3), top: 3, verify: 0 });
    expect(few.results.map(({ id }) => id)).toEqual(
      (await files.search(query(3), { among: (id) => id !== name(3), top: 3, verify: 0 })).results.map(({ id }) => id),
    );
    expect((await again.search(drawnFeatures(1, 0))).results).toEqual([]);
    await again.close();
    await expect(again.search(query(3))).rejects.toThrow(/the index is closed/);
  });

  it("searches some partitions of many images, and images that are in none yet", async () => {
    const before = LIMITS.partitionedFrom;
    LIMITS.partitionedFrom = 30;
    try {
      const index = await fill(await create(path("many")), 40);
      const found = async (i: number) => (await index.search(query(i))).results[0];
      for (const i of [0, 17, 39]) expect(await found(i)).toMatchObject({ id: name(i), found: true });
      await index.add({ id: "late", features: drawnFeatures(77) });
      await index.commit();
      expect(await found(77)).toMatchObject({ id: "late", found: true });
      await index.merge();
      expect(await found(77)).toMatchObject({ id: "late", found: true });
      index.remove(["late", name(17)]);
      await index.commit();
      for (const i of [77, 17]) expect((await found(i))?.found ?? false).toBe(false);
      expect(await found(39)).toMatchObject({ id: name(39), found: true });
      await index.close();
    } finally {
      LIMITS.partitionedFrom = before;
    }
  });

  it("adds, replaces and removes from a commit on, which readers take in when they refresh", async () => {
    const index = await fill(await create(path("life")), 4);
    const readers = [await openLanceIndex(path("life")), await openLanceIndex(path("life"))];
    await index.add({ id: name(0), features: drawnFeatures(50), digest: "ff" });
    await index.add({ id: "new", features: drawnFeatures(51) });
    index.remove([name(3), "never there"]);
    expect(index.uncommitted).toBe(2);
    expect((await index.search(query(50))).results.some(({ found }) => found)).toBe(false);
    expect(await index.commit()).toEqual({ added: 2, removed: 1 });
    expect(await index.commit()).toEqual({ added: 0, removed: 0 });
    for (const reader of readers) {
      expect((await reader.search(query(3))).results[0]).toMatchObject({ id: name(3), found: true });
      expect(await reader.refresh()).toBe(true);
      expect(await reader.refresh()).toBe(false);
      expect((await reader.search(query(3))).results.some(({ found }) => found)).toBe(false);
      expect((await reader.search(query(50))).results[0]).toMatchObject({ id: name(0), found: true });
      expect(reader.info().images).toBe(4);
      await expect(reader.add({ id: "x", features: drawnFeatures(1) })).rejects.toThrow(/open for reading/);
      await reader.close();
    }
    expect((await index.entries()).get(name(0))).toBe(`ff${"0".repeat(30)}`);
    await index.add({ id: "twin", features: drawnFeatures(51) });
    await index.commit();
    expect((await findDuplicates(index)).map(({ ids }) => ids)).toEqual([["new", "twin"]]);
    await expect(openLanceIndex(path("life"), { write: true })).rejects.toThrow(/the index lance:.*life/);
    await index.close();
    await (await openLanceIndex(path("life"), { write: true })).close();
  });

  it("holds vectors of a global model as well", async () => {
    const model = await openGlobalModel(globalOnnx(), { name: "grid.onnx" });
    const index = await create(path("global"), {
      vocabulary: undefined,
      global: model.info,
      model: { ...MODEL, dim: DIM },
    });
    const random = new Random(1);
    const vectors = Array.from({ length: 6 }, () => Float32Array.from({ length: 48 }, () => random.normal()));
    for (const [i, global] of vectors.entries())
      await index.add({ id: name(i), features: { ...drawnFeatures(i), global } });
    await index.commit();
    await index.close();
    const again = await openLanceIndex(path("global"));
    expect(again.global).toEqual(model.info);
    expect((await again.search({ ...query(4), global: vectors[4] })).results[0]).toMatchObject({
      id: name(4),
      found: true,
    });
    await expect(again.search(query(4))).rejects.toThrow(/the vector of grid\.onnx/);
    await again.close();
    await model.dispose();
  });

  it("that is none, is damaged or another's is a plain error", async () => {
    const opening = (at: string) => openLanceIndex(path(at));
    await expect(opening("nowhere")).rejects.toThrow(
      /^lance:.*nowhere: there is no index; "strata index DIR --out lance:/,
    );
    expect(existsSync(path("nowhere"))).toBe(false);
    mkdirSync(path("empty"));
    await expect(opening("empty")).rejects.toThrow(/there is no index/);
    writeFileSync(path("file"), "x");
    await expect(opening("file")).rejects.toThrow(/is a file; an index in LanceDB is a folder/);
    await expect(create(path("asmk"), { kind: "asmk" })).rejects.toThrow(
      /one vector per image: kind "vlad" or "global"/,
    );
    const index = await fill(await create(path("spoiled")), 3);
    await expect(create(path("spoiled"))).rejects.toThrow(/the index lance:.*spoiled/);
    await index.close();
    await expect(create(path("spoiled"))).rejects.toThrow(/there is an index already/);
    const data = path("spoiled", "strata_images.lance", "data");
    const [file] = readdirSync(data);
    truncateSync(join(data, file), statSync(join(data, file)).size >> 1);
    const reader = await opening("spoiled");
    await expect(reader.search(query(1))).rejects.toThrow(
      /^lance:.*spoiled: the table is damaged, or a file of it is missing/,
    );
    const [{ error }] = await reader.check();
    expect(error.message).toMatch(/the table is damaged/);
    await reader.close();
    rmSync(path("spoiled", "strata_images.lance"), { recursive: true });
    await expect(opening("spoiled")).rejects.toThrow(/the table strata_images is missing; the index is damaged/);
  });
});

describe.runIf(isThere)("strata index --out lance:FOLDER", () => {
  it("is searched, told of, changed and checked as other indexes are", async () => {
    const fake = fakeStrata();
    fake.features = ({ data }) => (data[3] === 255 ? seenAgain(drawnFeatures(data[0]), 900) : drawnFeatures(data[0]));
    [fake.dim, fake.verdict] = [DIM, VERDICT];
    const pictures = Array.from({ length: 20 }, (_, i) => drawnFeatures(500 + i, 40));
    const descriptors = new Float32Array(pictures.flatMap((one) => [...one.descriptors]));
    const starts = Uint32Array.from({ length: 21 }, (_, i) => 40 * i);
    const words = await trainVocabulary(
      { name: "fake", sha256: "00" },
      { descriptors, dim: DIM, pictures: starts },
      { words: 64, iterations: 3 },
    );
    await saveVocabulary(path("words"), words);
    const photos = path("photos");
    mkdirSync(photos);
    const shade = (to: string, value: number, again = false) => {
      const data = new Uint8Array(3 * 64 * 48).fill(value);
      if (again) data.fill(255, 3, 6);
      return saveImage(to, { width: 64, height: 48, data });
    };
    for (const value of [10, 20, 30]) await shade(`${photos}/${value}.png`, value);
    await shade(path("query.png"), 20, true);
    const index = `lance:${path("cli.lance")}`;
    const json = async (...argv: string[]) => {
      const { out, err } = await fake.run(...argv, "--json");
      expect(err).toBe("");
      return JSON.parse(out);
    };
    const made = await json("index", photos, "--out", index, "--model", "fake", "--vocabulary", path("words"));
    expect(made).toMatchObject({ index, added: 3, images: 3, failed: [] });
    rmSync(`${photos}/30.png`);
    expect(await json("index", photos, "--out", index)).toMatchObject({
      added: 0,
      unchanged: 2,
      removed: 1,
      images: 2,
    });
    expect((await json("search", index, path("query.png"))).results[0]).toMatchObject({
      id: `${photos}/20.png`,
      found: true,
    });
    expect(await json("index", "info", index)).toMatchObject({ kind: "vlad", images: 2, vocabulary: { words: 64 } });
    expect(await json("index", "remove", index, `${photos}/10.png`)).toEqual({ removed: 1, missing: [], images: 1 });
    expect(await json("index", "merge", index)).toMatchObject({ images: 1 });
    expect((await fake.run("index", "check", index)).out).toMatch(/is whole: 1 image in 1 segment/);
    const said = async (...argv: string[]) => (await fake.run(...argv)).err;
    expect(await said("index", photos, "--out", index, "--kind", "asmk")).toMatch(/is of kind vlad, not asmk/);
    expect(await said("search", "lance:db://x", path("query.png"))).toMatch(/LanceDB's tables cannot be at db:/);
    expect(await said("search", `lance:${path("none")}`, path("query.png"))).toMatch(/there is no index/);
  });
});
