/**
 * `npm run bench chaos [-- --seconds 120 --every 5 --seed 1]`: three workers on a real Redis, then on a real PostgreSQL, while a random
 * one is killed every few seconds, or paused until its shard was taken, or the server is killed and started again. Jobs of
 * extraction and of an index, one after the other: each must be, byte for byte, what a run without a queue makes.
 */
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { submitJob } from "../src/node/jobs/submit.js";
import { Random } from "../src/random.js";
import { hasServer, makeServer, type QueueServer, SERVER_KINDS, type ServerKind } from "../test/queue-servers.js";
import { drawPhotos, end, startStrata, strata, wait } from "./job-folder.js";

const [IMAGES, SHARD, WORKERS] = [80, 2, 3];
/** Seconds of a worker's silence after which its shard is given away, and for which a paused one sleeps. */
const [LOCK, SLEEP] = [2, 8];
const JOBS = ["extract", "index"] as const;

export interface ChaosOptions {
  seconds: number;
  every: number;
  seed: number;
}

/** What was done to a server's workers, and what came of it. */
export interface ChaosRow {
  server: ServerKind;
  seconds: number;
  jobs: number;
  shards: number;
  kills: number;
  pauses: number;
  restarts: number;
  /** Files of results that differ from those of a run without a queue. */
  different: string[];
  missing: number;
  /** Outputs beyond one of each shard. */
  double: number;
  load: number;
}

export async function measureChaos(options: ChaosOptions): Promise<ChaosRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "strata-bench-chaos-"));
  try {
    await drawPhotos(folder, IMAGES, 320, 240);
    for (const job of JOBS) {
      const how = ["--model", "strata-xs", "--threads", "1", "--shard-size", `${SHARD}`, "--no-queue"];
      strata(folder, "jobs", "submit", job, "photos", "--out", `${job}-made`, ...how);
      strata(folder, "jobs", "run", `${job}-made`, "--threads", "1", "--quiet");
      strata(folder, "jobs", "merge", `${job}-made`);
    }
    const rows: ChaosRow[] = [];
    for (const kind of SERVER_KINDS) if (hasServer(kind)) rows.push(await chaosOn(kind, folder, options));
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function chaosOn(kind: ServerKind, folder: string, options: ChaosOptions): Promise<ChaosRow> {
  const server = await makeServer(kind);
  const workers = new Set<ChildProcess>();
  const start = () => {
    workers.add(
      startStrata(folder, ["worker", "--queue", server.url, "--threads", "1", "--lock", `${LOCK}`, "--quiet"]),
    );
  };
  const row: ChaosRow = {
    ...{ server: kind, seconds: 0, jobs: 0, shards: 0, kills: 0, pauses: 0, restarts: 0 },
    ...{ different: [], missing: 0, double: 0, load: 0 },
  };
  const stop = new AbortController();
  const started = performance.now();
  try {
    for (let i = 0; i < WORKERS; i++) start();
    const harm = harmAll(server, workers, start, row, options, stop.signal);
    while (performance.now() - started < 1000 * options.seconds) {
      const job = JOBS[row.jobs % JOBS.length];
      const name = `${job}-${kind}-${row.jobs}`;
      const how = ["--model", "strata-xs", "--threads", "1", "--shard-size", `${SHARD}`, "--no-queue"];
      strata(folder, "jobs", "submit", job, "photos", "--out", name, ...how);
      // A server that is being restarted is asked again.
      while (!(await submitJob(join(folder, name), server.url).catch(() => null))) await wait(100);
      while (!existsSync(join(folder, name, "result.json"))) await wait(50);
      compare(folder, `${job}-made`, name, row);
      row.jobs++;
    }
    stop.abort();
    await harm;
    row.seconds = (performance.now() - started) / 1000;
    row.load = loadavg()[0];
    return row;
  } finally {
    stop.abort();
    for (const worker of workers) await end(worker, "SIGKILL");
    await server.remove();
  }
}

/** Does harm every few seconds: of ten times one to the server, three a pause, six a kill. */
async function harmAll(
  server: QueueServer,
  workers: Set<ChildProcess>,
  start: () => void,
  row: ChaosRow,
  { every, seed }: ChaosOptions,
  signal: AbortSignal,
): Promise<void> {
  const random = new Random(seed);
  for (let turn = 1; !signal.aborted; turn++) {
    await wait(1000 * every * random.uniform(0.5, 1.5));
    if (signal.aborted) return;
    const victim = [...workers][random.integer(workers.size)];
    if (turn % 5 === 0) {
      await server.kill();
      await wait(500);
      await server.start();
      row.restarts++;
    } else if (turn % 3 === 0) {
      const pids = [victim.pid as number, ...childrenOf(victim.pid as number)];
      for (const pid of pids) signalTo(pid, "SIGSTOP");
      await wait(1000 * SLEEP);
      for (const pid of pids) signalTo(pid, "SIGCONT");
      row.pauses++;
    } else {
      workers.delete(victim);
      await end(victim, "SIGKILL");
      start();
      row.kills++;
    }
  }
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  } catch {
    return [];
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** Compares the results and counts the outputs of a job with those of the one that was run without a queue. */
function compare(folder: string, right: string, name: string, row: ChaosRow): void {
  const results = readdirSync(join(folder, right)).filter((file) =>
    /^(features|segment-|manifest|vocabulary)/.test(file),
  );
  for (const file of results) {
    const path = join(folder, name, file);
    const isSame = existsSync(path) && readFileSync(path).equals(readFileSync(join(folder, right, file)));
    if (!isSame) row.different.push(`${name}/${file}`);
  }
  const files = (job: string) => readdirSync(join(folder, job, "shards")).filter((file) => !file.startsWith("."));
  const [wanted, got] = [files(right), files(name)];
  row.shards += wanted.length / 2;
  row.missing += wanted.filter((file) => !got.includes(file)).length;
  row.double += got.filter((file) => !wanted.includes(file)).length;
}

export const chaosTable = (rows: readonly ChaosRow[]): string =>
  rows
    .map(
      (row) =>
        `${row.server.padEnd(12)}${row.seconds.toFixed(0)} s, ${row.jobs} jobs of ${row.shards} shards; ${row.kills} workers killed, ` +
        `${row.pauses} paused, ${row.restarts} restarts of the server: ${row.different.length} results differ, ${row.missing} outputs ` +
        `missing, ${row.double} too many; load average ${row.load.toFixed(1)}`,
    )
    .join("\n");
