/**
 * The training loop: groups of batches in, updates, validation after each epoch, checkpoints. It touches no files; what
 * is to be kept or shown goes through hooks. A run that is resumed from a checkpoint does to the last bit what the
 * uninterrupted one would have done: everything that matters is a function of the options, the state and the cursor.
 */

import { checkObject } from "../check.js";
import { OptionError, StateError } from "../errors.js";
import type { CompileOptions } from "../graph/compile.js";
import type { SessionInfo } from "../graph/session.js";
import { checkNumber } from "../options.js";
import { type Cursor, type Group, groupsOf, type Skipped } from "./loader.js";
import { hyperparameters } from "./optimizer.js";
import { type TrainOptions, trainOptions } from "./options.js";
import { type Parameter, unflatten } from "./parameters.js";
import { rateAt, type ScheduleOptions } from "./schedule.js";
import { Stepper, type StepResult, type TrainState } from "./step.js";
import { checkTask, type Task } from "./task.js";
import { checkSource, type PairSource } from "./types.js";

/** Everything that a run needs to go on. */
export interface Snapshot {
  /** Updates done. */
  step: number;
  cursor: Cursor;
  state: TrainState;
  /** Least validation loss so far, and the epochs since. */
  best: { step: number; loss: number } | null;
  stale: number;
}

/** An update, as it is logged. */
export interface StepRecord {
  /** The update, counted from 1. */
  step: number;
  epoch: number;
  pairs: number;
  /** Mean over the update's pairs, of the parameters before it. */
  loss: number;
  metrics: Record<string, number>;
  rate: number;
  /** Norm of the gradient before clipping. */
  norm: number;
  skipped: Skipped[];
}

/** A validation, as it is logged. */
export interface ValidationRecord {
  step: number;
  /** The epoch that has ended. */
  epoch: number;
  pairs: number;
  loss: number;
  metrics: Record<string, number>;
  best: boolean;
}

/** How a run shows itself; all are waited for. */
export interface TrainHooks {
  /** Once, before the first update is told: where it ran, which may not be where it was asked for. */
  onSession?(session: SessionInfo): void | Promise<void>;
  onStep?(record: StepRecord): void | Promise<void>;
  onValidation?(record: ValidationRecord): void | Promise<void>;
  /** Keeps a checkpoint; `best` where the validation loss is the least so far. */
  onCheckpoint?(snapshot: Snapshot, best: boolean): void | Promise<void>;
  /** Whether to end now, in order, with a checkpoint. */
  shouldStop?(): boolean;
}

/** What train is asked for. */
export interface TrainRequest {
  task: Task;
  train: PairSource;
  validation: PairSource | null;
  options?: Partial<TrainOptions>;
  /** From a checkpoint of the same task, options and data. */
  resume?: Snapshot;
  runtime?: Pick<CompileOptions, "runtime" | "backend" | "threads">;
  hooks?: TrainHooks;
}

/** How a training ended. */
export interface TrainOutcome {
  snapshot: Snapshot;
  /** Trained tensors, and the task's state. */
  parameters: Parameter[];
  state: Parameter[];
  ended: "finished" | "patience" | "stopped";
}

/** Updates of the whole run, as far as options and data tell before it begins. */
export function plannedSteps(given: TrainOptions, pairs: number): number {
  const options = trainOptions(given);
  checkNumber("plannedSteps", "pairs", pairs, { min: 0, integer: true });
  return options.steps ?? options.epochs * Math.ceil(pairs / (options.batch * options.accumulate));
}

/** Trains to the end. Throws a StateError for a loss that is not finite, and whatever sources, task and hooks throw. */
export async function train(request: TrainRequest): Promise<TrainOutcome> {
  checkObject("train", "the request", request);
  const { task, train: source, validation, resume, hooks = {} } = request;
  checkTask("train", task);
  checkSource("train", "train", source);
  if (validation !== null) checkSource("train", "validation", validation);
  if (resume !== undefined) checkObject("train", "resume", resume);
  checkObject("train", "hooks", hooks);
  const options = trainOptions(request.options);
  if (source.length === 0) throw new OptionError("training: there are no pairs to train on");
  const run = new Run(task, options, source.length, request.runtime ?? {}, resume);
  try {
    const ended = await run.all(source, validation, hooks);
    const snapshot = run.snapshot();
    const { layout, stateLayout } = run.stepper;
    return {
      snapshot,
      parameters: unflatten(layout, snapshot.state.flat),
      state: stateLayout.length ? unflatten(stateLayout, snapshot.state.state) : [],
      ended,
    };
  } finally {
    await run.stepper.dispose();
  }
}

class Run {
  readonly stepper: Stepper;
  private step = 0;
  private cursor: Cursor = { epoch: 0, index: 0 };
  private best: Snapshot["best"] = null;
  private stale = 0;
  private checkpointed = 0;
  private readonly schedule: ScheduleOptions;

  constructor(
    private readonly task: Task,
    private readonly options: TrainOptions,
    pairs: number,
    runtime: Pick<CompileOptions, "runtime" | "backend" | "threads">,
    resume: Snapshot | undefined,
  ) {
    this.schedule = { ...options, total: plannedSteps(options, pairs) };
    this.stepper = new Stepper(task, options.seed, options, runtime);
    if (!resume) return;
    this.stepper.restore(resume.state);
    this.step = resume.step;
    this.checkpointed = resume.step;
    this.cursor = { ...resume.cursor };
    this.best = resume.best;
    this.stale = resume.stale;
  }

