/** Options that `extract` and `match` share, and their way to an extractor's options. Names are the reference's. */
import { type Command, Option } from "commander";
import { OptionError } from "../errors.js";
import { DETECTIONS, REFINEMENTS } from "../extract/options.js";
import { PREPROCESSINGS } from "../extract/preprocess.js";
import { BACKENDS } from "../graph/session.js";
import { DEFAULT_PIXEL_LIMIT } from "../image/image.js";
import { ATTENTION_KINDS } from "../model/attention-kinds.js";
import type { OpenOptions } from "../node/extractor.js";
import { checkNumber } from "../options.js";

/** As commander hands them over. */
export interface ExtractionFlags {
  model?: string;
  attentionCkpt?: string;
  loadFromFolder?: boolean;
  attentionModel?: OpenOptions["attentionModel"];
  thresh?: number;
  nms?: boolean;
  refine?: OpenOptions["refine"];
  maxFeatures?: number | "all";
  d2netLocalization?: boolean;
  spread?: boolean;
  sumDescriptors?: boolean;
  firstStride?: 1 | 2;
  replaceStrides?: boolean;
  preprocessing?: OpenOptions["preprocessing"];
  scales?: number[];
  scale?: boolean;
  maxEdge?: number;
  maxSumEdges?: number;
  backend?: OpenOptions["backend"];
  threads?: number;
  pixelLimit?: number;
  orientation: boolean;
}

/** The range of seeds. */
export const SEEDS = { min: 0, max: 2 ** 32 - 1, integer: true };

const ATTENTION_MODELS = ["auto", ...ATTENTION_KINDS] as const;

/** What the reference's `--scale` stands for. */
const SCALE_DEFAULTS = { maxEdge: 1600, maxSumEdges: 2800 };

/** A parser of a flag's value; an OptionError names the flag. */
export function numberOf(flag: string, range: { min?: number; max?: number; integer?: boolean }) {
  return (text: string): number => {
    const value = text.trim() === "" ? text : Number(text);
    return checkNumber("arguments", flag, Number.isNaN(value) ? text : value, range);
  };
}

const count = (flag: string) => numberOf(flag, { min: 1, integer: true });

/** A parser of numbers with commas between them; which ones may be given is up to the option. */
export function numbersOf(flag: string) {
  return (text: string): number[] => text.split(",").map(numberOf(flag, {}));
}

/** As `numberOf`, or "all" for no limit (commander does not let a parser answer null). */
function countOrAll(flag: string) {
  return (text: string): number | "all" => (text === "all" ? text : count(flag)(text));
}

function strideOf(flag: string) {
  return (text: string): number => {
    if (text !== "1" && text !== "2") throw new OptionError(`arguments: "${flag}" must be 1 or 2, got ${text}`);
    return Number(text);
  };
}

/** An option with a closed list of values. */
export const choice = (flags: string, text: string, choices: readonly string[]) =>
  new Option(flags, text).choices([...choices]);

/** Adds the options that say which model runs, and how. */
export function addModelOptions(command: Command): Command {
  return command
    .optionsGroup("Model:")
    .option("--model <name>", "a model's name, or the path of a .safetensors file, model folder or .ckpt")
    .option(
      "--attention-ckpt <name>",
      "attention heads or a whole checkpoint: a path, or NAME for checkpoints/NAME.ckpt",
    )
    .addOption(choice("--attention-model <kind>", "kind of attention head (auto: by the checkpoint)", ATTENTION_MODELS))
    .option(
      "--first-stride <n>",
      "stride of the first convolution, 1 or 2 (reference models)",
      strideOf("--first-stride"),
    )
    .option("--replace-strides", "dilations in place of the strides of layers 2 to 4 (reference models)")
    .addOption(choice("--preprocessing <kind>", "how pixels are normalised (reference models)", PREPROCESSINGS));
}

