/** Jobs on real servers: workers that are killed and paused, servers that are killed, and what servers say when they are of no use. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StrataError } from "../../src/errors.js";
import { saveImage } from "../../src/node/images.js";
import { openQueue } from "../../src/node/jobs/queue.js";
import { jobStatus, type QueueStatus } from "../../src/node/jobs/status.js";
import { cancelJob, submitJob } from "../../src/node/jobs/submit.js";
import { runWorker } from "../../src/node/jobs/worker.js";
import { noiseImage } from "../models.js";
import { type QueueServer, SERVER_KINDS } from "../queue-servers.js";
import { type Running, runStrata, startStrata } from "./command.js";
import { describeServer } from "./describe-server.js";

const IMAGES = 11;
let folder: string;
let whole: Buffer;
const at = (...parts: string[]) => join(folder, ...parts);
const strata = (...args: string[]) => runStrata(folder, args);
const MODEL = ["--model", "strata-xs", "--threads", "1"];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "strata-jobs-"));
  mkdirSync(at("photos"));
  for (let i = 0; i < IMAGES; i++) await saveImage(at("photos", `${i + 10}.png`), noiseImage(96 + 8 * i, 96, i + 1));
  writeFileSync(at("photos", "text.png"), "no image");
  // A run without shards and queues.
  strata("extract", "photos", "--format", "h5", "--out", "whole.h5", ...MODEL);
  whole = readFileSync(at("whole.h5"));
  const submit = ["jobs", "submit", "extract", "photos", "--out", "made", "--no-queue", "--shard-size", "6"];
  expect(strata(...submit, ...MODEL).code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const records = (job: string) => readdirSync(at(job, "shards")).filter((name) => /^\d+\.json$/.test(name));
const look = () => new Promise((resolve) => setTimeout(resolve, 20));

describe("without a queue", () => {
  it("two machines do each shard once, and the merge is the file of a run without shards", () => {
    cpSync(at("made"), at("local"), { recursive: true });
    const early = strata("jobs", "merge", "local");
    expect([early.code, early.err]).toEqual([1, expect.stringMatching(/2 of 2 shards of local are not done \(0, 1\)/)]);
    for (const shard of ["0/2", "1/2"]) expect(strata("jobs", "run", "local", "--shard", shard).code).toBe(0);
    const merged = strata("jobs", "merge", "local");
    expect([merged.code, merged.err]).toEqual([1, expect.stringMatching(/set aside: .*text\.png/)]);
    expect(readFileSync(at("local/features.h5")).equals(whole)).toBe(true);
  });
});

/** Shards at work, and the process that has each. */
async function active(url: string): Promise<{ shard: number | "merge"; pid: number }[]> {
  const open = await openQueue(url);
  try {
    return (await open.queue.getActive()).map(({ data, processedBy }) => ({
      shard: data.shard,
      pid: Number(processedBy?.split(":").at(-1)),
    }));
  } finally {
    await open.close();
  }
}

/** A worker and the process that computes for it. */
function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return [
    pid,
    ...children
      .trim()
      .split(" ")
      .filter((text) => text !== "")
      .map(Number),
  ];
}

