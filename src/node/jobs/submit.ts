/** Puts the shards of a job into a queue: as many as its window takes, the others follow as those are done. */
import { resolve } from "node:path";
import { checkNumber, withDefaults } from "../../options.js";
import { checkVersion } from "./foreign.js";
import { readMerged } from "./merge.js";
import { markCancelled, queueId, readPlan } from "./plan.js";
import { openQueue, queued, type ShardJob } from "./queue.js";
import { shardJob } from "./queue-next.js";
import { queueError } from "./queue-url.js";
import { readRecord } from "./records.js";

/** Shards of a job that are in the queue at once: a queue's memory does not grow with the job. */
const WINDOW = 1000;

/** Times that a shard is tried, unless it is said. */
const ATTEMPTS = 3;

/** How a job's shards are queued. */
export interface SubmitOptions {
  /** Most shards of the job in the queue at once; default 1000. */
  window?: number;
  /** Times that a shard is tried, with longer and longer waits between; default 3. */
  attempts?: number;
}

/** What a submission came to. */
export interface SubmitReport {
  id: string;
  shards: number;
  /** Shards that are done already. */
  finished: number;
  /** Shards that are in the queue now. */
  queued: number;
  /** Shards of earlier submissions that had failed and are tried again. */
  again: number;
}

/**
 * Queues what is not done of the job in `folder`, also again: what is queued already is not queued twice, what had failed gets
 * new attempts, and a job that was cancelled goes on.
 */
export async function submitJob(folder: string, queueUrl: string, options: SubmitOptions = {}): Promise<SubmitReport> {
  const { window, attempts } = withDefaults<Required<SubmitOptions>>(
    "submitJob",
    { window: WINDOW, attempts: ATTEMPTS },
    options,
  );
  checkNumber("submitJob", "attempts", attempts, { min: 1, max: 100, integer: true });
  checkNumber("submitJob", "window", window, { min: 1, integer: true });
  const plan = await readPlan(folder);
  checkVersion(folder, plan);
  const open = await openQueue(queueUrl);
  try {
    await markCancelled(folder, false);
    const report: SubmitReport = { id: plan.id, shards: plan.shards.length, finished: 0, queued: 0, again: 0 };
    const wanted = new Map<string, ShardJob>();
    for (let shard = 0; shard < plan.shards.length; shard++) {
      if (await readRecord(folder, plan, shard)) report.finished++;
      else if (wanted.size < window)
        wanted.set(queueId(folder, plan, shard), shardJob(folder, plan, shard, { window, attempts }));
    }
    if (report.finished === plan.shards.length && !(await readMerged(folder, plan))) {
      wanted.set(queueId(folder, plan, "merge"), shardJob(folder, plan, "merge", { window, attempts }));
    }
    for (const job of await open.queue.getFailed()) {
      if (job.id === undefined || job.data.id !== plan.id || job.data.folder !== resolve(folder)) continue;
      await job.retry("failed", { resetAttemptsMade: true });
      report.again++;
    }
    await open.queue.addBulk([...wanted].map(([id, data]) => queued(id, data)));
    report.queued = wanted.size;
    return report;
  } catch (error) {
    throw queueError(error, open.address);
  } finally {
    await open.close();
  }
}

/** Takes a job's shards out of the queue; those at work are finished. Says how many were taken out. */
export async function cancelJob(folder: string, queueUrl: string): Promise<{ removed: number; active: number }> {
  const plan = await readPlan(folder);
  const open = await openQueue(queueUrl);
  try {
    // First, so that nothing follows.
    await markCancelled(folder, true);
    const isOurs = ({ data }: { data: ShardJob }) => data.id === plan.id && data.folder === resolve(folder);
    let removed = 0;
    for (const job of await open.queue.getJobs(["waiting", "delayed", "failed", "prioritized"])) {
      if (!isOurs(job)) continue;
      // One that a worker has taken meanwhile is locked, and stays.
      await job.remove().then(
        () => removed++,
        () => {},
      );
    }
    return { removed, active: (await open.queue.getActive()).filter(isOurs).length };
  } catch (error) {
    throw queueError(error, open.address);
  } finally {
    await open.close();
  }
}
