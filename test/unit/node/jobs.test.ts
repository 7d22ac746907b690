/** Jobs without servers: what a folder says and refuses, records, addresses of queues and what is said of them. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, IoError, LimitError, OptionError, StateError } from "../../../src/errors.js";
import type { Features } from "../../../src/features.js";
import { matchMany, saveFeatures } from "../../../src/node/index.js";
import { checkModel, checkVersion, ForeignJobError } from "../../../src/node/jobs/foreign.js";
import { kindOf } from "../../../src/node/jobs/kinds.js";
import { locateFeatures, makeMatchJob } from "../../../src/node/jobs/make.js";
import { mergeJob, readMerged } from "../../../src/node/jobs/merge.js";
import { type JobPlan, queueId, readPlan, readSlice, shardsOf, slicePath } from "../../../src/node/jobs/plan.js";
import { parseQueueUrl, queueError, serverError } from "../../../src/node/jobs/queue-url.js";
import { commitShard, readRecord } from "../../../src/node/jobs/records.js";
import { jobStatus } from "../../../src/node/jobs/status.js";
import { statusPage } from "../../../src/node/jobs/status-page.js";
import { Random } from "../../../src/random.js";
import { temporaryFolder } from "../cli/fake.js";

const { path: at, remove } = temporaryFolder();
afterAll(remove);

const NAMES = ["a.png", "b/c.png", "b/d.png", "e.png"];
const PAIRS = NAMES.flatMap((a, i) => NAMES.slice(i + 1).map((b) => [a, b] as const));

function drawn(seed: number): Features {
  const random = new Random(seed);
  const [count, dim] = [6, 4];
  const descriptors = new Float32Array(count * dim);
  for (let i = 0; i < count; i++) descriptors[i * dim + Math.floor(random.uniform(0, dim))] = 1;
  const keypoints = Float32Array.from({ length: 2 * count }, () => random.uniform(0, 63));
  return { count, dim, imageSize: [64, 64], keypoints, scores: new Float32Array(count).fill(0.5), descriptors };
}

const FEATURES = new Map(NAMES.map((name, i) => [name, drawn(i + 1)]));
const make = async (folder: string, size = 4) =>
  makeMatchJob(at(folder), { features: await locateFeatures([at("one.h5"), at("two.h5")]), pairs: PAIRS, size });

/** Does a shard in this process. */
async function doShard(folder: string, plan: JobPlan, shard: number): Promise<void> {
  const kind = await kindOf("match");
  const output = at(`${folder}-${shard}.h5`);
  const slice = await readSlice(at(folder), plan, shard);
  const work = { folder: at(folder), plan, slice, root: "", output, setAside: [], threads: 1, onProgress: () => {} };
  const { isEmpty: _, ...result } = await kind.run(work);
  await commitShard(at(folder), plan, shard, { ...result, bytes: readFileSync(output) });
}

const said = async (work: () => unknown): Promise<Error> => {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
};

beforeAll(async () => {
  await saveFeatures(at("one.h5"), new Map([...FEATURES].slice(0, 2)));
  await saveFeatures(at("two.h5"), new Map([...FEATURES].slice(2)));
});

