/** Flags of `strata train encoder` and `attention`, and their way to the options of a training. */
import { type Command, Option } from "commander";
import { OptionError } from "../../errors.js";
import { PREPROCESSINGS, type PreprocessingName } from "../../extract/preprocess.js";
import { BACKENDS } from "../../graph/session.js";
import { type SourcePair, splitSources } from "../../node/train/sources.js";
import { OPTIMIZERS, REFERENCE_SEED, TRAIN_DEFAULTS, type TrainOptions } from "../../train/options.js";
import type { Recipe } from "../../train/recipes.js";
import { SCHEDULES } from "../../train/schedule.js";
import { numberOf, SEEDS } from "../arguments.js";

/** As commander hands them over. */
export interface TrainFlags {
  recipe: string;
  backbone?: string;
  encoder?: string;
  /** Of an encoder's training only. */
  correspondenceWeight?: number;
  preprocessing?: PreprocessingName;
  data?: string;
  photos?: string;
  scenes?: string;
  sceneInfo?: string;
  validationScenes?: string;
  pairsPerScene?: number;
  maxScaleRatio?: number;
  validationPhotos?: string;
  pairsPerPhoto?: number;
  /** False for --no-validation. */
  validation: boolean;
  crop?: number;
  workers?: number;
  out: string;
  resume?: boolean;
  overwrite?: boolean;
  batch?: number;
  accumulate?: number;
  epochs?: number;
  steps?: number;
  rate?: number;
  schedule?: TrainOptions["schedule"];
  warmup?: number;
  floor?: number;
  clip?: number;
  optimizer?: TrainOptions["optimizer"];
  weightDecay?: number;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  seed?: number;
  patience?: number;
  checkpointEvery?: number;
  cacheFrozen?: string;
  cacheLimit?: number;
  /** False for --no-tb-logs. */
  tbLogs?: string | false;
  pictures?: number;
  backend?: (typeof BACKENDS)[number];
  threads?: number;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

/** Crops of the reference. */
const CROP = 256;

const count = (flag: string) => numberOf(flag, { min: 1, integer: true });

/** Adds everything but --recipe and --encoder. */
export function addTrainOptions(command: Command): Command {
  const choice = (flags: string, text: string, choices: readonly string[]) =>
    new Option(flags, text).choices([...choices]);
  const { epochs, schedule, floor, optimizer, beta1, beta2, epsilon, checkpointEvery } = TRAIN_DEFAULTS;
  command
    .addOption(
      choice("--preprocessing <kind>", "how pixels are prepared (default: the encoder's, else none)", PREPROCESSINGS),
    )
    .optionsGroup("Data (one of --data and --photos):")
    .option(
      "--data <folder>",
      "MegaDepth, prepared as D2-Net does; MegaDepthDatasetPath in the environment says it too",
    )
    .option("--scenes <list>", "train, valid, or a text file with one scene per line (default: train)")
    .option("--validation-scenes <list>", "scenes to validate on (default: a fifth of --scenes)")
    .option("--scene-info <folder>", "where SCENE.npz lie (default: scene_info in --data)")
    .option("--pairs-per-scene <n>", "pairs drawn per scene and epoch (default: 100)", count("--pairs-per-scene"))
    .option(
      "--max-scale-ratio <r>",
      "largest ratio of scales (default: any)",
      numberOf("--max-scale-ratio", { min: 1 }),
    )
    .option("--photos <folder>", "photographs: pairs are made by random homographies and light")
    .option("--validation-photos <folder>", "photographs to validate on (default: a tenth of --photos)")
    .option("--pairs-per-photo <n>", "pairs of each photograph in an epoch (default: 1)", count("--pairs-per-photo"))
    .option("--no-validation", "train on everything and validate on nothing")
    .option("--crop <px>", `sides of the crops, a multiple of 32 (default: ${CROP})`, count("--crop"));
  return addSessionOptions(command)
    .optionsGroup("Training:")
    .option("--batch <pairs>", "pairs in one pass (default: the recipe's)", count("--batch"))
    .option("--accumulate <n>", "passes in one update (default: 1)", count("--accumulate"))
    .option("--epochs <n>", `(default: ${epochs})`, count("--epochs"))
    .option("--steps <n>", "updates, in place of epochs", count("--steps"))
    .option("--rate <r>", "learning rate (default: the recipe's)", numberOf("--rate", { min: 0 }))
    .addOption(choice("--schedule <kind>", `course of the rate (default: ${schedule})`, SCHEDULES))
    .option("--warmup <n>", "updates of linear warm-up (default: 0)", numberOf("--warmup", { min: 0, integer: true }))
    .option(
      "--floor <f>",
      `what a schedule leaves of the rate (default: ${floor})`,
      numberOf("--floor", { min: 0, max: 1 }),
    )
    .option("--clip <norm>", "largest norm of a gradient (default: none)", numberOf("--clip", { min: 1e-12 }))
    .addOption(choice("--optimizer <name>", `(default: ${optimizer})`, OPTIMIZERS))
    .option("--weight-decay <w>", "(default: 0)", numberOf("--weight-decay", { min: 0 }))
    .option("--beta1 <b>", `decay of the first moment (default: ${beta1})`, numberOf("--beta1", { min: 0, max: 1 }))
    .option("--beta2 <b>", `decay of the second moment (default: ${beta2})`, numberOf("--beta2", { min: 0, max: 1 }))
    .option("--epsilon <e>", `(default: ${epsilon})`, numberOf("--epsilon", { min: 1e-16 }))
    .option("--seed <n>", `of everything that is drawn (default: ${REFERENCE_SEED})`, numberOf("--seed", SEEDS))
    .option("--patience <epochs>", "end after so many without a better validation loss", count("--patience"))
    .option(
      "--checkpoint-every <n>",
      `updates; each epoch ends with one besides (default: ${checkpointEvery})`,
      count("--checkpoint-every"),
    )
    .optionsGroup("Machine:")
    .addOption(choice("--backend <name>", "where to compute (default: cpu)", BACKENDS))
    .option("--threads <n>", "threads (default: one per core)", count("--threads"))
    .option("--cache-frozen <folder>", "keep what the frozen network makes of each crop")
    .option("--cache-limit <GB>", "size of that cache (default: 8)", numberOf("--cache-limit", { min: 0 }))
    .optionsGroup("Other:")
    .option("--debug", "print stack traces of errors");
}

/** Adds what every training has: threads that make pairs, and where its results go. */
export function addSessionOptions(command: Command): Command {
  return command
    .option(
      "--workers <n>",
      "threads that read and warp; 0: none (default: one per core but one, 1 to 4)",
      numberOf("--workers", { min: 0, max: 256, integer: true }),
    )
    .optionsGroup("Output:")
    .requiredOption("--out <folder>", "checkpoints/, log.jsonl, run.json, and model/ at the end")
    .option("--resume", "go on from the last checkpoint in --out; begin where there is none")
    .option("--overwrite", "throw away the training that --out holds")
    .option("--tb-logs <folder>", "TensorBoard's files: NAME/version_K in it (default: tb_logs in --out)")
    .option("--no-tb-logs", "no files for TensorBoard")
    .option(
      "--pictures <n>",
      "pairs whose score maps and matches TensorBoard shows after each epoch (default: 2; 0: none)",
      numberOf("--pictures", { min: 0, max: 64, integer: true }),
    )
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only");
}

/** Help on stopping and resuming. */
export const AFTER_TRAINING = `
A run that is stopped (Ctrl-C, SIGTERM, SIGUSR1) ends its step and keeps a checkpoint; the same command with --resume goes
on, with the same losses as without the interruption. A run that was killed loses the steps since its last checkpoint.`;

/** How to train: the flags, on the recipe's defaults. */
export function trainOptionsOf(flags: TrainFlags, recipe: Recipe): Partial<TrainOptions> {
  const { batch, accumulate, epochs, steps, schedule, warmup, floor, clip, optimizer } = flags;
  const { weightDecay, beta1, beta2, epsilon, patience, checkpointEvery, seed = REFERENCE_SEED } = flags;
  if (steps !== undefined && epochs !== undefined) throw new OptionError("give --steps or --epochs, not both");
  return {
    ...{ accumulate, epochs, steps, schedule, warmup, floor, clip, optimizer },
    ...{ weightDecay, beta1, beta2, epsilon, patience, checkpointEvery, seed },
    rate: flags.rate ?? recipe.rate,
    batch: batch ?? (recipe.kind === "attention" ? recipe.batch : TRAIN_DEFAULTS.batch),
  };
}

export const cropOf = ({ crop = CROP }: TrainFlags): number => crop;

/** Names the data set's folder where --data does not. */
const DATASET_VARIABLE = "MegaDepthDatasetPath";

/** Sources of training and validation (null: none) that the flags describe. */
export function sourcesOf(flags: TrainFlags): SourcePair {
  const { photos, seed = REFERENCE_SEED } = flags;
  const data = flags.data ?? (photos === undefined ? process.env[DATASET_VARIABLE] : undefined);
  if ((data === undefined) === (photos === undefined)) {
    throw new OptionError(
      data === undefined
        ? `say what to train on: --data FOLDER for MegaDepth (or ${DATASET_VARIABLE}), or --photos FOLDER`
        : "give --data or --photos, not both",
    );
  }
  refuseStrangers(flags, photos === undefined ? OF_PHOTOS : OF_SCENES);
  const others = photos === undefined ? flags.validationScenes : flags.validationPhotos;
  if (!flags.validation && others !== undefined)
    throw new OptionError("give scenes or photographs to validate on, or --no-validation, not both");
  const validation = flags.validation && (others ?? true);
  const shared = { cropSize: cropOf(flags), seed };
  if (photos !== undefined) {
    const options = { ...shared, folder: photos, pairsPerPhoto: flags.pairsPerPhoto };
    return splitSources({ kind: "photos", options }, validation);
  }
  const { scenes, sceneInfo, pairsPerScene, maxScaleRatio } = flags;
  const options = { ...shared, data, scenes, sceneInfo, pairsPerScene, maxScaleRatio };
  return splitSources({ kind: "megadepth", options }, validation);
}

const OF_SCENES = ["scenes", "sceneInfo", "validationScenes", "pairsPerScene", "maxScaleRatio"] as const;
const OF_PHOTOS = ["validationPhotos", "pairsPerPhoto"] as const;

/** A flag of the other kind of data would be ignored, which nobody wants. */
function refuseStrangers(flags: TrainFlags, names: readonly (keyof TrainFlags)[]): void {
  const given = names.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  const flag = `--${given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new OptionError(`${flag} does not go with ${names === OF_PHOTOS ? "--data" : "--photos"}`);
}
