/**
 * `npm run bench serve [-- --minutes 5 --images 100 --most 16]`: what a service bears. Searches come at a fixed rate, whether or not earlier
 * ones are answered. The highest rate whose 99th percentile is at most a second is looked for and held, with the memory of each
 * minute; then twice that comes for a while, and a flood at last: what is too much must be refused with 429 or 503.
 */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { drawPhotos, end, startStrata, strata, wait } from "./job-folder.js";
import { memoryOf } from "./processes.js";

/** Seconds of a try, of twice the rate, and of a flood. */
const [TRY, TWICE, FLOODED] = [15, 60, 20];
/** Searches a second of a flood: more than any machine here answers. */
const FLOOD = 40;
/** Milliseconds at the 99th percentile. */
const LIMIT = 1000;
/** Searches a second that are tried. */
const RATES = [0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16];

export interface ServeOptions {
  minutes: number;
  images: number;
  /** Highest rate that is tried, searches a second. */
  most: number;
}

/** Searches that came at one rate. */
export interface Load {
  /** Searches a second. */
  rate: number;
  seconds: number;
  /** Milliseconds of those that were answered with 200. */
  median: number;
  p99: number;
  /** How many by status; 0: no answer. */
  statuses: Record<string, number>;
}

export interface ServeFigures {
  tries: Load[];
  held: Load;
  /** Megabytes after each minute of the held rate, and after the flood. */
  memory: number[];
  twice: Load;
  flood: Load;
  /** Status of /health at the end. */
  health: number;
  load: number;
}

export async function measureServe({ minutes, images, most }: ServeOptions): Promise<ServeFigures> {
  const folder = mkdtempSync(join(tmpdir(), "strata-bench-serve-"));
  let service: ChildProcess | undefined;
  try {
    await drawPhotos(folder, images, 320, 240);
    strata(folder, "index", "photos", "--out", "photos.index", "--quiet");
    service = startStrata(folder, ["serve", "photos.index", "--port", "0"], true);
    const url = await addressOf(service);
    const queries = readdirSync(join(folder, "photos")).map((name) => readFileSync(join(folder, "photos", name)));
    await run(url, queries, 1, 5);
    const tries: Load[] = [];
    for (const rate of RATES.filter((rate) => rate <= most)) {
      tries.push(await run(url, queries, rate, TRY));
      if ((tries.at(-1)?.p99 as number) > LIMIT) break;
    }
    // A short try has few of the slow ones: where the rate turns out too high, the next lower one is held.
    const good = tries.filter(({ p99, statuses }) => p99 <= LIMIT && Object.keys(statuses).join() === "200");
    const memory: number[] = [memoryOf(service.pid as number)];
    let held: Load = tries[0];
    for (const { rate } of (good.length > 0 ? good : tries.slice(0, 1)).reverse()) {
      const pid = service.pid as number;
      const timer = setInterval(() => memory.push(memoryOf(pid)), 60_000);
      held = await run(url, queries, rate, 60 * minutes);
      clearInterval(timer);
      if (held.p99 <= LIMIT) break;
    }
    const twice = await run(url, queries, 2 * held.rate, TWICE);
    const flood = await run(url, queries, FLOOD, FLOODED);
    memory.push(memoryOf(service.pid as number));
    const health = (await fetch(`${url}/health`)).status;
    return { tries, held, memory, twice, flood, health, load: loadavg()[0] };
  } finally {
    if (service) await end(service);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where the service listens, once it says so; what it says later is read too, so that the pipe does not fill. */
function addressOf(service: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    service.stderr?.on("data", (piece) => {
      said += piece;
      const url = / at (http:\S+),/.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    });
    service.once("exit", () => reject(new Error(`the service has ended: ${said}`)));
  });
}

async function run(url: string, queries: readonly Buffer[], rate: number, seconds: number): Promise<Load> {
  const statuses: Record<string, number> = {};
  const times: number[] = [];
  const all: Promise<void>[] = [];
  const started = performance.now();
  for (let i = 0; i < rate * seconds; i++) {
    await wait(Math.max(0, started + (1000 * i) / rate - performance.now()));
    all.push(
      (async () => {
        const began = performance.now();
        const status = await search(url, queries[(7 * i) % queries.length]).catch(() => 0);
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (status === 200) times.push(performance.now() - began);
      })(),
    );
  }
  await Promise.all(all);
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? Infinity;
  const load = { rate, seconds, median: at(0.5), p99: at(0.99), statuses };
  console.log(loadLine(load));
  return load;
}

async function search(url: string, body: Uint8Array): Promise<number> {
  const answer = await fetch(`${url}/search?top=3`, {
    method: "POST",
    body: new Uint8Array(body),
    headers: { "Content-Type": "image/png" },
  });
  await answer.arrayBuffer();
  return answer.status;
}

const loadLine = ({ rate, seconds, median, p99, statuses }: Load): string =>
  `${rate.toFixed(1).padStart(6)}/s for ${seconds} s: median ${median.toFixed(0)} ms, 99 % within ${p99.toFixed(0)} ms; ` +
  Object.entries(statuses)
    .map(([status, count]) => `${count} × ${status}`)
    .join(", ");

export const serveTable = ({ held, memory, twice, flood, health, load }: ServeFigures): string =>
  `held ${loadLine(held)}\ntwice ${loadLine(twice)}\nflood ${loadLine(flood)}\nmemory by the minute ` +
  `${memory.map((megabytes) => megabytes.toFixed(0)).join(", ")} MB; /health ${health}; load average ${load.toFixed(1)}`;