describe("a job's folder", () => {
  it("holds the same job however often it is made, and refuses another one", async () => {
    const plan = await make("made");
    expect(plan).toMatchObject({ kind: "match", count: 6, size: 4, model: null, unreadable: [] });
    expect(plan.shards).toHaveLength(2);
    const before = readFileSync(at("made/job.json"), "utf8");
    expect(await make("made")).toEqual(plan);
    expect(readFileSync(at("made/job.json"), "utf8")).toBe(before);
    expect((await said(() => make("made", 3))).message).toMatch(/holds another job \(with shards of 4\)/);
    const features = await locateFeatures([at("one.h5"), at("two.h5")]);
    const ratio = await said(() =>
      makeMatchJob(at("made"), { features, pairs: PAIRS, size: 4, options: { ratio: 0.9 } }),
    );
    expect(ratio).toBeInstanceOf(OptionError);
    expect(ratio.message).toMatch(/with other options/);
    // In another folder it is a job of its own to a queue, and the same work.
    expect((await make("again")).id).toBe(plan.id);
    expect(queueId(at("made"), plan, 0)).not.toBe(queueId(at("again"), plan, 0));
  });

  it("is refused where it is damaged, of another layout, or its slices have changed", async () => {
    const plan = await make("damaged");
    const file = at("damaged/job.json");
    const whole = readFileSync(file, "utf8");
    expect(await said(() => readPlan(at("nothing")))).toBeInstanceOf(IoError);
    for (const [text, words] of [
      ["{", /job\.json/],
      [whole.replace("strata-job/1", "strata-job/9"), /no job of this version.*strata-job\/9/],
      [whole.replace(plan.shards[0], "0".repeat(32)), /damaged/],
      [whole.replace('"matches.h5"', '"../matches.h5"'), /damaged/],
      ["[]", /no job of this version/],
    ] as const) {
      writeFileSync(file, text);
      const error = await said(() => readPlan(at("damaged")));
      expect(error).toBeInstanceOf(FormatError);
      expect(error.message).toMatch(words);
    }
    writeFileSync(file, whole);
    const slice = readFileSync(slicePath(at("damaged"), 1), "utf8");
    writeFileSync(slicePath(at("damaged"), 1), slice.replace("e.png", "a.png"));
    expect((await said(() => readSlice(at("damaged"), plan, 1))).message).toMatch(/has changed since the job was made/);
  });

  it("is cut so that each shard belongs to one machine", async () => {
    const plan = { shards: Array.from({ length: 11 }, () => "") } as unknown as JobPlan;
    for (const count of [1, 2, 3, 11, 20]) {
      const all = Array.from({ length: count }, (_, index) => shardsOf(plan, index, count)).flat();
      expect(all.sort((a, b) => a - b)).toEqual(plan.shards.map((_, shard) => shard));
    }
    expect(await said(() => shardsOf(plan, 3, 3))).toBeInstanceOf(OptionError);
  });

  it("refuses pairs of unknown images, of one image, and twice, and features that are in two files", async () => {
    const features = await locateFeatures([at("one.h5")]);
    const fails = (pairs: [string, string][]) => said(() => makeMatchJob(at("bad"), { features, pairs }));
    expect((await fails([["a.png", "x.png"]])).message).toMatch(/no features of "x\.png"/);
    expect((await fails([["a.png", "a.png"]])).message).toMatch(/paired with itself/);
    const twice: [string, string][] = [
      ["a.png", "b/c.png"],
      ["b/c.png", "a.png"],
    ];
    expect((await fails(twice)).message).toMatch(/paired twice/);
    expect((await said(() => locateFeatures([at("one.h5"), at("one.h5")]))).message).toMatch(
      /"a\.png" is in .* and in /,
    );
  });
});

