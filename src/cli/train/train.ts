/** `strata train encoder` and `strata train attention`: weights, data and options joined to a run in a folder. */
import { OptionError } from "../../errors.js";
import type { RunRequest, RunResult } from "../../node/train/run.js";
import { parseAttentionRecipe, parseEncoderRecipe } from "../../train/recipes.js";
import type { PairSource } from "../../train/types.js";
import { type Context, EXIT } from "../context.js";
import { describeSeconds, openProgress } from "../progress.js";
import { packageVersions } from "../version.js";
import { cropOf, sourcesOf, type TrainFlags, trainOptionsOf } from "./options.js";

/** What asks a training to end: Ctrl-C, a polite kill, and what Slurm sends before it takes the machine away. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGUSR1"] as const;

export async function trainCommand(
  kind: "encoder" | "attention",
  flags: TrainFlags,
  context: Context,
): Promise<number> {
  const recipe = kind === "encoder" ? parseEncoderRecipe(flags.recipe) : parseAttentionRecipe(flags.recipe);
  const options = trainOptionsOf(flags, recipe);
  const specs = sourcesOf(flags);
  if (flags.resume && flags.overwrite) throw new OptionError("give --resume or --overwrite, not both");
  const { nodeRuntime } = await import("../../node/runtime.js");
  const { joinWeights, readWeights } = await import("../../node/train/weights.js");
  const { referenceTask } = await import("../../node/train/reference-task.js");
  const { openPairWorkers } = await import("../../node/train/pair-workers.js");
  const { FrozenCache } = await import("../../node/train/frozen-cache.js");
  const { hasCheckpoint, runTraining } = await import("../../node/train/run.js");

  const note = (message: string) => context.err(`strata: ${message}\n`);
  if (flags.backbone === undefined && flags.encoder === undefined) {
    throw new OptionError("say what to train on top of: --backbone FILE, or --encoder with a backbone in it");
  }
  const read = async (path: string | undefined) => (path === undefined ? null : readWeights(path));
  const weights = joinWeights(await read(flags.backbone), await read(flags.encoder));
  const preprocessing = flags.preprocessing ?? weights.preprocessing ?? "none";
  if (flags.encoder !== undefined && weights.preprocessing !== null && weights.preprocessing !== preprocessing) {
    throw new OptionError(
      `the encoder was trained with --preprocessing ${weights.preprocessing}, not ${preprocessing}; leave the flag away`,
    );
  }
  const { backend, threads, cacheFrozen, cacheLimit } = flags;
  const runtime = { runtime: nodeRuntime, backend, threads };
  const cacheOptions = { note, ...(cacheLimit === undefined ? {} : { limit: cacheLimit * 1e9 }) };
  const task = referenceTask({
    recipe,
    weights: weights.tensors,
    where: weights.path,
    preprocessing,
    cropSize: cropOf(flags),
    cache: cacheFrozen === undefined ? null : await FrozenCache.open(cacheFrozen, cacheOptions),
    runtime,
  });
  const sources: PairSource[] = [];
  const open = async (spec: Parameters<typeof openPairWorkers>[0]) => {
    const source = await openPairWorkers(spec, flags.workers === undefined ? {} : { workers: flags.workers });
    sources.push(source);
    for (const line of leftOut(source)) note(line);
    return source;
  };
  const interrupt = context.listenForInterrupt(SIGNALS);
  const started = performance.now();
  try {
    const result = await runTraining({
      out: flags.out,
      task,
      train: await open(specs.train),
      validation: specs.validation && (await open(specs.validation)),
      options,
      existing: flags.resume ? "resume" : flags.overwrite ? "overwrite" : "refuse",
      runtime,
      versions: packageVersions(),
      facts: { weights: weights.path, sources: specs },
      events: flags.tbLogs === false ? null : flags.tbLogs,
      progress: progressOf(flags, context),
      note,
      shouldStop: () => interrupt.requested,
    });
    return report(result, flags, (performance.now() - started) / 1000, context);
  } catch (error) {
    if (!(error instanceof OptionError) && (await hasCheckpoint(flags.out))) {
      note(`stopped; the last checkpoint is kept in ${flags.out}, the same command with --resume goes on from it`);
    }
    throw error;
  } finally {
    interrupt.release();
    for (const source of sources) await source.dispose();
    await task.dispose();
  }
}

function progressOf({ quiet = false }: TrainFlags, { terminal, err: write }: Context): RunRequest["progress"] {
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

function report(result: RunResult, { out, json, quiet }: TrainFlags, seconds: number, context: Context): number {
  const { ended, step, epoch, best, model, resumedFrom } = result;
  const stopped = ended === "stopped";
  if (json)
    context.out(`${JSON.stringify({ out, ...result, seconds })}
`);
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
