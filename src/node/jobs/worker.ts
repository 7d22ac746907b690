/**
 * A worker: takes shards from a queue and does them, one at a time, in a child process. It lives on while its server restarts.
 * A worker that dies, or is paused, loses its shard to another one when the shard's lock runs out.
 */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { checkFlag, checkObject } from "../../check.js";
import { OptionError } from "../../errors.js";
import { checkNumber } from "../../options.js";
import { checkPath } from "../atomic.js";
import { checkVersion, ForeignJobError } from "./foreign.js";
import { mergeJob, readMerged } from "./merge.js";
import { isCancelled, readPlan, shardsOf } from "./plan.js";
import { type OpenQueue, openQueue, type QueuedShard } from "./queue.js";
import { queueMerge, queueNext } from "./queue-next.js";
import { queueError } from "./queue-url.js";
import { countRecords } from "./records.js";
import { type RunnerOptions, ShardRunner } from "./shard-runner.js";

/** How a worker works. */
export interface WorkerOptions extends RunnerOptions {
  /** Ends once nothing is in the queue and nothing at work; default false: it waits for more. */
  untilEmpty?: boolean;
  /** Seconds after which a shard whose worker is silent is given to another one; default 30. */
  lockSeconds?: number;
  /** Ends the worker; the shard at work goes back to the queue at once. */
  signal?: AbortSignal;
  /** A shard that is done, or has failed for this time. */
  onShard?(told: ShardEvent): void;
}

/** What became of a shard that a worker took. */
export interface ShardEvent {
  folder: string;
  shard: number | "merge";
  /** Things done and found: images and keypoints, or pairs and matches; null where it failed. */
  done: number | null;
  found: number | null;
  seconds: number;
  error: Error | null;
}

/** What a worker has done. */
export interface WorkerReport {
  shards: number;
  failed: number;
  /** Shards that were left to others: of another version, or with another model. */
  left: number;
}

/** Times that a shard may be lost with its worker before it fails. */
const MAX_STALLED = 10;
/** Milliseconds for which a shard that is not for this worker is left to others. */
const LEAVE = 5000;
/** Milliseconds between two looks whether the queue is empty, and between two tellings of progress. */
const LOOK = 500;
const TELL = 5000;

/** Milliseconds that a worker which ends gives its server; what it still had goes to others when its lock runs out. */
const GOODBYE = 5000;

/** Settled when the work is, or when the time is over; never rejects. */
async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((done) => {
    timer = setTimeout(done, milliseconds);
  });
  await Promise.race([work.catch(() => {}), over]);
  clearTimeout(timer);
}

/** Works until the signal is aborted (or the queue is empty), and says what was done. Throws what `openQueue` throws. */
export async function runWorker(queueUrl: string, options: WorkerOptions = {}): Promise<WorkerReport> {
  checkObject("runWorker", "options", options);
  const { untilEmpty = false, lockSeconds = 30, signal, onNote = () => {} } = options;
  ShardRunner.check("runWorker", options);
  checkFlag("runWorker", "untilEmpty", untilEmpty);
  checkNumber("runWorker", "lockSeconds", lockSeconds, { min: 1, max: 3600 });
  const open = await openQueue(queueUrl);
  const runner = new ShardRunner(options);
  const report: WorkerReport = { shards: 0, failed: 0, left: 0 };
  const work = new Processor(open, runner, report, options);
  const lock = 1000 * lockSeconds;
  const worker = open.work((job, token) => work.process(job, token), {
    name: `${hostname()}:${process.pid}`,
    lockDuration: lock,
    stalledInterval: lock,
    // Counted by ourselves, so that what fails is told by whoever finds it.
    maxStalledCount: 1_000_000,
    runRetryDelay: 1000,
  });
  let isLost = false;
  worker.on("error", (error) => {
    if (signal?.aborted) return;
    if (/lock/i.test(error.message)) {
      onNote("this worker was silent for too long, and its shard was given to another one");
      return;
    }
    if (isLost) return;
    isLost = true;
    onNote(`${queueError(error, open.address).message}; the worker goes on trying`);
  });
  worker.on("active", () => {
    if (isLost) onNote(`the queue at ${open.address.shown} is back`);
    isLost = false;
  });
  try {
    await untilDone(open, untilEmpty, signal);
    return report;
  } finally {
    // The shard at work has gone back to the queue; else it is finished first. A connection that was lost and found again, or
    // a server that is away, would be waited for without end.
    await atMost(GOODBYE, worker.close());
    runner.close();
    await atMost(GOODBYE, open.close());
  }
}

/** Waits until the signal is aborted, or the queue has been found empty. A server that is away is waited for. */
async function untilDone({ queue }: OpenQueue, untilEmpty: boolean, signal?: AbortSignal): Promise<void> {
  const isEmpty = async () => {
    const { waiting, active, delayed, prioritized } = await queue.getJobCounts();
    return waiting + active + delayed + prioritized === 0;
  };
  while (!signal?.aborted) {
    if (untilEmpty && (await isEmpty().catch(() => false))) return;
    await new Promise<void>((done) => {
      const timer = setTimeout(finish, untilEmpty ? LOOK : 2 ** 30);
      signal?.addEventListener("abort", finish, { once: true });
      function finish() {
        clearTimeout(timer);
        signal?.removeEventListener("abort", finish);
        done();
      }
    });
  }
}

