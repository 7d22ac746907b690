/** A model's verdict on finds: the part "search" of the verdict in its configuration. */
import { join } from "node:path";
import { checkObject } from "../../check.js";
import { OptionError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { parseVerdictModel, type VerdictModel } from "../../geometry/verdict.js";
import { checkPath, readFileChecked, writeFileAtomic } from "../atomic.js";
import { MODEL_FILES, withModelFolder } from "../model-folder.js";

/** Writes it into the model's folder; `fitted` says what it was fitted on. */
export async function saveSearchVerdict(
  folder: string,
  verdict: VerdictModel,
  fitted: Readonly<Record<string, number>>,
): Promise<void> {
  checkPath("saveSearchVerdict", folder);
  parseVerdictModel("saveSearchVerdict", verdict);
  checkObject("saveSearchVerdict", "fitted", fitted);
  await withModelFolder(folder, async () => {
    const path = join(folder, MODEL_FILES.config);
    const config = parseJson(path, await readFileChecked(path)) as Record<string, unknown>;
    const { verdict: before } = config;
    if (typeof before !== "object" || before === null) {
      throw new OptionError(`${folder}: has no verdict on homographies yet; fit that first (strata bench verdict)`);
    }
    const whole = { ...before, search: { ...verdict, fitted } };
    await writeFileAtomic(path, `${JSON.stringify({ ...config, verdict: whole }, null, 2)}\n`);
  });
}
