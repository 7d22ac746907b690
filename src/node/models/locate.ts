/** Models of the cache by their names, as `--model NAME` means them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OptionError } from "../../errors.js";
import { isModelName } from "../../model/registry-entry.js";
import { MODEL_FILES } from "../model-folder.js";
import { modelFolder, readCached } from "./cache.js";
import { openRegistry } from "./registry.js";

/**
 * The weights or checkpoint of a model of the cache; undefined for a name that neither the cache nor a registry knows. An
 * OptionError says what to do for a model that must be imported or downloaded first.
 */
export async function locateCached(name: string): Promise<string | undefined> {
  if (!isModelName(name)) return undefined;
  const [weights, config] = [MODEL_FILES.weights, MODEL_FILES.config].map((file) => join(modelFolder(name), file));
  if (existsSync(weights) && existsSync(config)) return weights;
  const cached = await readCached(name);
  if (cached?.kind === "reference") return cached.path;
  if (cached) {
    throw new OptionError(
      `the model "${name}" is ${cached.path}, which is not strata's: turn it into a model folder with ` +
        `"strata models import ${name} --out FOLDER" and name the folder`,
    );
  }
  const known = (await openRegistry()).find(name);
  if (!known || known.shipped) return undefined;
  throw new OptionError(`the model "${name}" is not on this machine; get it with "strata models download ${name}"`);
}