/** Adds the shared options to a command; without `limit` all but --max-features, which then is the command's own. */
export function addExtractionOptions(command: Command, { limit = true } = {}): Command {
  addModelOptions(command)
    .option("--load-from-folder", "accepted for the reference's sake; nothing is ever downloaded")
    .optionsGroup("Keypoints:")
    .option("--thresh <score>", "drop keypoints with a lower score; 0 keeps all", numberOf("--thresh", { min: 0 }))
    .option("--nms", "keep only local maxima of the score")
    .option("--no-nms", "keep every position with a score")
    .addOption(choice("--refine <how>", "positions between pixels, or on the grid", REFINEMENTS));
  if (limit) {
    const text = 'at most this many, best first; "all" for no limit';
    command.option("--max-features <n>", text, countOrAll("--max-features"));
  }
  return command
    .option("--spread", "of fewer keypoints the best in all parts of the image, not the best alone")
    .option("--d2net-localization", "D2-Net's hard detection on the descriptor maps")
    .option("--sum-descriptors", "weigh descriptor maps by their scores")
    .optionsGroup("Images:")
    .option(
      "--scales <list>",
      "look for keypoints at these scales, like 1,0.7,0.5 (default: the model's)",
      numbersOf("--scales"),
    )
    .option("--max-edge <px>", "scale down until the longer edge fits", count("--max-edge"))
    .option("--max-sum-edges <px>", "scale down until width + height fits", count("--max-sum-edges"))
    .option("--scale", `short for --max-edge ${SCALE_DEFAULTS.maxEdge} --max-sum-edges ${SCALE_DEFAULTS.maxSumEdges}`)
    .option(
      "--pixel-limit <megapixels>",
      `refuse larger images before decoding (default: ${DEFAULT_PIXEL_LIMIT / 1e6})`,
      numberOf("--pixel-limit", { min: 0.001 }),
    )
    .option("--no-orientation", "do not turn images as their EXIF orientation says")
    .optionsGroup("Machine:")
    .addOption(choice("--backend <name>", "where to compute (default: cpu)", BACKENDS))
    .option("--threads <n>", "threads (default: one per core)", count("--threads"))
    .optionsGroup("Other:");
}

/** Options for `openExtractor`; only what was given, so that the model's own defaults stay. */
export function openOptions(flags: ExtractionFlags): OpenOptions {
  const scale = flags.scale ? SCALE_DEFAULTS : {};
  const options: OpenOptions = {
    model: flags.model,
    attentionCkpt: attentionCheckpoint(flags),
    attentionModel: flags.attentionModel,
    firstStride: flags.firstStride,
    replaceStrides: flags.replaceStrides,
    preprocessing: flags.preprocessing,
    threshold: flags.thresh,
    nms: flags.nms,
    refine: flags.refine,
    maxFeatures: flags.maxFeatures === "all" ? null : flags.maxFeatures,
    spread: flags.spread,
    detection: flags.d2netLocalization ? DETECTIONS[1] : undefined,
    sumDescriptors: flags.sumDescriptors,
    scales: flags.scales,
    maxEdge: flags.maxEdge,
    maxSumEdges: flags.maxSumEdges,
    backend: flags.backend,
    threads: flags.threads,
  };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...scale, ...Object.fromEntries(given) };
}

/** Options for `loadImage`. */
export function imageOptions(flags: ExtractionFlags): { pixelLimit: number; orientation: boolean } {
  const pixelLimit = flags.pixelLimit === undefined ? DEFAULT_PIXEL_LIMIT : flags.pixelLimit * 1e6;
  return { pixelLimit, orientation: flags.orientation };
}

/** The name or path; NAME is looked for in checkpoints/ in any case, so the reference's second flag only needs the first. */
function attentionCheckpoint({ attentionCkpt, loadFromFolder }: ExtractionFlags): string | undefined {
  if (loadFromFolder && attentionCkpt === undefined) {
    throw new OptionError("--load-from-folder needs --attention-ckpt NAME");
  }
  return attentionCkpt;
}

/** An option that may be given several times: all its values. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
