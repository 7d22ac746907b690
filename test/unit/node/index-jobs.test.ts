/** Jobs that make an index: their segments under one manifest are the index that one machine makes of the same images. */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FloatFeatures } from "../../../src/features.js";
import { indexKind } from "../../../src/node/jobs/index-shard.js";
import { locateFeatures, makeIndexJob } from "../../../src/node/jobs/make.js";
import { mergeJob, readMerged } from "../../../src/node/jobs/merge.js";
import { type JobPlan, readPlan, readSlice, type SetAside } from "../../../src/node/jobs/plan.js";
import { commitShard, readRecord } from "../../../src/node/jobs/records.js";
import { jobStatus } from "../../../src/node/jobs/status.js";
import { folderStore } from "../../../src/node/search/folder-store.js";
import { indexImages, openPhotoIndex, type PhotoIndexOptions } from "../../../src/node/search/index.js";
import { createIndex, openIndex, type Vocabulary } from "../../../src/search/index.js";
import { savePlain, temporaryFolder } from "../cli/fake.js";
import { drawnFeatures, MODEL, seenAgain, smallVocabulary, VERDICT } from "../search/samples.js";

const { path: at, remove } = temporaryFolder();
afterAll(remove);

const IMAGES = 7;
const SIZE = 3;
let vocabulary: Vocabulary;
let paths: string[];
/** What an image of that brightness shows. */
const featuresOf = (value: number): FloatFeatures => (value === 0 ? drawnFeatures(0, 0) : drawnFeatures(value, 40));
const openExtractor = (async () => ({
  info: { model: MODEL.name, sha256: MODEL.sha256, dim: 64, verdict: VERDICT },
  options: {},
  extract: async ({ data }: { data: Uint8Array }) => featuresOf(data[0]),
  dispose: async () => {},
})) as unknown as NonNullable<PhotoIndexOptions["openExtractor"]>;
const IMAGE = { pixelLimit: 1e6, orientation: true };
const make = (folder: string, more: object = {}) =>
  makeIndexJob(at(folder), { paths, vocabulary, image: IMAGE, size: SIZE, openExtractor, ...more });

/** Does a shard in this process; `prepare` leaves what an earlier process had made of it. */
async function doShard(
  folder: string,
  plan: JobPlan,
  shard: number,
  { prepare, setAside = [] }: { prepare?: (scratch: string) => Promise<void>; setAside?: SetAside[] } = {},
): Promise<void> {
  const slice = await readSlice(at(folder), plan, shard);
  const scratch = at(`${folder}-${shard}`);
  mkdirSync(scratch);
  await prepare?.(scratch);
  const output = join(scratch, "output.strata");
  const common = { folder: at(folder), plan, slice, root: plan.root, setAside, threads: 1 };
  const { isEmpty, ...result } = await indexKind(openExtractor).run({ ...common, output, onProgress: () => {} });
  await commitShard(at(folder), plan, shard, { ...result, bytes: isEmpty ? null : readFileSync(output) });
}

/** Bytes of an index by the names of its files. */
const filesOf = (folder: string) =>
  Object.fromEntries(
    readdirSync(at(folder))
      .filter((name) => /^(segment-|manifest|vocabulary)/.test(name))
      .map((name) => [name, readFileSync(at(folder, name), "base64")]),
  );

beforeAll(async () => {
  vocabulary = await smallVocabulary();
  mkdirSync(at("photos/b"), { recursive: true });
  paths = Array.from({ length: IMAGES }, (_, i) => at("photos", i === 4 ? `b/${i}.png` : `${i}.png`)).sort();
  for (const [i, path] of paths.entries()) await savePlain(path, 10 * (i + 1));
  // Made without jobs, and committed as often.
  const { index, extractor } = await openPhotoIndex(at("whole"), { vocabulary, openExtractor });
  await indexImages(index, paths, extractor, { image: IMAGE, commitEvery: SIZE });
  await index.close();
});

