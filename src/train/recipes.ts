/**
 * Recipes: what is trained with which loss. The reference's are known by their names, and every recipe has a readable one
 * that says the same: `distinctiveness-n2-lambda0.5-squashed-shared`.
 */
import { checkText } from "../check.js";
import { OptionError } from "../errors.js";
import type { AttentionKind } from "../model/attention-kinds.js";
import { ENCODER_DIMS } from "../model/reference.js";
import { ATTENTION_LOSSES, type AttentionLossName, type LossOptions } from "./losses/index.js";

export type EncoderDim = (typeof ENCODER_DIMS)[number];

/** Encoders and decoders, backbone frozen: reconstruction + weight · correspondence, summed over levels. */
export interface EncoderRecipe {
  kind: "encoder";
  /** cfe64, cfe32, cfe16. */
  name: string;
  dim: EncoderDim;
  correspondenceWeight: number;
  /** Learning rate of Adam. */
  rate: number;
}

/** Attention heads, with whatever of the encoder learns beside them. */
export interface AttentionRecipe {
  kind: "attention";
  /** The readable name. */
  name: string;
  /** Plain: one encoder per level. Shared: one for all, behind a pre-encoding per level. */
  encoder: { dim: EncoderDim; kind: "plain" | "shared" };
  attention: Exclude<AttentionKind, "attention_model">;
  loss: AttentionLossName;
  options: LossOptions;
  /** Scores become s / (1 + s) before the loss. */
  squash: boolean;
  /** The encoder learns too; it always does when shared. */
  backprop: boolean;
  /** Encoder, decoder and head of all levels in one, trained together by reconstruction, correspondence and attention. */
  shared: boolean;
  rate: number;
  /** Pairs per step. */
  batch: number;
}

/** What is trained with which loss. */
export type Recipe = EncoderRecipe | AttentionRecipe;

const ENCODER_RATE = 1e-3;
const ATTENTION_RATE = 1e-4;
const ATTENTION_BATCH = 64;
const CORRESPONDENCE_WEIGHT = 1;

/** What a recipe is without being told otherwise; N and λ are those of the reference's first recipe. */
const DEFAULTS: LossOptions = { n: 32, lambda: 0.2, margin: 1 };

/** The reference's names without the encoder's, beside the readable ones. */
const REFERENCE_NAMES: readonly (readonly [reference: string, readable: string])[] = [
  ["multi_attention_model2_d2netloss", "d2net"],
  ["multi_attention_model2_d2netloss_backprop", "d2net-backprop"],
  ["multi_attention_model2_distinctiveness+_loss", "distinctiveness-n32-lambda0.2"],
  ["multi_attention_model2_distinctiveness+_lossN8_lambda1", "distinctiveness-n8-lambda1"],
  ["multi_attention_model2_distinctiveness+_lossN32_lambda1", "distinctiveness-n32-lambda1"],
  ["multi_attention_model2_distinctiveness+_lossN64_lambda1", "distinctiveness-n64-lambda1"],
  ["multi_attention_model2_distinctiveness+_lossN8_lambda01_sm", "distinctiveness-n8-lambda0.1-squashed"],
  ["multi_attention_model2_distinctiveness+_lossN8_lambda01_sm_SHARED", "distinctiveness-n8-lambda0.1-squashed-shared"],
  ["multi_attention_model2_distinctiveness+_lossN16_lambda01_sm", "distinctiveness-n16-lambda0.1-squashed"],
  ["multi_attention_model2_distinctiveness+_lossN16_lambda01_lowmargin", "distinctiveness-n16-lambda0.1-margin0.5"],
  [
    "multi_attention_model2_distinctiveness+_lossN16_lambda01_sm_lowmargin_SHARED",
    "distinctiveness-n16-lambda0.1-margin0.5-squashed-shared",
  ],
  ["multi_attention_model2_distinctiveness+_lossN2_lambda05_sm", "distinctiveness-n2-lambda0.5-squashed"],
  ["multi_attention_model2_distinctiveness+_lossN2_lambda05_sm_SHARED", "distinctiveness-n2-lambda0.5-squashed-shared"],
  ["multi_attention_model_d2netloss", "d2net-softmax"],
  ["multi_attention_model_d2netloss_backprop", "d2net-softmax-backprop"],
  ["multi_attention_model_distinctiveness+_loss", "distinctiveness-n32-lambda0.2-softmax"],
  ["multi_attention_model_distinctiveness+_lossN8_l1", "distinctiveness-n8-lambda1-softmax"],
  ["multi_attention_model_distinctiveness+_lossN32_l1", "distinctiveness-n32-lambda1-softmax"],
  ["multi_attention_model_distinctiveness_loss", "distinctiveness-softmax"],
];

