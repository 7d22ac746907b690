/** What every command that trains does: sources opened and closed, signals heard, a run in a folder, and what is said of it. */
import { OptionError } from "../../errors.js";
import { isLocked } from "../../node/lock.js";
import type { ModelTask } from "../../node/train/model-task.js";
import type { RunRequest, RunResult } from "../../node/train/run.js";
import type { SourceSpec } from "../../node/train/sources.js";
import { packageVersions } from "../../node/version.js";
import type { PairSource } from "../../train/types.js";
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

export interface Session extends Pick<RunRequest, "options" | "runtime" | "facts"> {
  task: ModelTask;
  sources: { train: SourceSpec; validation: SourceSpec | null };
}

/** Pairs that are drawn for TensorBoard after each epoch, unless said otherwise. */
const PICTURES = 2;

/** What asks a training to end: Ctrl-C, a polite kill, and what Slurm sends before it takes the machine away. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGUSR1"] as const;

export function checkSession({ resume, overwrite }: SessionFlags): void {
  if (resume && overwrite) throw new OptionError("give --resume or --overwrite, not both");
}

/** Trains in --out and says how it ended; the task is disposed of. */
export async function trainInFolder(session: Session, flags: SessionFlags, context: Context): Promise<number> {
  const { openPairWorkers } = await import("../../node/train/pair-workers.js");
  const { hasCheckpoint, runTraining } = await import("../../node/train/run.js");
  const { task, sources: specs, options, runtime, facts } = session;
  const note = (message: string) => context.err(`strata: ${message}\n`);
  const sources: PairSource[] = [];
  // Training and validation are two parts of one folder: what is wrong with it is said once.
  const told = new Set<string>();
  const open = async (spec: SourceSpec) => {
    const source = await openPairWorkers(spec, flags.workers === undefined ? {} : { workers: flags.workers });
    sources.push(source);
    for (const line of leftOut(source)) {
      if (!told.has(line)) note(line);
      told.add(line);
    }
    return source;
  };
  const interrupt = context.listenForInterrupt(SIGNALS);
  const started = performance.now();
  let isOpen = false;
  try {
    const train = await open(specs.train);
    const validation = specs.validation && (await open(specs.validation));
    isOpen = true;
    const result = await runTraining({
      out: flags.out,
      task,
      train,
      validation,
      options,
      existing: flags.resume ? "resume" : flags.overwrite ? "overwrite" : "refuse",
      runtime,
      versions: packageVersions(),
      facts: { ...facts, sources: specs },
      events: flags.tbLogs === false ? null : flags.tbLogs,
      // Encoders alone detect nothing: nobody asked for their pictures, so nobody needs to hear that there are none.
      pictures: flags.pictures ?? (task.recipe.kind === "encoder" ? 0 : PICTURES),
      progress: progressOf(flags, context),
      note,
      shouldStop: () => interrupt.requested,
    });
    const leftOut = [...new Set(sources.flatMap((source) => source.leftOut?.() ?? []))];
    return report({ ...result, leftOut }, flags, (performance.now() - started) / 1000, context);
  } catch (error) {
    const isOurs = isOpen && !(error instanceof OptionError) && !isLocked(error);
    if (isOurs && (await hasCheckpoint(flags.out))) {
      note(`stopped; the last checkpoint is kept in ${flags.out}, the same command with --resume goes on from it`);
    }
    throw error;
  } finally {
    interrupt.release();
    for (const source of sources) await source.dispose();
    await task.dispose();
  }
}

function progressOf({ quiet = false }: SessionFlags, { terminal, err: write }: Context): RunRequest["progress"] {
  return async (total, label) => {
    const progress = await openProgress({ total, unit: ["update", "updates"], label, terminal, quiet, write });
    return quiet ? { ...progress, log: () => {} } : progress;
  };
}

/** Lines that are listed; more are counted. */
const LISTED = 5;

function leftOut(source: PairSource): string[] {
  const all = source.leftOut?.() ?? [];
  const rest = all.length - LISTED;
  return [...all.slice(0, LISTED).map((line) => `left out: ${line}`), ...(rest > 0 ? [`left out: ${rest} more`] : [])];
}

type Reported = RunResult & { leftOut: string[] };

function report(result: Reported, { out, json, quiet }: SessionFlags, seconds: number, context: Context): number {
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
