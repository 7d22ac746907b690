/** `strata train detector`: a model of the default family, by a configuration, on a folder of photographs. */
import { type Command, Option } from "commander";
import { BACKENDS } from "../../graph/session.js";
import type { TrainOptions } from "../../train/options.js";
import { numberOf } from "../arguments.js";
import type { Context } from "../context.js";
import { AFTER_TRAINING, addSessionOptions } from "./options.js";
import { checkSession, type SessionFlags, trainCommandIn } from "./session.js";

export interface DetectorFlags extends SessionFlags {
  config: string;
  photos: string;
  /** A folder; false for --no-validation. */
  validation?: string | boolean;
  init?: string;
  steps?: number;
  batch?: number;
  rate?: number;
  seed?: number;
  checkpointEvery?: number;
  backend?: (typeof BACKENDS)[number];
  threads?: number;
  debug?: boolean;
}

const count = (flag: string) => numberOf(flag, { min: 1, integer: true });

export function addDetector(parent: Command, context: Context, done: (code: number) => void): void {
  const command = parent
    .command("detector")
    .description("Train a model of the default family on photographs: detection and description at once.")
    .optionsGroup("What is trained:")
    .requiredOption("--config <file>", "the training's configuration, or the name of one that comes along (strata-s)")
    .option("--init <model>", "weights to begin with: a model's folder or a training's (default: random ones)")
    .optionsGroup("Data:")
    .requiredOption("--photos <folder>", "photographs: pairs are made by random homographies and light")
    .option("--validation <folder>", "photographs to validate on (default: a tenth of --photos)")
    .option("--no-validation", "train on everything and validate on nothing");
  addSessionOptions(command)
    .optionsGroup("In place of what the configuration says:")
    .option("--steps <n>", "updates", count("--steps"))
    .option("--batch <pairs>", "pairs in one pass", count("--batch"))
    .option("--rate <r>", "learning rate", numberOf("--rate", { min: 0 }))
    .option(
      "--seed <n>",
      "of everything that is drawn",
      numberOf("--seed", { min: 0, max: 2 ** 32 - 1, integer: true }),
    )
    .option("--checkpoint-every <n>", "updates; each epoch ends with one besides", count("--checkpoint-every"))
    .optionsGroup("Machine:")
    .addOption(new Option("--backend <name>", "where to compute (default: cpu)").choices([...BACKENDS]))
    .option("--threads <n>", "threads (default: one per core)", count("--threads"))
    .optionsGroup("Other:")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata train detector --config strata-s --photos photos/train --validation photos/val --out runs/s
  strata train detector --config my.json --photos photos/ --init models/strata-s --out runs/s --resume
  strata bench hpatches --data hpatches/ --method runs/s/model
${AFTER_TRAINING}`,
    )
    .action(async (flags: DetectorFlags) => {
      done(await detectorCommand(flags, context));
    });
}

export async function detectorCommand(flags: DetectorFlags, context: Context): Promise<number> {
  checkSession(flags);
  const { nodeRuntime } = await import("../../node/runtime.js");
  const { detectorTask } = await import("../../train/detector/task.js");
  const { detectorSources, readBeginning, readDetectorRecipe, readTeacher } = await import(
    "../../node/train/detector.js"
  );
  const recipe = await readDetectorRecipe(flags.config);
  const { steps, batch, rate, seed, checkpointEvery } = flags;
  const given = { steps, batch, rate, seed, checkpointEvery };
  const overrides = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const options: TrainOptions = { ...recipe.training, ...overrides };
  const { backend, threads, photos, validation } = flags;
  const runtime = { runtime: nodeRuntime, backend, threads };
  const begin = flags.init === undefined ? null : await readBeginning(flags.init);
  const task = detectorTask(recipe, begin, { teacher: await readTeacher(recipe, runtime) });
  const sources = detectorSources(recipe, { photos, validation, seed: options.seed });
  const facts = { config: flags.config, init: flags.init ?? null };
  return trainCommandIn({ task, sources, options, runtime, facts }, flags, context);
}
