/** What is queued by workers: the shards that follow, and the merge. */
import { resolve } from "node:path";
import { isCancelled, type JobPlan, queueId } from "./plan.js";
import { queued, type ShardJob, type ShardQueue } from "./queue.js";
import { readRecord } from "./records.js";

/** A shard, or the merge, as it stands in the queue. */
export function shardJob(
  folder: string,
  plan: JobPlan,
  shard: number | "merge",
  { window, attempts }: Pick<ShardJob, "window" | "attempts">,
): ShardJob {
  return { folder: resolve(folder), id: plan.id, shard, window, attempts };
}

/**
 * Queues what may follow once a shard is done or has failed: the next one of its place in the window. Called before the queue
 * hears that the shard is done: whoever dies between leaves a shard that is taken again, and comes here again.
 */
export async function queueNext(
  queue: ShardQueue,
  plan: JobPlan,
  { folder, shard, window, attempts }: ShardJob,
): Promise<void> {
  if (shard === "merge" || (await isCancelled(folder))) return;
  let next = shard + window;
  while (next < plan.shards.length && (await readRecord(folder, plan, next))) next += window;
  if (next >= plan.shards.length) return;
  const { name, data, opts } = queued(queueId(folder, plan, next), shardJob(folder, plan, next, { window, attempts }));
  await queue.add(name, data, opts);
}

/** Queues the merge; once, however many find that it is time. */
export async function queueMerge(
  queue: ShardQueue,
  plan: JobPlan,
  { folder, window, attempts }: ShardJob,
): Promise<void> {
  const { name, data, opts } = queued(
    queueId(folder, plan, "merge"),
    shardJob(folder, plan, "merge", { window, attempts }),
  );
  await queue.add(name, data, opts);
}
