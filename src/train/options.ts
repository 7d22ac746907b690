/** How to train, with defaults; every number that matters for the result is here, and goes into every checkpoint. */
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import type { OptimizerOptions } from "./optimizer.js";
import { checkSchedule, type ScheduleOptions } from "./schedule.js";

/** Here and not beside the optimizer, for the command line's help must not load what computes. */
export const OPTIMIZERS: readonly OptimizerOptions["optimizer"][] = ["adam", "adamw"];

/** How a training goes: steps, batches, rates. */
export interface TrainOptions extends OptimizerOptions, Omit<ScheduleOptions, "total"> {
  /** Pairs in one pass. */
  batch: number;
  /** Passes in one update. */
  accumulate: number;
  /** Epochs, unless `steps` says where to end. */
  epochs: number;
  /** Updates; null: as many as the epochs have. */
  steps: number | null;
  /** Largest norm of a gradient; null: no clipping. */
  clip: number | null;
  /** Seed of first values, pairs, and everything drawn. */
  seed: number;
  /** End after so many epochs without a better validation loss; null: never. */
  patience: number | null;
  /** Updates from checkpoint to checkpoint; there is one at the end of each epoch besides. */
  checkpointEvery: number;
}

/** Seed of the reference, for its recipes and for drawing pairs. */
export const REFERENCE_SEED = 42;

/** Defaults of a training. */
export const TRAIN_DEFAULTS: TrainOptions = {
  batch: 4,
  accumulate: 1,
  epochs: 10,
  steps: null,
  optimizer: "adam",
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  rate: 1e-3,
  schedule: "constant",
  warmup: 0,
  floor: 0.1,
  clip: null,
  seed: 0,
  patience: null,
  checkpointEvery: 200,
};

/** Defaults overlaid by `given`; an OptionError for anything that is not offered. */
export function trainOptions(given: Partial<TrainOptions> = {}, defaults: TrainOptions = TRAIN_DEFAULTS): TrainOptions {
  const where = "train";
  const options = withDefaults(where, defaults, given);
  for (const name of ["batch", "accumulate", "epochs", "checkpointEvery"] as const) {
    checkNumber(where, name, options[name], { min: 1, integer: true });
  }
  for (const name of ["steps", "patience"] as const) {
    if (options[name] !== null) checkNumber(where, name, options[name], { min: 1, integer: true });
  }
  if (options.clip !== null) checkNumber(where, "clip", options.clip, { min: 1e-12 });
  checkChoice(where, "optimizer", options.optimizer, OPTIMIZERS);
  for (const name of ["beta1", "beta2"] as const) checkNumber(where, name, options[name], { min: 0, max: 1 - 1e-9 });
  checkNumber(where, "epsilon", options.epsilon, { min: 1e-16 });
  checkNumber(where, "weightDecay", options.weightDecay, { min: 0 });
  checkNumber(where, "seed", options.seed, { min: 0, max: 2 ** 32 - 1, integer: true });
  checkSchedule(where, { ...options, total: 1 });
  return options;
}
