/**
 * A child process that does shards as they come and ends when its parent does. Its own process, so that the worker answers
 * the queue while images are computed, and so that an image that kills it kills nothing else.
 */
import { join } from "node:path";
import { readFileChecked } from "../atomic.js";
import { failureOf } from "../failure.js";
import { ForeignJobError } from "./foreign.js";
import { kindOf, type ShardKind } from "./kinds.js";
import { type JobKind, readPlan, readSlice, shardEnding } from "./plan.js";
import { commitShard } from "./records.js";
import type { FromChild, ToChild } from "./shard-runner.js";

const kinds = new Map<JobKind, Promise<ShardKind>>();
const send = (message: FromChild) => process.send?.(message, undefined, undefined, () => {});

async function work({ folder, shard, scratch, setAside, probe, root, threads }: ToChild): Promise<void> {
  const plan = await readPlan(folder);
  const slice = await readSlice(folder, plan, shard);
  const kind = await (kinds.get(plan.kind) ?? kinds.set(plan.kind, kindOf(plan.kind)).get(plan.kind));
  if (!kind) return;
  const common = { folder, plan, slice, root: root ?? plan.root, setAside, threads };
  for (const name of probe) {
    send({ type: "probe", name });
    await kind.probe(common, name);
  }
  send({ type: "at", inHand: [], done: 0 });
  const output = join(scratch, `output${shardEnding(plan)}`);
  const onProgress = (inHand: readonly string[], done: number) => send({ type: "at", inHand, done });
  const { isEmpty, ...result } = await kind.run({ ...common, output, onProgress });
  const bytes = isEmpty ? null : await readFileChecked(output);
  send({ type: "done", record: await commitShard(folder, plan, shard, { ...result, bytes }) });
}

process.on("message", (message: ToChild) => {
  work(message).catch((error: unknown) => {
    send({ type: "failed", failure: failureOf(error), isForeign: error instanceof ForeignJobError });
  });
});
// Whoever asked is gone, and so is the place where this would be told.
process.on("disconnect", () => process.exit(0));
// Ctrl-C reaches the whole group of processes; the parent decides what becomes of the work.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
