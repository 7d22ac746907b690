/** What every command that trains does: signals heard, a run in a folder, and what is said of it. */
import { OptionError } from "../../errors.js";
import type { FolderTrained, FolderTraining } from "../../node/train/train-in-folder.js";
import { type Context, EXIT } from "../context.js";
import { describeSeconds, openProgress } from "../progress.js";

/** Flags that all of them have. */
export interface SessionFlags {
  out: string;
  resume?: boolean;
  overwrite?: boolean;
  workers?: number;
  /** False for --no-tb-logs. */
  tbLogs?: string | false;
  pictures?: number;
  json?: boolean;
  quiet?: boolean;
}

/** A model opened by a runtime. */
export type Session = Pick<FolderTraining, "task" | "sources" | "options" | "runtime" | "facts">;

/** What asks a training to end: Ctrl-C, a polite kill, and what Slurm sends before it takes the machine away. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGUSR1"] as const;

export function checkSession({ resume, overwrite }: SessionFlags): void {
  if (resume && overwrite) throw new OptionError("give --resume or --overwrite, not both");
}

/** Trains in --out and says how it ended. */
export async function trainCommandIn(session: Session, flags: SessionFlags, context: Context): Promise<number> {
  const { trainInFolder } = await import("../../node/train/train-in-folder.js");
  const { out, resume, overwrite, workers, tbLogs, pictures } = flags;
  const interrupt = context.listenForInterrupt(SIGNALS);
  const started = performance.now();
  try {
    const result = await trainInFolder({
      ...session,
      ...{ out, workers, pictures, signal: interrupt.signal },
      existing: resume ? "resume" : overwrite ? "overwrite" : "refuse",
      events: tbLogs === false ? null : tbLogs,
      progress: progressOf(flags, context),
      note: (message) => context.err(`strata: ${message}\n`),
    });
    return report(result, flags, (performance.now() - started) / 1000, context);
  } finally {
    interrupt.release();
  }
}

function progressOf({ quiet = false }: SessionFlags, { terminal, err: write }: Context): FolderTraining["progress"] {
  return async (total, label) => {
    const progress = await openProgress({ total, unit: ["update", "updates"], label, terminal, quiet, write });
    return quiet ? { ...progress, log: () => {} } : progress;
  };
}

function report(result: FolderTrained, { out, json, quiet }: SessionFlags, seconds: number, context: Context): number {
  const { ended, step, epoch, best, model, resumedFrom } = result;
  const stopped = ended === "stopped";
  if (json) context.out(`${JSON.stringify({ out, ...result, seconds })}\n`);
  if (stopped) {
    context.err(`strata: stopped after update ${step}, which is kept; the same command with --resume goes on\n`);
    return EXIT.interrupted;
  }
  if (json || quiet) return EXIT.ok;
  const parts = [`${step} updates${resumedFrom ? ` (${resumedFrom} of them before)` : ""}, ${epoch} epochs`];
  if (ended === "patience") parts.push("ended by --patience");
  if (best) parts.push(`least validation loss ${Number(best.loss.toPrecision(5))} after update ${best.step}`);
  parts.push(describeSeconds(seconds));
  context.out(`${parts.join("; ")}\nthe model is in ${model}\n`);
  return EXIT.ok;
}
