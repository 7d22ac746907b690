/**
 * `npm run bench scale`: the figures that docs/scale.md reckons with, beside rates of extraction. In processor time, which tells the
 * same on a busy machine: hashing, matching; and in bytes what a shard takes of a queue while it waits.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FloatFeatures } from "../src/features.js";
import { matchFeatures } from "../src/match/index.js";
import { readFileChecked } from "../src/node/atomic.js";
import "../src/node/index.js";
import { openQueue, queued } from "../src/node/jobs/queue.js";
import { imageDigest } from "../src/node/stores/store.js";
import { Random } from "../src/random.js";
import { hasServer, makeServer, SERVER_KINDS } from "../test/queue-servers.js";

const [FILES, FILE_BYTES, PAIRS, SHARDS] = [100, 500_000, 20, 1000];

export interface ScaleFigures {
  /** Megabytes of files that are read and hashed in a second of one core. */
  hashing: number;
  /** Pairs that are matched in a second of one core, by the number of keypoints. */
  pairs: Record<number, number>;
  /** Bytes of a server that a waiting shard takes, by the server. */
  queue: Record<string, number>;
}

/** Seconds of processor time that the work takes, in all threads. */
async function processorTime(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

export async function measureScale(): Promise<ScaleFigures> {
  const pairs: Record<number, number> = {};
  for (const count of [500, 2000]) pairs[count] = await matchingRate(count);
  const queue: Record<string, number> = {};
  for (const kind of SERVER_KINDS) if (hasServer(kind)) queue[kind] = await queueBytes(kind);
  return { hashing: await hashingRate(), pairs, queue };
}

async function hashingRate(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "strata-bench-scale-"));
  try {
    const random = new Random(1);
    const paths = Array.from({ length: FILES }, (_, i) => join(folder, `${i}.jpg`));
    const bytes = Uint8Array.from({ length: FILE_BYTES }, () => random.integer(256));
    for (const path of paths) writeFileSync(path, bytes);
    const seconds = await processorTime(async () => {
      for (const path of paths) imageDigest(await readFileChecked(path));
    });
    return (FILES * FILE_BYTES) / 1e6 / seconds;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function matchingRate(count: number): Promise<number> {
  const [a, b] = [1, 2].map((seed) => drawn(count, seed));
  await matchFeatures(a, b);
  const seconds = await processorTime(async () => {
    for (let i = 0; i < PAIRS; i++) await matchFeatures(a, b);
  });
  return PAIRS / seconds;
}

function drawn(count: number, seed: number): FloatFeatures {
  const random = new Random(seed);
  const dim = 64;
  const descriptors = Float32Array.from({ length: count * dim }, () => random.normal());
  for (let i = 0; i < count; i++) {
    const row = descriptors.subarray(i * dim, (i + 1) * dim);
    const length = Math.hypot(...row);
    for (let d = 0; d < dim; d++) row[d] /= length;
  }
  const keypoints = Float32Array.from({ length: 2 * count }, () => random.uniform(0, 639));
  return { count, dim, imageSize: [640, 640], keypoints, scores: new Float32Array(count).fill(0.5), descriptors };
}

async function queueBytes(kind: (typeof SERVER_KINDS)[number]): Promise<number> {
  const server = await makeServer(kind);
  const open = await openQueue(server.url);
  try {
    const id = (shard: number) => `${shard}`.padStart(32, "0");
    const data = { folder: "/data/jobs/photos", id: id(0), window: SHARDS, attempts: 3 };
    const before = await bytesOf(kind, server.url);
    await open.queue.addBulk(Array.from({ length: SHARDS }, (_, shard) => queued(id(shard), { ...data, shard })));
    return ((await bytesOf(kind, server.url)) - before) / SHARDS;
  } finally {
    await open.close();
    await server.remove();
  }
}

async function bytesOf(kind: (typeof SERVER_KINDS)[number], url: string): Promise<number> {
  if (kind === "Redis") {
    const { Redis } = await import("ioredis");
    const client = new Redis(url);
    const bytes = Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))?.[1]);
    client.disconnect();
    return bytes;
  }
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(
    "select sum(pg_total_relation_size(c.oid)) as bytes from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'bullmq' and c.relkind = 'r'",
  );
  await client.end();
  return Number(rows[0].bytes);
}

export const scaleTable = ({ hashing, pairs, queue }: ScaleFigures): string =>
  [
    `hashing ${hashing.toFixed(0)} MB a second of one core`,
    ...Object.entries(pairs).map(
      ([count, rate]) => `matching ${rate.toFixed(0)} pairs of ${count} keypoints a second of one core`,
    ),
    ...Object.entries(queue).map(([kind, bytes]) => `a waiting shard takes ${bytes.toFixed(0)} bytes of ${kind}`),
  ].join("\n");