  snapshot(): Snapshot {
    const { step, cursor, best, stale } = this;
    return { step, cursor: { ...cursor }, state: this.stepper.save(), best, stale };
  }

  async all(source: PairSource, validation: PairSource | null, hooks: TrainHooks): Promise<TrainOutcome["ended"]> {
    const { epochs, steps, batch, accumulate, patience, checkpointEvery } = this.options;
    const isDone = () => (steps === null ? this.cursor.epoch >= epochs : this.step >= steps);
    let stop = false;
    let saidSession = false;
    while (!isDone() && !stop) {
      const { epoch } = this.cursor;
      for await (const group of groupsOf(source, this.task, this.cursor, { batch, accumulate })) {
        const record = await this.update(group);
        if (this.stepper.session && !saidSession) await hooks.onSession?.(this.stepper.session);
        saidSession = true;
        await hooks.onStep?.(record);
        stop = hooks.shouldStop?.() ?? false;
        if (isDone()) break;
        // At an epoch's end validation comes first, so that a resumed run does not miss it.
        if (this.cursor.index === 0) continue;
        if (stop || this.step - this.checkpointed >= checkpointEvery) await this.checkpoint(hooks, false);
        if (stop) return "stopped";
      }
      // Resumed before the last pairs of an epoch, all of them unusable.
      if (this.cursor.epoch === epoch && !isDone()) this.cursor = { epoch: epoch + 1, index: 0 };
      const better = validation ? await this.validate(validation, epoch, hooks) : false;
      await this.checkpoint(hooks, better);
      if (patience !== null && this.stale >= patience) return "patience";
    }
    return isDone() ? "finished" : "stopped";
  }

  private async update(group: Group): Promise<StepRecord> {
    const { options, stepper } = this;
    const rate = rateAt(this.step, this.schedule);
    const hyper = hyperparameters(rate, this.step + 1, options.clip, options);
    const results: [StepResult, number][] = [];
    let norm: number;
    if (group.batches.length === 1) {
      const [only] = group.batches;
      const result = await stepper.step(group.pairs, await this.task.feeds(only), hyper);
      results.push([result, group.pairs]);
      norm = result.norm;
    } else {
      for (const [i, batch] of group.batches.entries()) {
        const pairs = batch.pairs.length;
        const feeds = await this.task.feeds(batch);
        results.push([await stepper.accumulate(pairs, feeds, pairs / group.pairs, i === 0), pairs]);
      }
      ({ norm } = await stepper.apply(hyper));
    }
    const { loss, metrics } = meanOf(results);
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) throw this.notFinite(loss, norm, group);
    stepper.commit();
    const { epoch } = this.cursor;
    this.step++;
    this.cursor = group.next;
    return { step: this.step, epoch, pairs: group.pairs, loss, metrics, rate, norm, skipped: group.skipped };
  }

  private async validate(source: PairSource, epoch: number, hooks: TrainHooks): Promise<boolean> {
    const results: [StepResult, number][] = [];
    // Always the pairs of epoch 0, so that epochs compare.
    const groups = groupsOf(source, this.task, { epoch: 0, index: 0 }, { batch: this.options.batch, accumulate: 1 });
    for await (const { batches, pairs } of groups) {
      results.push([await this.stepper.evaluate(pairs, await this.task.feeds(batches[0])), pairs]);
    }
    const { loss, metrics } = meanOf(results);
    const better = Number.isFinite(loss) && (this.best === null || loss < this.best.loss);
    if (better) this.best = { step: this.step, loss };
    this.stale = better ? 0 : this.stale + 1;
    const pairs = results.reduce((sum, [, count]) => sum + count, 0);
    await hooks.onValidation?.({ step: this.step, epoch, pairs, loss, metrics, best: better });
    return better;
  }

  private async checkpoint(hooks: TrainHooks, best: boolean): Promise<void> {
    await hooks.onCheckpoint?.(this.snapshot(), best);
    this.checkpointed = this.step;
  }

  private notFinite(loss: number, norm: number, group: Group): StateError {
    const what = Number.isFinite(loss) ? `the gradient's norm is ${norm}` : `the loss is ${loss}`;
    const ids = group.batches.flatMap(({ pairs }) => pairs.map(({ id }) => id));
    const norms = unflatten(this.stepper.layout, this.stepper.parameters).map(({ name, data }): [string, number] => [
      name,
      Math.sqrt(data.reduce((sum, value) => sum + value * value, 0)),
    ]);
    const largest = norms.sort(([, a], [, b]) => b - a).slice(0, 8);
    return new StateError(
      `training: ${what} at step ${this.step + 1} (epoch ${this.cursor.epoch}); the last checkpoint (step ${this.checkpointed}) is kept. ` +
        `Batch: ${ids.join(", ")}. Largest norms of parameters: ${largest.map(([name, value]) => `${name} ${value.toPrecision(4)}`).join(", ")}. ` +
        "Try a lower rate or clipping (clip)",
    );
  }
}

/** Means weighted by pairs. */
function meanOf(results: readonly [StepResult, number][]): StepResult {
  const total = results.reduce((sum, [, pairs]) => sum + pairs, 0);
  const mean = (value: (result: StepResult) => number) =>
    results.reduce((sum, [result, pairs]) => sum + value(result) * pairs, 0) / total;
  const names = Object.keys(results[0]?.[0].metrics ?? {});
  return {
    loss: mean((result) => result.loss),
    metrics: Object.fromEntries(names.map((name) => [name, mean(({ metrics }) => metrics[name])])),
  };
}