describe("an index by shards", () => {
  it("is byte for byte the index that one machine makes, whoever did its shards and in which order", async () => {
    const plan = await make("made");
    expect(plan).toMatchObject({ kind: "index", count: IMAGES, result: "manifest.json" });
    expect(plan.shards).toHaveLength(3);
    for (const shard of [2, 0, 1]) await doShard("made", plan, shard);
    const report = await mergeJob(at("made"));
    expect(report).toMatchObject({ result: at("made"), done: IMAGES, found: 40 * IMAGES, setAside: [] });
    expect(filesOf("made")).toEqual(filesOf("whole"));
    expect(await readMerged(at("made"), plan)).not.toBeNull();
    expect(await jobStatus(at("made"))).toMatchObject({ state: "done", kind: "index", result: at("made") });
    // And again: nothing changes.
    await mergeJob(at("made"));
    expect(filesOf("made")).toEqual(filesOf("whole"));
    const index = await openIndex(folderStore(at("made")));
    expect(await index.check()).toEqual([]);
    const { results } = await index.search(seenAgain(featuresOf(50), 1));
    expect(results[0]).toMatchObject({ id: paths[4], found: true });
    await index.close();
  });

  it("ranks alike whatever the shards' size; merged, it is the same segment", async () => {
    const plan = await make("large", { size: 5 });
    for (const shard of [0, 1]) await doShard("large", plan, shard);
    await mergeJob(at("large"));
    const [one, other] = await Promise.all(["whole", "large"].map((name) => openIndex(folderStore(at(name)))));
    const query = seenAgain(featuresOf(30), 2);
    const ranking = async (index: typeof one) => (await index.search(query, { verify: 3 })).results;
    expect(await ranking(other)).toEqual(await ranking(one));
    await one.close();
    await other.close();
    const segments: string[] = [];
    for (const name of ["whole", "large"]) {
      const index = await openIndex(folderStore(at(name)), { write: true });
      await index.merge();
      segments.push(readFileSync(at(name, index.info().segments[0].file), "base64"));
      await index.close();
    }
    expect(segments[1]).toBe(segments[0]);
    // The index has changed: it is not made anew over what was done with it.
    await expect(mergeJob(at("large"))).rejects.toThrow(/has an index that is not the job's, or has changed since/);
    expect((await readMerged(at("large"), plan))?.result).toBe(at("large"));
  });

  it("goes on where a process died, and depends on nothing that it left", async () => {
    const plan = await make("again");
    const leave = (which: number[]) => async (scratch: string) => {
      const index = await createIndex(folderStore(join(scratch, "index")), {
        ...(Object(plan.options).index as object),
        vocabulary,
      });
      for (const i of which) {
        const slice = (await readSlice(at("again"), plan, i < SIZE ? 0 : 1)) as { sha256: string }[];
        const digest = slice[i % SIZE].sha256.slice(0, 32);
        await index.add({ id: paths[i], features: featuresOf(10 * (i + 1)), digest });
        await index.commit();
      }
      await index.close();
    };
    await doShard("again", plan, 0, { prepare: leave([0]) });
    // The second image was read before the first one: it failed once.
    await doShard("again", plan, 1, { prepare: leave([4]) });
    await doShard("again", plan, 2);
    await mergeJob(at("again"));
    expect(Object.keys(filesOf("again"))).toHaveLength(5);
    const sizes = (name: string) => Object.entries(filesOf(name)).filter(([file]) => file.startsWith("segment"));
    rmSync(at("fresh"), { recursive: true, force: true });
    const { index, extractor } = await openPhotoIndex(at("fresh"), { vocabulary, openExtractor });
    await indexImages(index, paths, extractor, { image: IMAGE, commitEvery: SIZE });
    await index.close();
    expect(sizes("again")).toEqual(sizes("fresh"));
  });

  it("leaves out images that cannot be read, and shards without any", async () => {
    const bad = at("photos/0-bad.png");
    writeFileSync(bad, "no picture");
    const plan = await make("holes", { paths: [bad, ...paths], size: 1 });
    // A machine on which the images' folder is missing leaves them to others: it would set all of them aside.
    const slice = await readSlice(at("holes"), plan, 0);
    const nowhere = {
      folder: at("holes"),
      plan,
      slice,
      root: at("nowhere"),
      setAside: [],
      threads: 1,
      onProgress: () => {},
    };
    const run = indexKind(openExtractor).run({ ...nowhere, output: at("nothing.strata") });
    await expect(run).rejects.toThrow(/there is no folder .*nowhere; --images says where/);
    const aside = { name: "1.png", code: "E_STATE", message: "the process ended" };
    for (let shard = 0; shard < plan.shards.length; shard++) {
      await doShard("holes", plan, shard, { setAside: shard === 2 ? [aside] : [] });
    }
    expect(await readRecord(at("holes"), plan, 0)).toMatchObject({ file: null, done: 0 });
    const { setAside, done } = await mergeJob(at("holes"));
    expect([done, setAside.map(({ name }) => name)]).toEqual([IMAGES - 1, ["0-bad.png", "1.png"]]);
    const index = await openIndex(folderStore(at("holes")));
    const left = paths.filter((path) => !path.endsWith("/1.png"));
    expect([...(await index.entries()).keys()]).toEqual(left);
    expect(index.info().segments.map(({ file }) => file)).toEqual(left.map((_, i) => `segment-0000000${i + 1}.strata`));
    await index.close();
  });
});

describe("an index job is refused", () => {
  it("where there is an index, another vocabulary, or a damaged shard", async () => {
    await expect(make("whole")).rejects.toThrow(/whole is an index already, which no job made/);
    await expect(make("none", { paths: [at("photos/none.png")] })).rejects.toThrow(/no image can be read/);
    const plan = await make("spoiled");
    // Its folder is no place for another index before it is done, and it has no features to match.
    await expect(openPhotoIndex(at("spoiled"), { vocabulary, openExtractor })).rejects.toThrow(
      /holds a job whose index/,
    );
    await expect(locateFeatures([at("spoiled")])).rejects.toThrow(/is a job of the kind index/);
    expect((await readPlan(at("spoiled"))).id).toBe(plan.id);
    await expect(make("spoiled", { kind: "vlad" })).rejects.toThrow(/holds another job \(with other options\)/);
    for (const shard of [0, 1, 2]) await doShard("spoiled", plan, shard);
    const { file } = (await readRecord(at("spoiled"), plan, 1)) as { file: string };
    const whole = readFileSync(at("spoiled/shards", file));
    const damaged = Buffer.from(whole);
    damaged[100] ^= 1;
    writeFileSync(at("spoiled/shards", file), damaged);
    await expect(mergeJob(at("spoiled"))).rejects.toThrow(/is damaged: its digest is not the one of its record/);
    expect(readdirSync(at("spoiled"))).not.toContain("manifest.json");
    writeFileSync(at("spoiled/shards", file), whole);
    appendFileSync(at("spoiled/vocabulary.strata"), "x");
    await expect(mergeJob(at("spoiled"))).rejects.toThrow(/vocabulary/);
  });
});
