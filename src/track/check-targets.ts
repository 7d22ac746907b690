/** Whether targets and the model that looks for them belong together. */
import { checkList, checkObject } from "../check.js";
import { OptionError } from "../errors.js";
import type { Extractor } from "../extract/extractor.js";
import type { FloatFeatures } from "../features.js";

/** What a detector needs of a target. */
export interface DetectorTarget {
  name: string;
  features: FloatFeatures;
  model: { name: string; sha256: string };
}

/** An OptionError for what is no extractor. */
export function checkExtractor(where: string, extractor: Pick<Extractor, "extract" | "info">): void {
  if (typeof extractor?.extract !== "function" || typeof extractor.info?.sha256 !== "string") {
    throw new OptionError(`${where}: an extractor is needed, as openExtractor gives it`);
  }
}

/** An OptionError for no targets, what is no target, and targets of different models or (`info`) of another one. */
export function checkTargets(
  where: string,
  targets: readonly DetectorTarget[],
  info?: { model: string; sha256: string },
): void {
  checkList(where, "targets", targets);
  if (targets.length === 0) throw new OptionError(`${where}: "targets" is empty; give one target at least`);
  const wanted = info ? { name: info.model, sha256: info.sha256 } : targets[0]?.model;
  for (const [i, target] of targets.entries()) {
    const { model, features, name } = checkObject(
      where,
      `targets[${i}]`,
      target,
    ) as Partial<DetectorTarget> as DetectorTarget;
    if (!model || !features) {
      throw new OptionError(`${where}: targets[${i}] is no target; compileTarget and readTarget give them`);
    }
    if (model.sha256 === wanted.sha256) continue;
    throw new OptionError(
      `${where}: target ${i}${name && ` (${name})`} was compiled with the model ${model.name} ` +
        `(SHA-256 ${model.sha256.slice(0, 12)}…), ${info ? "the extractor" : "target 0"} is of ${wanted.name} ` +
        `(${wanted.sha256.slice(0, 12)}…); open that model, or compile the target again`,
    );
  }
}
