/** How far a job is: what its folder says, and where a queue is named, what stands in that. */
import { resolve } from "node:path";
import { readMerged } from "./merge.js";
import { isCancelled, type JobKind, readPlan, type SetAside } from "./plan.js";
import { openQueue } from "./queue.js";
import { queueError } from "./queue-url.js";
import { readRecord, recordTimes } from "./records.js";

/** How far a job is. */
export interface JobStatus {
  folder: string;
  id: string;
  kind: JobKind;
  state: "done" | "cancelled" | "at work" | "waiting" | "stuck" | "unknown";
  /** Images, or pairs. */
  count: number;
  done: number;
  /** Keypoints, or matches. */
  found: number;
  shards: { all: number; done: number };
  setAside: SetAside[];
  /** Things per second in the last minutes of work; null before two shards are done. */
  rate: number | null;
  secondsLeft: number | null;
  /** Shards of this job in the queue; null where none is named. */
  queue: QueueStatus | null;
  /** Path of the merged result, once it is there. */
  result: string | null;
}

/** A job's shards in the queue. */
export interface QueueStatus {
  waiting: number;
  /** Failed before, or left by a worker of another version, and to be tried again. */
  delayed: number;
  active: { shard: number | "merge"; worker: string | null; done: number | null }[];
  failed: { shard: number | "merge"; reason: string; attempts: number }[];
}

/** Shards whose times tell the rate of now. */
const RECENT = 50;

/** The state of the job in `folder`; with a queue's address also of its shards there. */
export async function jobStatus(folder: string, queueUrl?: string): Promise<JobStatus> {
  const plan = await readPlan(folder);
  const [shards, setAside] = [{ all: plan.shards.length, done: 0 }, [...plan.unreadable]];
  let [done, found] = [0, 0];
  for (let shard = 0; shard < plan.shards.length; shard++) {
    const record = await readRecord(folder, plan, shard);
    if (!record) continue;
    shards.done++;
    done += record.done;
    found += record.found;
    setAside.push(...record.setAside);
  }
  const rate = rateOf(await recordTimes(folder), shards.done === 0 ? 0 : done / shards.done);
  const queue = queueUrl === undefined ? null : await queueStatus(folder, plan.id, queueUrl);
  const merged = await readMerged(folder, plan);
  const left = plan.count - done - (setAside.length - plan.unreadable.length);
  return {
    folder,
    id: plan.id,
    kind: plan.kind,
    state: await stateOf(folder, merged !== null, queue),
    count: plan.count,
    done,
    found,
    shards,
    setAside,
    rate,
    secondsLeft: rate === null || left <= 0 ? null : left / rate,
    queue,
    result: merged?.result ?? null,
  };
}

async function stateOf(folder: string, isDone: boolean, queue: QueueStatus | null): Promise<JobStatus["state"]> {
  if (isDone) return "done";
  if (await isCancelled(folder)) return "cancelled";
  if (!queue) return "unknown";
  if (queue.active.length > 0) return "at work";
  // Nobody will take what has failed, and nothing follows it.
  return queue.waiting + queue.delayed > 0 ? "waiting" : "stuck";
}

/** Things per second over the last shards, each as large as they are on average. */
function rateOf(times: readonly number[], size: number): number | null {
  const recent = times.slice(-RECENT);
  if (recent.length < 2) return null;
  const seconds = (recent[recent.length - 1] - recent[0]) / 1000;
  return seconds > 0 && size > 0 ? (size * (recent.length - 1)) / seconds : null;
}

async function queueStatus(folder: string, id: string, queueUrl: string): Promise<QueueStatus> {
  const open = await openQueue(queueUrl);
  try {
    const status: QueueStatus = { waiting: 0, delayed: 0, active: [], failed: [] };
    const states = ["waiting", "prioritized", "delayed", "active", "failed"] as const;
    for (const state of states) {
      for (const job of await open.queue.getJobs([state])) {
        if (job?.data.id !== id || job.data.folder !== resolve(folder)) continue;
        const { shard } = job.data;
        if (state === "active") {
          const { done = null, worker = null } = Object(job.progress) as { done?: number; worker?: string };
          status.active.push({ shard, done, worker });
        } else if (state === "failed") {
          status.failed.push({ shard, reason: job.failedReason, attempts: job.attemptsMade });
        } else if (state === "delayed") status.delayed++;
        else status.waiting++;
      }
    }
    return status;
  } catch (error) {
    throw queueError(error, open.address);
  } finally {
    await open.close();
  }
}
