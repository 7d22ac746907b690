/**
 * `npm run bench jobs [-- --repeats 3 --images 768]`: what a queue costs, and what a second worker brings. One job of
 * extraction, with one-threaded workers on a Redis of its own: run without a queue, by one worker, and by two, in turns.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { makeServer } from "../test/queue-servers.js";
import { summarize, type Timing } from "./harness.js";
import { drawPhotos, end, startStrata, strata, wait } from "./job-folder.js";

/** Real shards are five to twenty times as large; what comes between two of them is not what is measured. */
const SHARD = 96;
const WAYS = ["no queue", "1 worker", "2 workers"] as const;

export interface JobsRow {
  way: (typeof WAYS)[number];
  images: number;
  /** Milliseconds until all shards are done: what more workers share. */
  shards: Timing;
  /** Milliseconds until they are one file too, which is one worker's job. */
  timing: Timing;
  /** The machine's load average at the end. */
  load: number;
}

export async function compareJobs(repeats = 3, images = 768): Promise<JobsRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "strata-bench-jobs-"));
  const server = await makeServer("Redis");
  try {
    await drawPhotos(folder, images, 640, 480);
    const options = ["--model", "strata-xs", "--threads", "1", "--shard-size", `${SHARD}`];
    strata(folder, "jobs", "submit", "extract", "photos", "--out", "made", "--no-queue", ...options);
    const times = new Map<string, { shards: number; all: number }[]>(WAYS.map((way) => [way, []]));
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const way of WAYS) {
        const name = `${repeat}-${way.replace(" ", "-")}`;
        times.get(way)?.push(await timeOf(folder, server.url, way, name));
      }
    }
    return WAYS.map((way) => {
      const own = times.get(way) ?? [];
      const [shards, timing] = [own.map((time) => time.shards), own.map((time) => time.all)].map(summarize);
      return { way, images, shards, timing, load: loadavg()[0] };
    });
  } finally {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds from the start of processes, models opened, until all shards are done, and until they are merged. */
async function timeOf(
  cwd: string,
  queue: string,
  way: JobsRow["way"],
  name: string,
): Promise<{ shards: number; all: number }> {
  cpSync(join(cwd, "made"), join(cwd, name), { recursive: true });
  const count = (folder: string) =>
    readdirSync(join(cwd, name, folder)).filter((file) => file.endsWith(".json")).length;
  const wanted = count("slices");
  if (way !== "no queue") {
    const submit = `import(${JSON.stringify(new URL("../dist/node/jobs/index.js", import.meta.url).href)}).then((jobs) => jobs.submitJob(${JSON.stringify(join(cwd, name))}, ${JSON.stringify(queue)})).then(() => process.exit(0))`;
    spawnSync(process.execPath, ["-e", submit], { cwd });
  }
  const started = performance.now();
  const passed = () => performance.now() - started;
  if (way === "no queue") {
    strata(cwd, "jobs", "run", name, "--threads", "1");
    const shards = passed();
    strata(cwd, "jobs", "merge", name);
    return { shards, all: passed() };
  }
  const workers = Array.from({ length: Number(way[0]) }, () =>
    startStrata(cwd, ["worker", "--queue", queue, "--threads", "1", "--quiet"]),
  );
  while (count("shards") < wanted) await wait(10);
  const shards = passed();
  while (!existsSync(join(cwd, name, "result.json"))) await wait(10);
  const all = passed();
  for (const worker of workers) await end(worker);
  return { shards, all };
}

export function jobsTable(rows: readonly JobsRow[]): string {
  const rate = (images: number, { median }: Timing) => (1000 * images) / median;
  const [none, one, two] = rows;
  const lines = rows.map(({ way, images, shards, timing }) => {
    const [ms, whole] = [shards, timing].map(({ median }) => median.toFixed(0).padStart(8));
    return `${way.padEnd(12)}${ms} ms${rate(images, shards).toFixed(2).padStart(8)} images/s; merged after ${whole} ms`;
  });
  const queueCost = (100 * (one.timing.median / none.timing.median - 1)).toFixed(1);
  const [shards, all] = [one.shards.median / two.shards.median, one.timing.median / two.timing.median];
  return [
    ...lines,
    "",
    `the queue costs ${queueCost} % of the whole; two workers do shards ${shards.toFixed(2)} × as fast as one, and the whole, whose ` +
      `merge one does, ${all.toFixed(2)} ×; load average ${two.load.toFixed(1)}`,
  ].join("\n");
}
