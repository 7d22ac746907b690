/** `strata jobs status` and `strata jobs cancel`. */
import { setTimeout as wait } from "node:timers/promises";
import { writeFileAtomic } from "../../node/atomic.js";
import { type JobStatus, jobStatus } from "../../node/jobs/status.js";
import { statusPage } from "../../node/jobs/status-page.js";
import { cancelJob } from "../../node/jobs/submit.js";
import { type Context, EXIT } from "../context.js";
import { describeRate, describeSeconds } from "../progress.js";
import { type CancelFlags, namedQueue, type StatusFlags } from "./flags.js";

const UNITS = { extract: ["image", "images"], index: ["image", "images"], match: ["pair", "pairs"] } as const;
/** Lines of each list. */
const LISTED = 10;

export async function statusCommand(folder: string, flags: StatusFlags, context: Context): Promise<number> {
  const interrupt = context.listenForInterrupt();
  try {
    for (;;) {
      const status = await jobStatus(folder, flags.queue);
      if (flags.html !== undefined) await writeFileAtomic(flags.html, statusPage(status, flags.watch));
      context.out(flags.json ? `${JSON.stringify(status)}\n` : describe(status));
      const isOver = ["done", "cancelled", "stuck"].includes(status.state);
      if (flags.watch === undefined || isOver) return status.state === "stuck" ? EXIT.failed : EXIT.ok;
      await wait(1000 * flags.watch, undefined, { signal: interrupt.signal }).catch(() => {});
      if (interrupt.requested) return EXIT.interrupted;
    }
  } finally {
    interrupt.release();
  }
}

export async function cancelCommand(folder: string, flags: CancelFlags, { out }: Context): Promise<number> {
  const { removed, active } = await cancelJob(folder, namedQueue(flags.queue));
  if (flags.json) out(`${JSON.stringify({ removed, active })}\n`);
  else out(`${removed} taken out of the queue${active > 0 ? `; ${active} at work are finished` : ""}\n`);
  return EXIT.ok;
}

function describe(status: JobStatus): string {
  const { state, kind, done, count, shards, rate, secondsLeft, queue, setAside, result } = status;
  const unit = UNITS[kind];
  const speed = rate === null ? "" : `, ${describeRate(rate, unit)}`;
  const left = secondsLeft === null || state === "done" ? "" : `, ${describeSeconds(secondsLeft)} left`;
  let text = `${state === "unknown" ? "" : `${state}: `}${done} of ${count} ${unit[1]}, ${shards.done} of ${shards.all} shards${speed}${left}\n`;
  if (queue) {
    const { waiting, active, delayed, failed } = queue;
    text += `queue: ${waiting} waiting, ${active.length} at work, ${delayed} delayed, ${failed.length} failed\n`;
    text += list(failed, ({ shard, reason, attempts }) => `shard ${shard} failed ${attempts} times: ${reason}`);
    if (state === "stuck") text += "nothing of it is queued any more: submit it again to try what is left\n";
  }
  if (setAside.length > 0) text += `${setAside.length} set aside\n`;
  text += list(setAside, ({ name, message }) => (message.includes(name) ? message : `${name}: ${message}`));
  if (result !== null) text += `result: ${result}\n`;
  return text;
}

function list<T>(all: readonly T[], line: (one: T) => string): string {
  const more = all.length > LISTED ? [`and ${all.length - LISTED} more`] : [];
  return [...all.slice(0, LISTED).map(line), ...more].map((text) => `  ${text}\n`).join("");
}
