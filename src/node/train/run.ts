/**
 * A training in a folder: run.json says what it is, checkpoints/ where it is, model/ holds the best network at the end.
 * A run that was killed goes on from its last checkpoint, and only as the run that it was.
 */

import { createHash } from "node:crypto";
import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkFunction, checkObject } from "../../check.js";
import { FormatError, OptionError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { toFloat32 } from "../../formats/ndarray.js";
import { writeSafetensors } from "../../formats/safetensors.js";
import type { CompileOptions } from "../../graph/compile.js";
import type { SessionInfo } from "../../graph/session.js";
import { checkChoice, checkNumber } from "../../options.js";
import { type TrainOptions, trainOptions } from "../../train/options.js";
import { type Layout, layoutOf, type Parameter } from "../../train/parameters.js";
import { checkTask } from "../../train/task.js";
import { plannedSteps, type Snapshot, type TrainHooks, type TrainOutcome, train } from "../../train/trainer.js";
import type { PairSource } from "../../train/types.js";
import { checkSource } from "../../train/types.js";
import { checkPath, readFileChecked, writeFileAtomic } from "../atomic.js";
import { checkWritable, makeFolder } from "../folders.js";
import { lockPath, withLock } from "../lock.js";
import { MODEL_FILES, withModelFolder } from "../model-folder.js";
import { EXISTING } from "../parts.js";
import {
  bestCheckpoint,
  checkIdentity,
  latestCheckpoint,
  openCheckpoints,
  type RunIdentity,
  readCheckpoint,
  resumeFrom,
} from "./checkpoint.js";
import { LOG_FILE } from "./log.js";
import type { ModelTask } from "./model-task.js";
import { trainingPictures } from "./pictures.js";
import { type WatchOptions, watchTraining } from "./watch.js";

/** A training in a folder. */
export interface RunRequest {
  /** The folder; it is made where it is not there. */
  out: string;
  task: ModelTask;
  train: PairSource;
  validation: PairSource | null;
  options: Partial<TrainOptions>;
  /** Default "refuse". */
  existing?: (typeof EXISTING)[number];
  runtime?: Pick<CompileOptions, "runtime" | "backend" | "threads">;
  /** Of strata, Node and the runtime, for the records. */
  versions: Record<string, string>;
  /** Further facts for run.json: the command line, paths. */
  facts?: Record<string, unknown>;
  /** Folder of TensorBoard's files; null: none. Default: tb_logs in `out`. */
  events?: string | null;
  /** Opens a bar over so many updates. */
  progress?: WatchOptions["progress"];
  /** Pairs of the validation (or training) that are drawn for TensorBoard after each epoch. Default 0: none. */
  pictures?: number;
  /** Further hooks, called after those that log. */
  hooks?: Pick<TrainHooks, "onStep" | "onValidation">;
  /** Told about damaged checkpoints that are passed over. */
  note?(message: string): void;
  /** Whether to end now, in order. */
  shouldStop?(): boolean;
}

/** How a training in a folder ended. */
export interface RunResult {
  ended: TrainOutcome["ended"];
  step: number;
  epoch: number;
  best: Snapshot["best"];
  /** Updates that were done before; null for a run from the beginning. */
  resumedFrom: number | null;
  /** Where the updates ran; null where there was none to do. */
  session: SessionInfo | null;
  /** The model's folder; null where the run was stopped. */
  model: string | null;
}

const RUN = "run.json";
const CHECKPOINTS = "checkpoints";
/** Everything that belongs to a run. */
const OWN = [RUN, CHECKPOINTS, LOG_FILE, "model"];

/**
 * Trains in `out`. OptionErrors for a folder with another run, and for resuming what is not the same run; an IoError where
 * another process trains in the folder.
 */
export async function runTraining(request: RunRequest): Promise<RunResult> {
  const { out } = checkRequest(request);
  await checkWritable([join(out, RUN)]);
  return withLock(lockPath(out), `the folder ${out}`, () => trainLocked(request));
}

/** What the trainer itself does not look at. */
function checkRequest(request: RunRequest): RunRequest {
  const where = "runTraining";
  checkObject(where, "the request", request);
  const { out, task, train, validation, versions, existing = "refuse", pictures = 0 } = request;
  checkPath(`${where}: out`, out);
  checkTask(where, task);
  checkFunction(where, "task.checkpoint", task.checkpoint);
  checkSource(where, "train", train);
  if (validation !== null) checkSource(where, "validation", validation);
  checkObject(where, "versions", versions);
  checkChoice(where, "existing", existing, EXISTING);
  checkNumber(where, "pictures", pictures, { min: 0, integer: true });
  return request;
}

async function trainLocked(request: RunRequest): Promise<RunResult> {
  const { out, task, validation, versions, existing = "refuse" } = request;
  const options = trainOptions(request.options);
  const identity: RunIdentity = {
    task: task.name,
    recipe: task.recipe,
    options: { ...options },
    data: { train: request.train.digest, validation: validation?.digest ?? null },
  };
  const layout = layoutOf(task.parameters(options.seed));
  const stateLayout = layoutOf(task.state());
  const { continues, resume } = await begin(out, existing, identity, layout, stateLayout, request.note ?? (() => {}));
  await writeRun(request, identity, layout.length);
  const directory = join(out, CHECKPOINTS);
  const store = await openCheckpoints(directory, { identity, layout, stateLayout, versions });
  const { pictures = 0, runtime, note = () => {} } = request;
  const shown = { task, layout, stateLayout, pairs: pictures, runtime, note };
  const watch = await watchTraining({
    directory: out,
    name: task.name,
    ...identity,
    versions,
    total: plannedSteps(options, request.train.length),
    resumeAt: continues ? (resume?.step ?? 0) : null,
    events: request.events,
    progress: request.progress,
    images: pictures > 0 ? trainingPictures({ ...shown, source: validation ?? request.train }) : undefined,
    shouldStop: request.shouldStop,
    save: (snapshot, best) => store.save(snapshot, best),
  });
  const { hooks } = request;
  let isTried = continues;
  let session: SessionInfo | null = null;
  const outcome = await train({
    task,
    train: request.train,
    validation,
    options,
    resume: resume ?? undefined,
    runtime: request.runtime,
    hooks: {
      ...watch,
      onSession(info) {
        session = info;
        if (info.fallback) note(info.fallback);
      },
      async onStep(record) {
        isTried = true;
        await watch.onStep(record);
        await hooks?.onStep?.(record);
      },
      async onValidation(record) {
        await watch.onValidation(record);
        await hooks?.onValidation?.(record);
      },
    },
  }).catch(async (error) => {
    await watch.close({ error });
    // A run that never began should not stand in the way of the next try.
    if (!isTried) await clearAll(out, watch.events);
    throw error;
  });
  await watch.close(outcome.ended);
  const { snapshot, ended } = outcome;
  const result = { ended, step: snapshot.step, epoch: snapshot.cursor.epoch, best: snapshot.best, session };
  const model = ended === "stopped" ? null : await writeModel(request, identity, layout, stateLayout);
  return { ...result, resumedFrom: resume ? resume.step : null, model };
}

/** Whether a run that is there goes on, and from where; null: from its beginning. */
async function begin(
  out: string,
  existing: (typeof EXISTING)[number],
  identity: RunIdentity,
  layout: Layout,
  stateLayout: Layout,
  note: (message: string) => void,
): Promise<{ continues: boolean; resume: Snapshot | null }> {
  const directory = join(out, CHECKPOINTS);
  const holdsRun = (await isThere(join(out, RUN))) || (await readdir(directory).catch(() => [])).length > 0;
  if (holdsRun && existing === "refuse") {
    throw new OptionError(
      `${out} holds a training already; --resume goes on with it, --overwrite throws it away, or choose another folder`,
    );
  }
  if (existing === "overwrite") await clear(out);
  if (!holdsRun || existing !== "resume") return { continues: false, resume: null };
  const found = await latestCheckpoint(directory);
  for (const damaged of found?.damaged ?? []) note(`passed over a damaged checkpoint, ${damaged}`);
  if (found) return { continues: true, resume: resumeFrom(found.checkpoint, identity, layout, stateLayout) };
  // Killed before its first checkpoint: it begins again, but only as what it was.
  const file = join(out, RUN);
  if (await isThere(file)) checkIdentity(readIdentity(file, parseJson(file, await readFileChecked(file))), identity);
  return { continues: true, resume: null };
}

function readIdentity(file: string, json: unknown): RunIdentity {
  const { task, recipe, options, data } = json as Partial<RunIdentity>;
  if (!task || !recipe || !options || !data) throw new FormatError(`${file}: fields are missing or wrong`);
  return { task, recipe, options, data };
}

async function writeRun(
  { out, versions, facts, train: source }: RunRequest,
  identity: RunIdentity,
  parameters: number,
) {
  const run = { format: 1, ...identity, parameters, pairs: source.length, versions, ...facts };
  await writeFileAtomic(join(out, RUN), `${JSON.stringify(run, null, 2)}\n`);
}

/** The model of the best checkpoint, as a folder that `strata extract --model` opens. */
async function writeModel(
  { out, task, versions }: RunRequest,
  identity: RunIdentity,
  layout: Layout,
  stateLayout: Layout,
): Promise<string> {
  const path = await bestCheckpoint(join(out, CHECKPOINTS));
  if (path === null) throw new FormatError(`${join(out, CHECKPOINTS)}: there is no checkpoint to make a model of`);
  const { tensors, step, best } = await readCheckpoint(path);
  const take = (prefix: string, { entries }: Layout): Parameter[] =>
    entries.map(({ name, shape }) => {
      const tensor = tensors.get(prefix + name);
      if (!tensor) throw new FormatError(`${path}: the tensor "${prefix}${name}" is missing`);
      return { name, shape, data: toFloat32(tensor) };
    });
  const weights = writeSafetensors(task.checkpoint(take("", layout), take("state.", stateLayout), step));
  const folder = join(out, "model");
  const config = {
    ...task.config,
    sha256: createHash("sha256").update(weights).digest("hex"),
    recipe: task.recipe,
    training: { step, validationLoss: best?.loss ?? null, options: identity.options, data: identity.data, versions },
  };
  return withModelFolder(folder, async () => {
    await makeFolder(folder);
    await writeFileAtomic(join(folder, MODEL_FILES.weights), weights);
    await writeFileAtomic(join(folder, MODEL_FILES.config), `${JSON.stringify(config, null, 2)}\n`);
    return folder;
  });
}

/** Whether a run in `out` has anything to go on from. */
export async function hasCheckpoint(out: string): Promise<boolean> {
  return (await readdir(join(out, CHECKPOINTS)).catch(() => [])).some((name) => name.startsWith("step-"));
}

async function clear(out: string): Promise<void> {
  for (const name of OWN) await rm(join(out, name), { recursive: true, force: true });
}

/** A run that never began, with the folder of its events and those around it that hold nothing else. */
async function clearAll(out: string, events: string | null): Promise<void> {
  await clear(out);
  if (events === null) return;
  await rm(events, { recursive: true, force: true });
  // ROOT/NAME/version_K: a folder with anything in it stays.
  for (const folder of [dirname(events), dirname(dirname(events))]) await rmdir(folder).catch(() => {});
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
