/** The queue of shards: BullMQ's, on Redis or PostgreSQL. Both packages are loaded when a queue is opened. */
import type { BackendFactory, Job, Queue, Worker, WorkerOptions } from "bullmq";
import { UnsupportedError } from "../../errors.js";
import { checkPeer, peerError } from "../../peers.js";
import { parseQueueUrl, type QueueAddress, queueError, serverError } from "./queue-url.js";

/** What stands in the queue: which shard of which folder. Everything else is in the folder. */
export interface ShardJob {
  folder: string;
  /** The plan's id, to tell whether the folder still holds the job that was queued. */
  id: string;
  /** A number, or the merge of all. */
  shard: number | "merge";
  /** Shards of this job that are in the queue at once. */
  window: number;
  /** Times that a shard is tried. */
  attempts: number;
}

/** All jobs are in one queue: a worker takes whatever comes. */
const NAME = "strata";
/** Milliseconds that a server has for its first answer. */
const PATIENCE = 10_000;

export type ShardQueue = Queue<ShardJob>;
export type QueuedShard = Job<ShardJob>;
export type ShardProcessor = (job: QueuedShard, token?: string) => Promise<void>;

/** An open queue. */
export interface OpenQueue {
  address: QueueAddress;
  queue: ShardQueue;
  /** Starts to take jobs from it. */
  work(processor: ShardProcessor, options: Omit<WorkerOptions, "connection">): Worker<ShardJob>;
  /** Throw from a processor that has moved its job to others. */
  delayed(): Error;
  close(): Promise<void>;
}

/** Milliseconds before the second attempt; each further one waits twice as long. */
const BACKOFF = 5000;

/** A shard as the queue takes it; what is there already under its id is not added again. */
export const queued = (id: string, data: ShardJob) => ({
  name: data.shard === "merge" ? "merge" : "shard",
  data,
  opts: {
    jobId: id,
    attempts: data.attempts,
    backoff: { type: "exponential" as const, delay: BACKOFF, jitter: 0.5 },
    removeOnComplete: true,
    // Kept, to be listed and tried again.
    removeOnFail: false,
    stackTraceLimit: 0,
  },
});

/**
 * Opens the queue at an address. Before anything is put into it, the server is looked at: an error where it does not answer,
 * is read-only or full, or would throw jobs away (a Redis that evicts keys).
 */
export async function openQueue(text: unknown): Promise<OpenQueue> {
  const address = parseQueueUrl(text);
  const driver = address.server === "redis" ? "ioredis" : "pg";
  checkPeer("bullmq");
  checkPeer(driver);
  if (address.server === "redis") await checkRedis(address);
  else await checkPostgres(address);
  let bullmq: typeof import("bullmq");
  try {
    bullmq = await import("bullmq");
  } catch (cause) {
    throw peerError("bullmq", cause);
  }
  const { connection, backend } = connect(address, bullmq);
  const queue: ShardQueue = new bullmq.Queue<ShardJob>(NAME, { connection } as never, backend as never);
  // Told by whoever waits for it.
  queue.on("error", () => {});
  try {
    await queue.waitUntilReady();
  } catch (cause) {
    await queue.close().catch(() => {});
    throw queueError(cause, address);
  }
  return {
    address,
    queue,
    work: (processor, options) =>
      new bullmq.Worker<ShardJob>(NAME, processor, { ...options, connection } as never, backend as never),
    delayed: () => new bullmq.DelayedError(),
    close: () => queue.close(),
  };
}

function connect(
  address: QueueAddress,
  bullmq: typeof import("bullmq"),
): { connection: object; backend?: BackendFactory } {
  const { server, url } = address;
  if (server === "postgres") {
    // The schema is made by whoever comes first.
    const connection = { ...postgresOptions(url), migrate: true, max: 4 };
    return { connection, backend: bullmq.createPostgresBackend as unknown as BackendFactory };
  }
  return { connection: { ...redisOptions(url), maxRetriesPerRequest: null } };
}

function redisOptions(url: URL): object {
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || 6379,
    username: url.username === "" ? undefined : decodeURIComponent(url.username),
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
    db: Number(url.pathname.slice(1)) || 0,
    tls: url.protocol === "rediss:" ? {} : undefined,
  };
}

const postgresOptions = (url: URL) => ({ connectionString: url.href, connectionTimeoutMillis: PATIENCE });

async function checkRedis(address: QueueAddress): Promise<void> {
  let Redis: typeof import("ioredis").Redis;
  try {
    ({ Redis } = await import("ioredis"));
  } catch (cause) {
    throw peerError("ioredis", cause);
  }
  const options = { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0, connectTimeout: PATIENCE };
  const client = new Redis({ ...redisOptions(address.url), ...options });
  // A refused connection is told by an event; what comes after it says only that there is none.
  let first: unknown;
  client.on("error", (error) => {
    first ??= error;
  });
  try {
    await client.connect();
    // Of a database that is not there the client would tell by an event, and stay in another one.
    await client.select(Number(address.url.pathname.slice(1)) || 0);
    const info = await client.info();
    const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1];
    if (field("role") === "slave") throw new Error("READONLY");
    const policy = field("maxmemory_policy");
    if (policy !== undefined && policy !== "noeviction") {
      throw new UnsupportedError(
        `the queue at ${address.shown}: this Redis throws keys away when its memory is full (maxmemory-policy ${policy}), and ` +
          "with them jobs; set maxmemory-policy to noeviction",
      );
    }
    await client.set("strata:probe", "1", "EX", 1);
  } catch (error) {
    // A server that is full says so, and hangs up.
    throw serverError(first, address) ?? queueError(error, address);
  } finally {
    client.disconnect();
  }
}

async function checkPostgres(address: QueueAddress): Promise<void> {
  let pg: typeof import("pg");
  try {
    pg = await import("pg");
  } catch (cause) {
    throw peerError("pg", cause);
  }
  const client = new pg.default.Client(postgresOptions(address.url));
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query("select current_setting('transaction_read_only') as ro");
    if (rows[0]?.ro === "on") throw new Error("READONLY");
  } catch (error) {
    throw queueError(error, address);
  } finally {
    await client.end().catch(() => {});
  }
}
