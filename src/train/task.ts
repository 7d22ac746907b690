/**
 * What is trained: parameters, and a loss that is a pure function of them and of a batch. The trainer knows nothing of
 * networks, a task nothing of optimizers, files or time.
 */

import { checkFunction, checkObject, checkText } from "../check.js";
import type { Feed, InputSpec } from "../graph/compile.js";
import type { Arr } from "../model/operators.js";
import { checkNumber } from "../options.js";
import type { Parameter } from "./parameters.js";
import type { CellGrid, PairBatch } from "./types.js";

/** What a loss is a function of. */
export interface LossInputs {
  /** Named tensors; those of `Task.parameters`. */
  parameters: Record<string, Arr>;
  /** What is carried along without a gradient, e.g. running statistics of batch norm. */
  state: Record<string, Arr>;
  inputs: Record<string, Arr>;
}

/** A loss and what comes with it. */
export interface LossOutputs {
  /** A scalar. */
  loss: Arr;
  /** Further scalars, for the log. */
  metrics: Record<string, Arr>;
  /** The state after this batch; unchanged where `training` is false. */
  state: Record<string, Arr>;
}

/** What is trained: parameters, and a loss of them. */
export interface Task {
  /** Names what is trained in logs and checkpoints; resuming under another name is refused. */
  readonly name: string;
  /** Everything that decides what is trained, as plain JSON; resuming under another recipe is refused. */
  readonly recipe: Record<string, unknown>;
  /** The grid that correspondences are found on. */
  readonly grid: CellGrid;
  /** Pairs with fewer correspondences are skipped. */
  readonly minCorrespondences: number;
  /** First values; the same seed gives the same ones. */
  parameters(seed: number): Parameter[];
  state(): Parameter[];
  /** What a batch of so many pairs is fed as. */
  inputs(pairs: number): Record<string, InputSpec>;
  /** The batch as feeds; frozen parts run here, in sessions of their own. */
  feeds(batch: PairBatch): Promise<Record<string, Feed>>;
  /** `training` decides, where that matters, between statistics of the batch and running ones. */
  loss(given: LossInputs, training: boolean): LossOutputs;
  /** Frees the sessions of frozen parts. */
  dispose(): Promise<void>;
}

/** An OptionError for what is no task. */
export function checkTask(where: string, task: Task): void {
  checkObject(where, "task", task);
  checkText(where, "task.name", task.name);
  checkObject(where, "task.recipe", task.recipe);
  for (const name of ["parameters", "state", "inputs", "feeds", "loss", "dispose"] as const) {
    checkFunction(where, `task.${name}`, task[name]);
  }
  checkUse(where, task);
}

/** What the loader asks of a task. */
export function checkUse(where: string, task: Pick<Task, "grid" | "minCorrespondences">): void {
  checkObject(where, "task", task);
  checkObject(where, "task.grid", task.grid);
  checkNumber(where, "task.minCorrespondences", task.minCorrespondences, { min: 0 });
}