describe("shards", () => {
  it("merge to the bytes of a run without shards, whoever did them and how often; strays are removed", async () => {
    const plan = await make("merged");
    const missing = await said(() => mergeJob(at("merged")));
    expect(missing).toBeInstanceOf(StateError);
    expect(await jobStatus(at("merged"))).toMatchObject({
      state: "unknown",
      done: 0,
      shards: { all: 2, done: 0 },
      rate: null,
    });
    for (const shard of [1, 0, 1]) await doShard("merged", plan, shard);
    writeFileSync(at("merged/shards/000000-0123456789abcdef.h5"), "of a machine that came to something else");
    expect(await readMerged(at("merged"), plan)).toBeNull();
    const report = await mergeJob(at("merged"));
    expect(report).toMatchObject({ done: 6, setAside: [] });
    await matchMany(FEATURES, PAIRS, at("whole.h5"), { threads: 1 });
    expect(readFileSync(at("merged/matches.h5")).equals(readFileSync(at("whole.h5")))).toBe(true);
    expect(readdirSync(at("merged/shards"))).toHaveLength(4);
    expect(await jobStatus(at("merged"))).toMatchObject({ state: "done", done: 6, secondsLeft: null });
  });

  it("are not done where the output is gone or the record is another job's; damage stops the merge", async () => {
    const plan = await make("records");
    for (const shard of [0, 1]) await doShard("records", plan, shard);
    const record = await readRecord(at("records"), plan, 0);
    expect(record).toMatchObject({ id: plan.shards[0], done: 4 });
    const output = at("records/shards", record?.file as string);
    const bytes = readFileSync(output);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(output, bytes);
    expect((await said(() => mergeJob(at("records")))).message).toMatch(/is damaged: its digest/);
    writeFileSync(output, bytes.subarray(1));
    expect(await readRecord(at("records"), plan, 0)).toBeNull();
    rmSync(output);
    expect(await readRecord(at("records"), plan, 0)).toBeNull();
    const file = at("records/shards/000001.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(plan.shards[1], "f".repeat(32)));
    expect(await readRecord(at("records"), plan, 1)).toBeNull();
    writeFileSync(file, "{");
    expect(await readRecord(at("records"), plan, 1)).toBeNull();
  });

  it("of another version, or with another model, are left to others", () => {
    const plan = { strata: "99.0.0", model: { name: "m", sha256: "a".repeat(64) } } as JobPlan;
    expect(() => checkVersion("job", plan)).toThrow(ForeignJobError);
    expect(() => checkModel(plan, "b".repeat(64))).toThrow(/other weights here \(bbbbbbbbbbbb, not aaaaaaaaaaaa\)/);
    expect(() => checkModel(plan, "a".repeat(64))).not.toThrow();
  });

  it("are shown on a page that names cannot break out of", async () => {
    mkdirSync(at("page"));
    const plan = await make("page/<b>");
    const status = await jobStatus(at("page/<b>"));
    const page = statusPage({
      ...status,
      setAside: [{ name: "<script>x</script>", code: "E_FORMAT", message: "a & b" }],
      queue: { waiting: 1, delayed: 0, active: [], failed: [{ shard: 0, reason: "<i>", attempts: 3 }] },
    });
    expect(page).toContain("&lt;script&gt;x&lt;/script&gt;");
    expect(page).toContain("&lt;i&gt;");
    expect(page).not.toMatch(/<script|<i>|<b>/);
    expect(plan.shards).toHaveLength(2);
  });
});

describe("a queue's address", () => {
  const SECRET = "p@ss:w/rd";
  const url = `redis://user:${encodeURIComponent(SECRET)}@db.example:6380/2`;

  it.each([
    ["http://x", /cannot be at http:\/\/…/],
    ["redis", /no URL/],
    [`redis ://u:${SECRET}@h`, /no URL/],
    ["redis://host/name", /number of a database/],
    [7, /redis:\/\/HOST:6379 or postgres/],
    ["", /no URL/],
  ])("%s is refused, and no password shown", async (text, words) => {
    const error = await said(() => parseQueueUrl(text));
    expect(error).toBeInstanceOf(OptionError);
    expect(error.message).toMatch(words);
    expect(error.message).not.toContain(SECRET);
  });

  it("is shown without user and password, also where a server's words have them", () => {
    const address = parseQueueUrl(url);
    expect(address.shown).toBe("redis://db.example:6380/2");
    const told = queueError(new Error(`no idea what ${SECRET} and ${encodeURIComponent(SECRET)} are`), address);
    expect(told.message).toBe("the queue at redis://db.example:6380/2: no idea what *** and *** are");
    expect(told.cause).toBeUndefined();
  });

  it.each([
    [{ code: "ECONNREFUSED", message: "connect ECONNREFUSED 127.0.0.1:6379" }, IoError, /no server answers there/],
    [{ errors: [{ code: "ECONNREFUSED", message: "" }], message: "" }, IoError, /no server answers there/],
    [{ code: "ENOTFOUND", message: "getaddrinfo ENOTFOUND db.example" }, IoError, /no such host/],
    [{ message: "WRONGPASS invalid username-password pair" }, IoError, /user or password are not accepted/],
    [{ message: "NOAUTH Authentication required." }, IoError, /user or password/],
    [{ code: "28P01", message: 'password authentication failed for user "u"' }, IoError, /user or password/],
    [{ message: "READONLY You can't write against a read only replica." }, IoError, /read-only/],
    [{ code: "25006", message: "cannot execute INSERT in a read-only transaction" }, IoError, /read-only/],
    [{ message: "OOM command not allowed when used memory > 'maxmemory'." }, LimitError, /memory is full/],
    [{ code: "53100", message: "could not extend file" }, LimitError, /disk is full/],
    [{ message: "MISCONF Redis is configured to save RDB snapshots" }, IoError, /cannot save to its disk/],
    [{ code: "3D000", message: 'database "x" does not exist' }, IoError, /no such database/],
    [{ message: "LOADING Redis is loading the dataset in memory" }, IoError, /still loading/],
  ])("its server's words %j become ours", (error, type, words) => {
    const told = serverError(error, parseQueueUrl(url));
    expect(told).toBeInstanceOf(type);
    expect(told?.message).toMatch(words);
  });
});
