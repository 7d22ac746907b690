/** The learning rate of each step: a linear warm-up, then constant, a cosine to nearly nothing, or steps down. */
import { checkChoice, checkNumber } from "../options.js";

export const SCHEDULES = ["constant", "cosine", "steps"] as const;

export interface ScheduleOptions {
  /** Learning rate after the warm-up. */
  rate: number;
  schedule: (typeof SCHEDULES)[number];
  /** Steps of warm-up. */
  warmup: number;
  /** Steps of the whole training: where the cosine ends, or "steps" has come down three times (at ½, ¾ and ⅞). */
  total: number;
  /** What is left of the rate at the end of a cosine, and the factor of each step down. */
  floor: number;
}

export function checkSchedule(where: string, options: ScheduleOptions): ScheduleOptions {
  checkNumber(where, "rate", options.rate, { min: 0 });
  checkChoice(where, "schedule", options.schedule, SCHEDULES);
  checkNumber(where, "warmup", options.warmup, { min: 0, integer: true });
  checkNumber(where, "floor", options.floor, { min: 0, max: 1 });
  return options;
}

/** The rate of a step, counted from 0; a function of the step alone, so that resuming needs no state. */
export function rateAt(step: number, { rate, schedule, warmup, total, floor }: ScheduleOptions): number {
  if (step < warmup) return (rate * (step + 1)) / warmup;
  if (schedule === "constant") return rate;
  const progress = Math.min(1, (step - warmup) / Math.max(1, total - warmup));
  if (schedule === "cosine") return rate * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
  const steps = [0.5, 0.75, 0.875].filter((at) => progress >= at).length;
  return rate * floor ** steps;
}
