/** Work that is not for this machine: another one may take it. */
import { UnsupportedError } from "../../errors.js";
import { packageVersion } from "../version.js";
import type { JobPlan } from "./plan.js";

/** A job of another version of strata, or with a model that this machine has not. */
export class ForeignJobError extends UnsupportedError {}

/** ForeignJobError where the job was made by another version, whose features may be others. */
export function checkVersion(folder: string, plan: JobPlan): void {
  const here = packageVersion();
  if (plan.strata === here) return;
  throw new ForeignJobError(
    `the job ${folder} is of strata ${plan.strata}, this is ${here}: it is left to workers of that version`,
  );
}

/** ForeignJobError where the model that was opened has other weights than the job's. */
export function checkModel({ model }: JobPlan, sha256: string): void {
  if (model?.sha256 === sha256) return;
  throw new ForeignJobError(
    `the model ${model?.name} has other weights here (${sha256.slice(0, 12)}, not ${model?.sha256.slice(0, 12)}): the job is ` +
      "left to workers that have the right ones",
  );
}