class Processor {
  /** What has been told of work that is left to others, once each. */
  private readonly told = new Set<string>();

  constructor(
    private readonly open: OpenQueue,
    private readonly runner: ShardRunner,
    private readonly report: WorkerReport,
    private readonly options: WorkerOptions,
  ) {}

  async process(job: QueuedShard, token?: string): Promise<void> {
    const { signal } = this.options;
    const { folder, shard } = job.data;
    const started = performance.now();
    const tell = (done: number | null, found: number | null, error: Error | null) => {
      this.options.onShard?.({ folder, shard, done, found, seconds: (performance.now() - started) / 1000, error });
    };
    try {
      if (signal?.aborted) throw signal.reason;
      if (job.stalledCounter > MAX_STALLED) {
        throw new OptionError(`shard ${shard} was lost with its worker ${job.stalledCounter} times`);
      }
      const { done, found } = shard === "merge" ? await this.merge(job) : await this.shard(job, shard);
      this.report.shards++;
      tell(done, found, null);
    } catch (error) {
      // Back to the queue: at once where this worker ends, else a while later, so that another one takes it.
      if (signal?.aborted) {
        await job.moveToDelayed(Date.now(), token);
        throw this.open.delayed();
      }
      if (error instanceof ForeignJobError) {
        this.report.left++;
        this.note(error.message);
        await job.moveToDelayed(Date.now() + LEAVE, token);
        throw this.open.delayed();
      }
      this.report.failed++;
      tell(null, null, error as Error);
      const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
      if (isLast && shard !== "merge") {
        await readPlan(folder)
          .then((plan) => queueNext(this.open.queue, plan, job.data))
          .catch(() => {});
      }
      throw error;
    }
  }

  private async shard(job: QueuedShard, shard: number): Promise<{ done: number; found: number }> {
    const { folder, id } = job.data;
    const { signal } = this.options;
    const plan = await readPlan(folder);
    if (plan.id !== id) return { done: 0, found: 0 };
    if (await isCancelled(folder)) return { done: 0, found: 0 };
    let last = 0;
    const onProgress = (done: number) => {
      const now = performance.now();
      if (now - last < TELL) return;
      last = now;
      void job.updateProgress({ done, worker: `${hostname()}:${process.pid}` }).catch(() => {});
    };
    const { done, found } = await this.runner.run(folder, shard, { signal, onProgress });
    await queueNext(this.open.queue, plan, job.data);
    if ((await countRecords(folder)) >= plan.shards.length && !(await readMerged(folder, plan))) {
      await queueMerge(this.open.queue, plan, job.data);
    }
    return { done, found };
  }

  private async merge({ data: { folder, id } }: QueuedShard): Promise<{ done: number; found: number }> {
    const plan = await readPlan(folder);
    checkVersion(folder, plan);
    if (plan.id !== id || (await isCancelled(folder))) return { done: 0, found: 0 };
    const { done, found } = await mergeJob(folder);
    return { done, found };
  }

  private note(text: string): void {
    if (this.told.has(text)) return;
    this.told.add(text);
    this.options.onNote?.(text);
  }
}

/** Does shards of the job in `folder` here, without a queue: those that the machine `index` of `count` takes. */
export async function runShards(folder: string, how: RunShardsOptions = {}): Promise<WorkerReport> {
  checkObject("runShards", "options", how);
  const { index = 0, count = 1, signal, onShard, ...options } = how;
  ShardRunner.check("runShards", options);
  checkPath("a job's folder", folder);
  const plan = await readPlan(resolve(folder));
  checkVersion(folder, plan);
  const runner = new ShardRunner(options);
  const report: WorkerReport = { shards: 0, failed: 0, left: 0 };
  try {
    for (const shard of shardsOf(plan, index, count)) {
      const started = performance.now();
      const told = { folder, shard, done: null, found: null, error: null };
      const seconds = () => (performance.now() - started) / 1000;
      try {
        const { done, found } = await runner.run(resolve(folder), shard, { signal });
        report.shards++;
        onShard?.({ ...told, done, found, seconds: seconds() });
      } catch (error) {
        if (signal?.aborted || error instanceof ForeignJobError) throw error;
        report.failed++;
        onShard?.({ ...told, seconds: seconds(), error: error as Error });
      }
    }
    return report;
  } finally {
    runner.close();
  }
}

/** Which shards, and how. */
export interface RunShardsOptions extends Omit<WorkerOptions, "untilEmpty" | "lockSeconds"> {
  /** Number of this machine, from 0; default 0. */
  index?: number;
  /** How many machines there are; default 1: all shards. */
  count?: number;
}
