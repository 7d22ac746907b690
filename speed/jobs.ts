/**
 * `npm run bench jobs [-- --repeats 3 --images 384]`: what a queue costs, and what a second worker brings. One job of extraction, with one-threaded
 * workers on a Redis of its own: run without a queue, by one worker, and by two, in turns.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { makeServer } from "../test/queue-servers.js";
import { summarize, type Timing } from "./harness.js";
import { drawPhotos, end, startStrata, strata, wait } from "./job-folder.js";

const SHARD = 8;
const WAYS = ["no queue", "1 worker", "2 workers"] as const;

export interface JobsRow {
  way: (typeof WAYS)[number];
  images: number;
  /** Milliseconds from the first image to the last record. */
  timing: Timing;
  /** The machine's load average at the end. */
  load: number;
}

export async function compareJobs(repeats = 3, images = 384): Promise<JobsRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "strata-bench-jobs-"));
  const server = await makeServer("Redis");
  try {
    await drawPhotos(folder, images, 640, 480);
    const options = ["--model", "strata-xs", "--threads", "1", "--shard-size", `${SHARD}`];
    strata(folder, "jobs", "submit", "extract", "photos", "--out", "made", "--no-queue", ...options);
    const times = new Map<string, number[]>(WAYS.map((way) => [way, []]));
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const way of WAYS) {
        const name = `${repeat}-${way.replace(" ", "-")}`;
        times.get(way)?.push(await timeOf(folder, server.url, way, name));
      }
    }
    return WAYS.map((way) => ({ way, images, timing: summarize(times.get(way) as number[]), load: loadavg()[0] }));
  } finally {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of the whole: processes are started, models opened, all shards done and merged. */
async function timeOf(cwd: string, queue: string, way: JobsRow["way"], name: string): Promise<number> {
  cpSync(join(cwd, "made"), join(cwd, name), { recursive: true });
  if (way !== "no queue") {
    const submit = `import(${JSON.stringify(new URL("../dist/node/jobs/index.js", import.meta.url).href)}).then((jobs) => jobs.submitJob(${JSON.stringify(join(cwd, name))}, ${JSON.stringify(queue)})).then(() => process.exit(0))`;
    spawnSync(process.execPath, ["-e", submit], { cwd });
  }
  const started = performance.now();
  if (way === "no queue") {
    strata(cwd, "jobs", "run", name, "--threads", "1");
    strata(cwd, "jobs", "merge", name);
    return performance.now() - started;
  }
  const workers = Array.from({ length: Number(way[0]) }, () =>
    startStrata(cwd, ["worker", "--queue", queue, "--threads", "1", "--quiet"]),
  );
  while (!existsSync(join(cwd, name, "result.json"))) await wait(10);
  const time = performance.now() - started;
  for (const worker of workers) await end(worker);
  return time;
}

export function jobsTable(rows: readonly JobsRow[]): string {
  const rate = ({ images, timing }: JobsRow) => (1000 * images) / timing.median;
  const [none, one, two] = rows;
  const lines = rows.map(
    (row) =>
      `${row.way.padEnd(12)}${row.timing.median.toFixed(0).padStart(8)} ms${rate(row).toFixed(2).padStart(8)} images/s`,
  );
  const queueCost = (100 * (one.timing.median / none.timing.median - 1)).toFixed(1);
  return `${lines.join("\n")}\n\nthe queue costs ${queueCost} %; two workers do ${(rate(two) / rate(one)).toFixed(2)} × one; load average ${two.load.toFixed(1)}`;
}
