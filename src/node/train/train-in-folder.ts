/** A training from its sources' descriptions to a run in a folder: everything is opened, and closed however it ends. */

import { checkObject } from "../../check.js";
import { OptionError } from "../../errors.js";
import { checkTask } from "../../train/task.js";
import type { PairSource } from "../../train/types.js";
import { checkPath } from "../atomic.js";
import { isLocked } from "../lock.js";
import { packageVersions } from "../version.js";
import { openPairWorkers } from "./pair-workers.js";
import { hasCheckpoint, type RunRequest, type RunResult, runTraining } from "./run.js";
import type { SourcePair, SourceSpec } from "./sources.js";

/** What a training in a folder needs. */
export interface FolderTraining
  extends Omit<RunRequest, "train" | "validation" | "versions" | "facts" | "shouldStop" | "pictures"> {
  /** Disposed of in the end. */
  task: RunRequest["task"];
  sources: SourcePair;
  /** Threads that read and warp; 0: none. Default: one per core but one, 1 to 4. */
  workers?: number;
  /** Pairs that are drawn for TensorBoard after each epoch; default 2, for encoders alone 0: they detect nothing. */
  pictures?: number;
  /** Further facts for run.json. */
  facts?: Record<string, unknown>;
  /** Aborting ends the training after its update, with a checkpoint: the result's `ended` is then "stopped". */
  signal?: AbortSignal;
}

/** A finished training and its folder. */
export interface FolderTrained extends RunResult {
  /** What of the data was not used, and why. */
  leftOut: string[];
}

/** Pairs that are drawn for TensorBoard after each epoch, unless said otherwise. */
const PICTURES = 2;

/** Trains in the folder `out`; errors are those of `openSource` and `runTraining`. */
export async function trainInFolder(training: FolderTraining): Promise<FolderTrained> {
  const where = "trainInFolder";
  checkObject(where, "the training", training);
  const { sources: specs, workers, facts, signal, ...request } = training;
  const { out, task, note = () => {} } = request;
  checkPath(`${where}: out`, out);
  checkTask(where, task);
  checkObject(where, "sources.train", checkObject(where, "sources", specs).train);
  const sources: PairSource[] = [];
  // Training and validation are two parts of one folder: what is wrong with it is said once.
  const told = new Set<string>();
  const open = async (spec: SourceSpec) => {
    const source = await openPairWorkers(spec, workers === undefined ? {} : { workers });
    sources.push(source);
    for (const line of leftOut(source)) {
      if (!told.has(line)) note(line);
      told.add(line);
    }
    return source;
  };
  let isOpen = false;
  try {
    const train = await open(specs.train);
    const validation = specs.validation && (await open(specs.validation));
    isOpen = true;
    const result = await runTraining({
      ...request,
      train,
      validation,
      versions: packageVersions(),
      facts: { ...facts, sources: specs },
      // Nobody asked for an encoder's pictures, so nobody needs to hear that there are none.
      pictures: request.pictures ?? (task.recipe.kind === "encoder" ? 0 : PICTURES),
      shouldStop: () => signal?.aborted ?? false,
    });
    return { ...result, leftOut: [...new Set(sources.flatMap((source) => source.leftOut?.() ?? []))] };
  } catch (error) {
    const isOurs = isOpen && !(error instanceof OptionError) && !isLocked(error);
    if (isOurs && (await hasCheckpoint(out))) {
      note(`stopped; the last checkpoint is kept in ${out}, the same command with --resume goes on from it`);
    }
    throw error;
  } finally {
    for (const source of sources) await source.dispose();
    await task.dispose();
  }
}

/** Lines that are listed; more are counted. */
const LISTED = 5;

function leftOut(source: PairSource): string[] {
  const all = source.leftOut?.() ?? [];
  const rest = all.length - LISTED;
  return [...all.slice(0, LISTED).map((line) => `left out: ${line}`), ...(rest > 0 ? [`left out: ${rest} more`] : [])];
}
