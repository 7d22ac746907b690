/** `strata worker`, `strata jobs run` and `strata jobs merge`: the work itself. */
import { mergeJob } from "../../node/jobs/merge.js";
import { runShards, runWorker, type ShardEvent, type WorkerReport } from "../../node/jobs/worker.js";
import { plural } from "../../plural.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { describeSeconds } from "../progress.js";
import { errorText } from "../report-error.js";
import { type MergeFlags, namedQueue, type RunFlags, type WorkerFlags } from "./flags.js";

export async function workerCommand(flags: WorkerFlags, context: Context): Promise<number> {
  const queue = namedQueue(flags.queue);
  return untilStopped(context, async (signal) => {
    if (!flags.quiet) context.err("strata: the worker is ready\n");
    const { untilEmpty, lock: lockSeconds } = flags;
    const report = await runWorker(queue, { ...machine(flags, context), untilEmpty, lockSeconds, signal });
    tell(report, flags, context);
    return signal.aborted ? EXIT.interrupted : report.failed > 0 ? EXIT.failed : EXIT.ok;
  });
}

export async function runCommand(folder: string, flags: RunFlags, context: Context): Promise<number> {
  return untilStopped(context, async (signal) => {
    const report = await runShards(folder, { ...machine(flags, context), ...flags.shard, signal });
    tell(report, flags, context);
    return report.failed > 0 ? EXIT.failed : EXIT.ok;
  });
}

export async function mergeCommand(folder: string, { json }: MergeFlags, { out, err }: Context): Promise<number> {
  const report = await mergeJob(folder);
  const { result, files, setAside } = report;
  if (json) out(`${JSON.stringify(report)}\n`);
  else if (result !== null) out(`written: ${result}\n`);
  else if (files.length === 0) err("strata: no image could be read; there is no result\n");
  else out(`too large for one HDF5 file; the ${files.length} files of ${folder}/shards are the result\n`);
  for (const { name, message } of setAside)
    err(`strata: set aside: ${message.includes(name) ? message : `${name}: ${message}`}\n`);
  return setAside.length > 0 ? EXIT.failed : EXIT.ok;
}

async function untilStopped(context: Context, work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const interrupt = context.listenForInterrupt();
  try {
    return await work(interrupt.signal);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    context.err("strata: interrupted; shards that are done stay, and the same command goes on\n");
    return EXIT.interrupted;
  } finally {
    interrupt.release();
  }
}

function machine({ threads, images, quiet, debug }: RunFlags | WorkerFlags, { err }: Context) {
  return {
    threads,
    root: images,
    onNote: (text: string) => err(`strata: note: ${text}\n`),
    onShard({ folder, shard, done, seconds, error }: ShardEvent) {
      if (error) err(errorText(error, debug ?? false));
      else if (!quiet) {
        const what = shard === "merge" ? "merge" : `shard ${shard}`;
        err(`strata: ${folder}: ${what}: ${done} done in ${describeSeconds(seconds)}\n`);
      }
    },
  };
}

function tell(report: WorkerReport, { json, quiet }: RunFlags, { out }: Context): void {
  if (json) out(`${JSON.stringify(report)}\n`);
  else if (!quiet)
    out(`${plural(report.shards, "shard")} done${report.failed > 0 ? `, ${report.failed} failed` : ""}\n`);
}