/** The reference's names of recipes for attention, each of which may have `cfe64_`, `cfe32_` or `cfe16_` before it. */
export const REFERENCE_RECIPES: readonly string[] = REFERENCE_NAMES.map(([reference]) => reference);

/** Readable names of the same recipes. */
export const READABLE_RECIPES: readonly string[] = REFERENCE_NAMES.map(([, readable]) => readable);

/** Names of the recipes of encoders. */
export const ENCODER_RECIPES: readonly string[] = ENCODER_DIMS.map((dim) => `cfe${dim}`);

/** The recipe of that name, in the reference's words or in readable ones; an OptionError that lists the names otherwise. */
export function parseRecipe(name: string): Recipe {
  checkText("parseRecipe", "name", name);
  const [, prefix, rest] = /^(?:(cfe\d+)(?:_|$))?(.*)$/s.exec(name) as unknown as [string, string | undefined, string];
  const dim = prefix === undefined ? undefined : ENCODER_DIMS.find((d) => prefix === `cfe${d}`);
  if (prefix !== undefined && dim === undefined) throw unknown(name, `there is no encoder "${prefix}"`);
  if (dim !== undefined && name === prefix) {
    return { kind: "encoder", name, dim, correspondenceWeight: CORRESPONDENCE_WEIGHT, rate: ENCODER_RATE };
  }
  const known = REFERENCE_NAMES.find(([reference]) => reference === rest);
  // A reference name without an encoder's was trained on an older one, of which nothing is known but its size.
  return parseReadable(name, known ? known[1] : rest, dim);
}

/** The recipe for attention of that name; an OptionError for one of an encoder. */
export function parseAttentionRecipe(name: string): AttentionRecipe {
  const recipe = parseRecipe(name);
  if (recipe.kind === "encoder") throw unknown(name, "it trains an encoder, not attention");
  return recipe;
}

/** The recipe for encoders of that name; an OptionError for one of attention. */
export function parseEncoderRecipe(name: string): EncoderRecipe {
  const recipe = parseRecipe(name);
  if (recipe.kind === "attention") throw unknown(name, "it trains attention, not an encoder");
  return recipe;
}

const FLAGS = ["squashed", "softmax", "backprop", "shared"] as const;
type Flag = (typeof FLAGS)[number];
const NUMBERS = ["n", "lambda", "margin", "dim"] as const;
type NumberName = (typeof NUMBERS)[number];

