/**
 * Checkpoints of a training run: folders step-00000200 with model.safetensors (parameters, moments, the task's state)
 * and training.json (where the run is, options, recipe, data, versions). A folder is written under another name and
 * renamed, so one that is there is whole; older ones go only when a newer one is there.
 */

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkList, checkMap, checkObject, checkText } from "../../check.js";
import { FormatError, OptionError, StrataError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { type NdArray, ndarray } from "../../formats/ndarray.js";
import { canonicalJson } from "../../formats/record.js";
import { readSafetensors, writeSafetensors } from "../../formats/safetensors.js";
import { checkNumber } from "../../options.js";
import { type Layout, unflatten } from "../../train/parameters.js";
import type { TrainState } from "../../train/step.js";
import type { Snapshot } from "../../train/trainer.js";
import { checkPath, ioError, readFileChecked, writeFileAtomic } from "../atomic.js";
import { temporaryFor } from "../temporary.js";

/** What a run is made of; it must be the same when it is resumed. */
export interface RunIdentity {
  task: string;
  recipe: Record<string, unknown>;
  options: Record<string, unknown>;
  /** Digests of training and validation data. */
  data: { train: string; validation: string | null };
}

interface TrainingJson extends RunIdentity {
  format: 1;
  step: number;
  cursor: Snapshot["cursor"];
  best: Snapshot["best"];
  stale: number;
  /** Seed and the data's cursor are all the random state there is. */
  random: { seed: unknown; cursor: Snapshot["cursor"] };
  versions: Record<string, string>;
  sha256: string;
}

const PREFIX = "step-";
const folderOf = (step: number): string => `${PREFIX}${String(step).padStart(8, "0")}`;
const BEST = "best.json";

export interface CheckpointStore {
  save(snapshot: Snapshot, best: boolean): Promise<string>;
}

export interface StoreOptions {
  identity: RunIdentity;
  layout: Layout;
  stateLayout: Layout;
  versions: Record<string, string>;
  /** Checkpoints that are kept beside the best one. Default 2. */
  keep?: number;
}

/** Where checkpoints of a run go; `directory` is made. */
export async function openCheckpoints(directory: string, options: StoreOptions): Promise<CheckpointStore> {
  const where = "openCheckpoints";
  checkPath(where, directory);
  checkObject(where, "options", options);
  const { identity, layout, stateLayout, versions, keep = 2 } = options;
  for (const [name, value] of Object.entries({ identity, layout, stateLayout, versions }))
    checkObject(where, name, value);
  checkNumber(where, "keep", keep, { min: 1, integer: true });
  await mkdir(directory, { recursive: true }).catch((cause) => {
    throw ioError("make", directory, cause);
  });
  return {
    async save(snapshot, best) {
      const name = folderOf(snapshot.step);
      const weights = writeSafetensors(tensorsOf(snapshot.state, layout, stateLayout));
      const { step, cursor, stale } = snapshot;
      const training: TrainingJson = {
        format: 1,
        ...identity,
        step,
        cursor,
        best: snapshot.best,
        stale,
        random: { seed: identity.options.seed, cursor },
        versions,
        sha256: sha256(weights),
      };
      await writeFolder(directory, name, {
        "model.safetensors": weights,
        "training.json": `${JSON.stringify(training, null, 2)}\n`,
      });
      if (best)
        await writeFileAtomic(join(directory, BEST), `${JSON.stringify({ step, loss: snapshot.best?.loss })}\n`);
      await prune(directory, keep, snapshot.best?.step);
      return join(directory, name);
    },
  };
}

/** The newest checkpoint of a run, or null where there is none. Damaged ones are passed over, and said in `damaged`. */
export async function latestCheckpoint(
  directory: string,
): Promise<{ path: string; damaged: string[]; checkpoint: Checkpoint } | null> {
  checkPath("latestCheckpoint", directory);
  const damaged: string[] = [];
  for (const name of (await checkpointNames(directory)).reverse()) {
    const path = join(directory, name);
    try {
      return { path, damaged, checkpoint: await readCheckpoint(path) };
    } catch (error) {
      if (!(error instanceof StrataError)) throw error;
      damaged.push(`${path}: ${error.message}`);
    }
  }
  return null;
}

/** The checkpoint with the least validation loss, or the newest where nothing was validated. */
export async function bestCheckpoint(directory: string): Promise<string | null> {
  checkPath("bestCheckpoint", directory);
  const names = await checkpointNames(directory);
  const best = await readFile(join(directory, BEST)).catch(() => null);
  const { step } = (best ? parseJson(join(directory, BEST), best) : {}) as { step?: number };
  const name = step === undefined ? undefined : folderOf(step);
  const found = name !== undefined && names.includes(name) ? name : names.at(-1);
  return found === undefined ? null : join(directory, found);
}

export interface Checkpoint {
  identity: RunIdentity;
  versions: Record<string, string>;
  step: number;
  cursor: Snapshot["cursor"];
  best: Snapshot["best"];
  stale: number;
  /** Tensors by name: parameters, "adam.first.NAME", "adam.second.NAME", "state.NAME". */
  tensors: ReadonlyMap<string, NdArray>;
}

/** Reads one checkpoint folder; FormatError for anything damaged. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  checkPath("readCheckpoint", path);
  const file = join(path, "training.json");
  const training = parseJson(file, await readFileChecked(file)) as Partial<TrainingJson>;
  const bytes = await readFileChecked(join(path, "model.safetensors"));
  if (training.format !== 1) throw new FormatError(`${file}: format ${training.format}; this version reads 1`);
  if (training.sha256 !== sha256(bytes)) {
    throw new FormatError(`${path}: model.safetensors is not the file that training.json was written with`);
  }
  const { step, cursor, data, task, recipe, options } = training;
  const whole = [step, cursor?.epoch, cursor?.index].every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
  if (!whole || !data || !task || !recipe || !options) throw new FormatError(`${file}: fields are missing or wrong`);
  return {
    identity: { task, recipe, options, data },
    versions: training.versions ?? {},
    step: step as number,
    cursor: cursor as Snapshot["cursor"],
    best: training.best ?? null,
    stale: training.stale ?? 0,
    tensors: readSafetensors(bytes).tensors,
  };
}

/** Options that may change when a run is resumed: they say when to end and what to keep, not what a step does. */
const MAY_CHANGE = ["epochs", "steps", "patience", "checkpointEvery"];

/** Throws an OptionError that names the first thing in which a run differs from the one that is to be resumed. */
export function checkIdentity(was: RunIdentity, { options, ...fixed }: RunIdentity): void {
  const compare = (what: string, old: unknown, now: unknown): void => {
    if (canonicalJson(old) !== canonicalJson(now)) {
      throw new OptionError(
        `resume: the checkpoint was made with another ${what}: ${shown(old)}, now ${shown(now)}; use the same, or another output folder`,
      );
    }
  };
  compare("task", was.task, fixed.task);
  for (const part of new Set([...Object.keys(fixed.recipe), ...Object.keys(was.recipe)])) {
    compare(`recipe, in "${part}"`, was.recipe[part], fixed.recipe[part]);
  }
  compare("data set (digest)", was.data, fixed.data);
  // A schedule that runs down to the end depends on where the end is.
  const mayChange = options.schedule === "constant" ? MAY_CHANGE : MAY_CHANGE.slice(2);
  for (const name of new Set([...Object.keys(options), ...Object.keys(was.options)])) {
    if (!mayChange.includes(name)) compare(`option "${name}"`, was.options[name], options[name]);
  }
}

const shown = (value: unknown): string => (value === undefined ? "none" : canonicalJson(value));

/** The snapshot of a checkpoint for a run of that identity; an OptionError names the first thing that differs. */
export function resumeFrom(
  checkpoint: Checkpoint,
  identity: RunIdentity,
  layout: Layout,
  stateLayout: Layout,
): Snapshot {
  const where = "resumeFrom";
  checkObject(where, "checkpoint", checkpoint);
  checkMap(where, "the checkpoint's tensors", checkpoint.tensors);
  for (const one of [checkpoint.identity, identity]) {
    checkText(where, "identity.task", checkObject(where, "identity", one).task);
    for (const part of ["recipe", "options", "data"] as const) checkObject(where, `identity.${part}`, one[part]);
    const { train, validation } = one.data;
    checkText(where, "identity.data.train", train);
    if (validation !== null) checkText(where, "identity.data.validation", validation);
  }
  for (const [name, own] of Object.entries({ layout, stateLayout })) {
    checkNumber(where, `${name}.length`, checkObject(where, name, own).length, { min: 0, max: 2 ** 31, integer: true });
    for (const entry of checkList(where, `${name}.entries`, own.entries))
      checkObject(where, "an entry of a layout", entry);
  }
  checkIdentity(checkpoint.identity, identity);
  const take = (prefix: string, of: Layout, minimum = 0): Float32Array => {
    const flat = new Float32Array(Math.max(of.length, minimum));
    for (const { name, offset, length } of of.entries) {
      const tensor = checkpoint.tensors.get(prefix + name);
      if (!(tensor?.data instanceof Float32Array) || tensor.data.length !== length) {
        throw new FormatError(`resume: the checkpoint has no float32 tensor "${prefix}${name}" of ${length} values`);
      }
      flat.set(tensor.data, offset);
    }
    return flat;
  };
  const state: TrainState = {
    flat: take("", layout),
    first: take("adam.first.", layout),
    second: take("adam.second.", layout),
    state: take("state.", stateLayout, 1),
  };
  const { step, cursor, best, stale } = checkpoint;
  return { step, cursor, best, stale, state };
}

function tensorsOf(state: TrainState, layout: Layout, stateLayout: Layout): [string, NdArray][] {
  const named = (prefix: string, of: Layout, flat: Float32Array): [string, NdArray][] =>
    unflatten(of, flat).map(({ name, shape, data }) => [prefix + name, ndarray(data, [...shape])]);
  return [
    ...named("", layout, state.flat),
    ...named("adam.first.", layout, state.first),
    ...named("adam.second.", layout, state.second),
    ...(stateLayout.length ? named("state.", stateLayout, state.state) : []),
  ];
}

/** A folder with these files, whole or not there; one of that name is replaced. */
async function writeFolder(directory: string, name: string, files: Record<string, Uint8Array | string>): Promise<void> {
  const target = join(directory, name);
  const temporary = await temporaryFor(target);
  try {
    await mkdir(temporary);
    for (const [file, content] of Object.entries(files))
      await writeFile(join(temporary, file), content, { flush: true });
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw ioError("write", target, cause);
  }
}

async function checkpointNames(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [] as string[]);
  return names.filter((name) => /^step-\d{8,}$/.test(name)).sort();
}

/** Removes all but the newest `keep` and the best, and what a killed run left half-written. */
async function prune(directory: string, keep: number, best: number | undefined): Promise<void> {
  const names = await checkpointNames(directory);
  const kept = new Set([...names.slice(-keep), ...(best === undefined ? [] : [folderOf(best)])]);
  const abandoned = (await readdir(directory)).filter((name) => name.startsWith(`.${PREFIX}`) && name.endsWith(".tmp"));
  for (const name of [...names.filter((n) => !kept.has(n)), ...abandoned]) {
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