for (const kind of SERVER_KINDS) {
  describeServer(kind, (make) => {
    let server: QueueServer;
    beforeAll(async () => {
      server = await make();
    });
    afterAll(() => server.remove());

    it("killed and paused workers, and a killed server, leave nothing undone and nothing done twice", async () => {
      const submit = ["jobs", "submit", "extract", "photos", "--out", kind, "--shard-size", "1", "--window", "4"];
      expect(strata(...submit, "--queue", server.url, ...MODEL).code).toBe(0);
      const workers = new Map<number, Running>();
      const start = () => {
        const running = startStrata(folder, ["worker", "--queue", server.url, "--threads", "1", "--lock", "1"]);
        workers.set(running.child.pid as number, running);
      };
      for (let i = 0; i < 3; i++) start();
      const done = async (count: number) => {
        while (records(kind).length < count && !existsSync(at(kind, "result.json"))) await look();
      };
      // Paused with a shard in hand: it is taken by another one, whose record stands when this one wakes.
      let paused: number | undefined;
      while (paused === undefined) {
        const [one] = (await active(server.url)).filter(({ pid }) => workers.has(pid));
        if (one === undefined) continue;
        paused = one.pid;
        for (const pid of withChildren(paused)) process.kill(pid, "SIGSTOP");
      }
      await done(3);
      const victim = [...workers].find(([pid]) => pid !== paused) as [number, Running];
      victim[1].child.kill("SIGKILL");
      start();
      await done(6);
      await server.kill();
      await server.start();
      await done(10);
      for (const pid of withChildren(paused)) process.kill(pid, "SIGCONT");
      while (!existsSync(at(kind, "result.json"))) await look();
      expect(readFileSync(at(kind, "features.h5")).equals(whole)).toBe(true);
      // One record and one output of each; text.png can be read and is set aside by its shard, without an output.
      expect(readdirSync(at(kind, "shards")).filter((name) => !name.startsWith("."))).toHaveLength(2 * IMAGES + 1);
      // A worker that had looked before the result was there merges once more.
      const isIdle = async () => {
        const { waiting, delayed, active } = (await jobStatus(at(kind), server.url)).queue as QueueStatus;
        return waiting + delayed + active.length === 0;
      };
      while (!(await isIdle())) await look();
      for (const { child, ended } of workers.values()) {
        child.kill("SIGTERM");
        await ended;
      }
      const status = await jobStatus(at(kind), server.url);
      expect(status).toMatchObject({ state: "done", done: IMAGES, count: IMAGES + 1, shards: { done: IMAGES + 1 } });
      expect(status.setAside).toMatchObject([{ name: "text.png", code: "E_FORMAT" }]);
      expect(status.queue).toEqual({ waiting: 0, delayed: 0, active: [], failed: [] });
    });

    it("a job of another version is left to others, what fails is listed and tried again, a cancelled job goes on", async () => {
      const name = `${kind}-other`;
      cpSync(at("made"), at(name), { recursive: true });
      const plan = readFileSync(at(name, "job.json"), "utf8");
      const submitted = await submitJob(at(name), server.url, { window: 1 });
      expect(submitted).toMatchObject({ shards: 2, finished: 0, queued: 1, again: 0 });
      // As a machine sees it that is of another version.
      writeFileSync(at(name, "job.json"), plan.replace(/"strata": "[^"]+"/, '"strata": "99.0.0"'));
      const notes: string[] = [];
      const stop = new AbortController();
      const report = await runWorker(server.url, {
        signal: stop.signal,
        onNote: (text) => {
          notes.push(text);
          stop.abort();
        },
      });
      expect(report).toEqual({ shards: 0, failed: 0, left: 1 });
      expect(notes).toEqual([
        expect.stringMatching(/is of strata 99\.0\.0, this is .*: it is left to workers of that version/),
      ]);
      expect((await jobStatus(at(name), server.url)).queue).toMatchObject({ delayed: 1, failed: [] });
      writeFileSync(at(name, "job.json"), plan);
      expect(await cancelJob(at(name), server.url)).toEqual({ removed: 1, active: 0 });
      expect(await jobStatus(at(name))).toMatchObject({ state: "cancelled", done: 0, count: IMAGES + 1 });
      // A slice that has changed is no slice of this job: the shard fails, and says why.
      const slice = at(name, "slices/000000.json");
      const right = readFileSync(slice, "utf8");
      writeFileSync(slice, right.replace("10.png", "11.png"));
      await submitJob(at(name), server.url, { attempts: 1 });
      const work = ["worker", "--queue", server.url, "--until-empty", "--threads", "1"];
      const failed = strata(...work);
      expect([failed.code, failed.out]).toEqual([1, "1 shard done, 1 failed\n"]);
      const stuck = strata("jobs", "status", name, "--queue", server.url);
      expect([stuck.code, stuck.out]).toEqual([
        1,
        expect.stringMatching(/^stuck: .*\n.*1 failed\n.*shard 0 failed .*has changed since the job was made/),
      ]);
      writeFileSync(slice, right);
      expect(await submitJob(at(name), server.url)).toMatchObject({ finished: 1, again: 1 });
      expect(strata(...work).code).toBe(0);
      expect(readFileSync(at(name, "features.h5")).equals(whole)).toBe(true);
    });
  });
}

describeServer("Redis", (make) => {
  const refused = async (url: string): Promise<string> => {
    try {
      await (await openQueue(url)).close();
    } catch (error) {
      expect(error).toBeInstanceOf(StrataError);
      return (error as Error).message;
    }
    throw new Error(`${url} was taken`);
  };

  it("an index made by a worker finds what one made here finds", async () => {
    const server = await make();
    const queue = ["--queue", server.url];
    const submit = ["jobs", "submit", "index", "photos", "--out", "queued.index", "--shard-size", "4"];
    expect(strata(...submit, ...queue, ...MODEL).code).toBe(0);
    // text.png is set aside, which fails nothing.
    expect(strata("worker", ...queue, "--threads", "1", "--until-empty").code).toBe(0);
    strata("index", "photos", "--out", "here.index", ...MODEL);
    const found = (index: string) => {
      const { code, out } = strata("search", index, "photos/14.png", "--json", "--threads", "1");
      expect(code).toBe(0);
      return JSON.parse(out).results;
    };
    const results = found("queued.index");
    expect(results).toEqual(found("here.index"));
    expect(results[0].id).toBe("photos/14.png");
    await server.remove();
  });

  it("a server that is of no use is refused in plain words, without the password", async () => {
    const server = await make("--requirepass", "sesame", "--maxmemory-policy", "allkeys-lru", "--maxmemory", "64mb");
    const withPassword = (password: string) => server.url.replace("//", `//:${password}@`);
    const cli = (...command: string[]) =>
      execFileSync("redis-cli", ["-p", new URL(server.url).port, ...command], {
        env: { ...process.env, REDISCLI_AUTH: "sesame" },
      });
    const set = (...settings: string[]) => cli("config", "set", ...settings);
    try {
      expect(await refused(server.url)).toMatch(/user or password are not accepted/);
      const wrong = await refused(withPassword("open-wide"));
      expect(wrong).toMatch(/user or password are not accepted/);
      expect(wrong).not.toContain("open-wide");
      expect(await refused(withPassword("sesame"))).toMatch(
        /throws keys away .*allkeys-lru.*set maxmemory-policy to noeviction/,
      );
      set("maxmemory-policy", "noeviction");
      set("maxmemory", "1");
      expect(await refused(withPassword("sesame"))).toMatch(/memory is full/);
      set("maxmemory", "0");
      await (await openQueue(withPassword("sesame"))).close();
      expect(await refused(`${withPassword("sesame")}/99`)).toMatch(/no database of that number/);
      set("min-replicas-to-write", "1");
      expect(await refused(withPassword("sesame"))).toMatch(/too few of its replicas/);
      set("min-replicas-to-write", "0");
      cli("replicaof", "127.0.0.1", "1");
      expect(await refused(withPassword("sesame"))).toMatch(/read-only/);
    } finally {
      await server.remove();
    }
    expect(await refused(server.url)).toMatch(/no server answers there/);
  });
});