/** LOSS[-nN][-lambdaΛ][-marginM][-squashed][-softmax][-backprop][-shared][-dimD], in any order after the loss. */
function parseReadable(name: string, readable: string, prefixDim: EncoderDim | undefined): AttentionRecipe {
  const [base, ...words] = readable.split("-");
  const flags = new Set<Flag>();
  const numbers = new Map<NumberName, number>();
  for (const word of words) {
    const flag = FLAGS.find((known) => known === word);
    const [, key, text] = /^(n|lambda|margin|dim)(\d+(?:\.\d+)?)$/.exec(word) ?? [];
    const twice = flag ? flags.has(flag) : numbers.has(key as NumberName);
    if (!flag && !key) throw unknown(name, `"${word}" says nothing about a recipe`);
    if (twice) throw unknown(name, `"${flag ?? key}" is there twice`);
    if (flag) flags.add(flag);
    else numbers.set(key as NumberName, Number(text));
  }
  const given = (["n", "lambda", "margin"] as const).filter((key) => numbers.has(key));
  const loss = lossFor(name, base, given);
  const options = { ...DEFAULTS, ...Object.fromEntries(given.map((key) => [key, numbers.get(key) as number])) };
  checkOptions(name, options);
  const dim = numbers.get("dim") ?? prefixDim ?? 64;
  if (prefixDim !== undefined && dim !== prefixDim) throw unknown(name, `it names two sizes, ${prefixDim} and ${dim}`);
  if (!isEncoderDim(dim)) throw unknown(name, `encoders have ${ENCODER_DIMS.join(", ")} channels, not ${dim}`);
  const [softmax, shared] = [flags.has("softmax"), flags.has("shared")];
  if (softmax && (shared || flags.has("squashed"))) {
    throw unknown(name, "a softmax head is one per level and its scores are below 1 already");
  }
  const recipe: AttentionRecipe = {
    kind: "attention",
    name: "",
    encoder: { dim, kind: shared ? "shared" : "plain" },
    attention: shared ? "shared_multi_attention_model2" : softmax ? "multi_attention_model" : "multi_attention_model2",
    loss,
    options,
    squash: flags.has("squashed") || shared,
    backprop: flags.has("backprop") || shared,
    shared,
    rate: ATTENTION_RATE,
    batch: ATTENTION_BATCH,
  };
  return { ...recipe, name: readableName(recipe) };
}

/** The loss of that name that knows the options given; where it does not, its elder with a "+" may. */
function lossFor(name: string, base: string, given: readonly (keyof LossOptions)[]): AttentionLossName {
  const candidates = Object.entries(ATTENTION_LOSSES).filter(([key]) => key === base || key === `${base}+`);
  if (candidates.length === 0) {
    throw unknown(name, `there is no loss "${base}"; losses are ${Object.keys(ATTENTION_LOSSES).join(", ")}`);
  }
  const fitting = candidates.find(([, loss]) => given.every((option) => loss.options.includes(option)));
  if (!fitting) throw unknown(name, `the loss ${base} knows no ${given.join(" and ")}`);
  return fitting[0] as AttentionLossName;
}

function checkOptions(name: string, { n, lambda, margin }: LossOptions): void {
  if (!Number.isInteger(n) || n < 2 || n % 2 !== 0 || n > 1024) {
    throw unknown(name, `n must be an even number from 2 to 1024, got ${n}`);
  }
  if (!Number.isFinite(lambda)) throw unknown(name, `lambda must be a number, got ${lambda}`);
  if (!(margin > 0 && margin <= 2)) throw unknown(name, `margin must lie above 0 and at most at 2, got ${margin}`);
}

const isEncoderDim = (dim: number): dim is EncoderDim => (ENCODER_DIMS as readonly number[]).includes(dim);

/** The readable name of a recipe; parsing it gives the recipe again. */
function readableName({ loss, options, attention, squash, backprop, shared, encoder }: AttentionRecipe): string {
  const known = ATTENTION_LOSSES[loss].options;
  const words: string[] = [loss.replace(/\+$/, "")];
  if (known.includes("n")) words.push(`n${options.n}`);
  if (known.includes("lambda")) words.push(`lambda${options.lambda}`);
  if (known.includes("margin") && options.margin !== DEFAULTS.margin) words.push(`margin${options.margin}`);
  if (squash) words.push("squashed");
  if (attention === "multi_attention_model") words.push("softmax");
  if (backprop && !shared) words.push("backprop");
  if (shared) words.push("shared");
  if (encoder.dim !== 64) words.push(`dim${encoder.dim}`);
  return words.join("-");
}

function unknown(name: string, reason: string): OptionError {
  const shown = name.length > 120 ? `${name.slice(0, 120)}…` : name;
  return new OptionError(
    `recipe "${shown}": ${reason}. Encoders: ${ENCODER_RECIPES.join(", ")}. Attention, readable: ` +
      `${READABLE_RECIPES.join(", ")}. Attention, as the reference calls them (with or without cfe64_ before): ` +
      `${REFERENCE_RECIPES.join(", ")}`,
  );
}
