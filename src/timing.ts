/** How long the steps of a job take. */

import { checkFunction, checkObject, checkText } from "./check.js";
import { checkNumber } from "./options.js";

/** Seconds by step. */
export type Seconds = Record<string, number>;

/** Runs `work` and adds its time to `seconds[step]`, also when it fails. */
export async function timed<T>(seconds: Seconds, step: string, work: () => Promise<T>): Promise<T> {
  checkObject("timed", "seconds", seconds);
  if (seconds[step] !== undefined) checkNumber("timed", step, seconds[step]);
  checkText("timed", "step", step);
  checkFunction("timed", "work", work);
  const start = performance.now();
  try {
    return await work();
  } finally {
    seconds[step] = (seconds[step] ?? 0) + (performance.now() - start) / 1000;
  }
}
