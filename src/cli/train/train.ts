/** `strata train encoder` and `strata train attention`: weights, data and options joined to a run. */
import { type EncoderRecipe, parseAttentionRecipe, parseEncoderRecipe } from "../../train/recipes.js";
import type { Context } from "../context.js";
import { cropOf, sourcesOf, type TrainFlags, trainOptionsOf } from "./options.js";
import { checkSession, trainCommandIn } from "./session.js";

export async function trainCommand(
  kind: "encoder" | "attention",
  flags: TrainFlags,
  context: Context,
): Promise<number> {
  const recipe = kind === "encoder" ? encoderRecipe(flags) : parseAttentionRecipe(flags.recipe);
  const options = trainOptionsOf(flags, recipe);
  const specs = sourcesOf(flags);
  checkSession(flags);
  const { nodeRuntime } = await import("../../node/runtime.js");
  const { readTrainingWeights } = await import("../../node/train/weights.js");
  const { referenceTask } = await import("../../node/train/reference-task.js");
  const { FrozenCache } = await import("../../node/train/frozen-cache.js");

  const note = (message: string) => context.err(`strata: ${message}\n`);
  const weights = await readTrainingWeights(flags);
  const { backend, threads, cacheFrozen, cacheLimit } = flags;
  const runtime = { runtime: nodeRuntime, backend, threads };
  const cacheOptions = { note, ...(cacheLimit === undefined ? {} : { limit: cacheLimit * 1e9 }) };
  const task = referenceTask({
    recipe,
    weights: weights.tensors,
    where: weights.path,
    preprocessing: weights.preprocessing,
    cropSize: cropOf(flags),
    cache: cacheFrozen === undefined ? null : await FrozenCache.open(cacheFrozen, cacheOptions),
    runtime,
  });
  const session = { task, sources: specs, options, runtime, facts: { weights: weights.path } };
  return trainCommandIn(session, flags, context);
}

function encoderRecipe({ recipe: name, correspondenceWeight }: TrainFlags): EncoderRecipe {
  const recipe = parseEncoderRecipe(name);
  return correspondenceWeight === undefined ? recipe : { ...recipe, correspondenceWeight };
}
