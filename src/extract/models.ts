/** What an opened model is, and how checkpoints of the reference are opened. */

import { checkMap, checkObject, checkText } from "../check.js";
import { FormatError, OptionError } from "../errors.js";
import { checkNdArray } from "../formats/ndarray.js";
import { ATTENTION_KINDS, type AttentionKind } from "../model/attention-kinds.js";
import { attentionKind, BACKBONE_PREFIX, firstEncoder, type Tensors } from "../model/checkpoint.js";
import { ENCODER_DIMS } from "../model/reference.js";
import { resnetDepth } from "../model/resnet.js";
import { checkKeys, checkModelName } from "../model/score-config.js";
import { WeightReader } from "../model/weights.js";
import { checkChoice, checkNumber } from "../options.js";
import type { DenseModel } from "./dense-model.js";
import { checkBoolean, type ExtractOptions } from "./options.js";
import { PREPROCESSINGS, type PreprocessingName } from "./preprocess.js";
import { REFERENCE_DEFAULTS, referenceModel } from "./reference.js";

export { attentionKind, hasBackbone, hasHeads, type Tensors, withHeads } from "../model/checkpoint.js";

/** A model and the extraction options it comes with. */
export interface OpenedModel {
  /** Its family's, in families.ts. */
  kind: string;
  model: DenseModel;
  defaults: Partial<ExtractOptions>;
  /** What the model was made of, for `strata info`. */
  config: Record<string, unknown>;
}

/** How a checkpoint of the reference is to be run. */
export interface ReferenceChoices {
  /** Default "auto": told by the tensors. */
  attentionModel?: AttentionKind | "auto";
  /** Default 1. */
  firstStride?: 1 | 2;
  /** Default false. */
  replaceStrides?: boolean;
  /** Default "torch". */
  preprocessing?: PreprocessingName;
}

/** Tensors by name, each of them whole. */
export function checkTensors(where: string, tensors: Tensors): void {
  checkMap(where, "tensors", tensors);
  for (const [name, tensor] of tensors) checkNdArray(`${where}: ${JSON.stringify(name)}`, tensor);
}

/**
 * A model of the reference from the tensors of a checkpoint in its layout. Scores are not squashed here, not even for
 * names with `_sm`: that squashing belongs to their training loss, and the reference extracts without it.
 */
export function openReference(
  where: string,
  name: string,
  tensors: Tensors,
  choices: ReferenceChoices,
  sha256: string,
): OpenedModel {
  checkTensors("openReference", tensors);
  checkText("openReference", "name", name);
  checkText("openReference", "sha256", sha256);
  checkObject("openReference", "choices", choices);
  const { attentionModel = "auto", firstStride = 1, replaceStrides = false, preprocessing = "torch" } = choices;
  checkChoice(where, "attentionModel", attentionModel, ["auto", ...ATTENTION_KINDS]);
  checkChoice(where, "preprocessing", preprocessing, PREPROCESSINGS);
  checkNumber(where, "firstStride", firstStride, { min: 1, max: 2, integer: true });
  checkBoolean(where, "replaceStrides", replaceStrides);
  const reader = new WeightReader(where, tensors);
  const depth = resnetDepth(reader, BACKBONE_PREFIX);
  if (depth === null) {
    throw new FormatError(
      `${where}: no ResNet-18, 34, 50 or 101 under "${BACKBONE_PREFIX}", so not a whole checkpoint of the reference; ${listed(tensors)}`,
    );
  }
  const attention = attentionModel === "auto" ? attentionKind(where, tensors) : attentionModel;
  const encoder = firstEncoder(attention);
  const dim = tensors.get(encoder)?.shape[0];
  if (dim === undefined || !(ENCODER_DIMS as readonly number[]).includes(dim)) {
    throw new FormatError(
      `${where}: "${encoder}" must be there with ${ENCODER_DIMS.join(" or ")} channels, got ${dim ?? "no such tensor"}`,
    );
  }
  const options = { firstStride, replaceStrideWithDilation: replaceStrides, preprocessing, squash: false } as const;
  return {
    kind: "reference",
    model: referenceModel(name, reader, sha256, { depth, attention, dim }, options),
    defaults: REFERENCE_DEFAULTS,
    config: { backbone: `resnet${depth}`, descriptorDim: dim, attention, ...options },
  };
}

/** What a file has in place of what was looked for. */
function listed(tensors: Tensors): string {
  const [first] = tensors.keys();
  return first === undefined ? "it has no tensors" : `its first of ${tensors.size} tensors is "${first}"`;
}

/** What the configuration of a network of the reference, or of a backbone, has to say. */
export interface TrunkFacts {
  name: string;
  /** null where nothing is said: a backbone may be used with any. */
  preprocessing: PreprocessingName | null;
}

/** What these configurations may hold: what is read, and what training and import note. */
const TRUNK_FIELDS = [
  ...["kind", "name", "preprocessing", "backbone", "attention", "descriptorDim"],
  ...["sha256", "parameters", "recipe", "training", "source"],
] as const;

/** Reads them; a FormatError for what is missing or not known, and for a checksum that is not the weights'. */
export function trunkFacts(where: string, config: Record<string, unknown>, sha256: string): TrunkFacts {
  const { preprocessing, sha256: expected } = config;
  checkKeys(`${where}, its configuration`, "", config, TRUNK_FIELDS);
  const name = checkModelName(`${where}, its configuration`, config.name);
  const own = PREPROCESSINGS.find((known) => known === preprocessing) ?? null;
  if (own === null && !(preprocessing === undefined && config.kind === "backbone")) {
    throw new FormatError(
      `${where}, its configuration: "preprocessing" must be one of ${PREPROCESSINGS.join(", ")}, got ${preprocessing}`,
    );
  }
  if (sha256 && expected !== sha256) {
    throw new FormatError(`${where}: the weights have SHA-256 ${sha256}, the configuration says ${expected}`);
  }
  return { name, preprocessing: own };
}

/**
 * A network of the reference that was trained here or imported, from its tensors and its configuration, which says the
 * preprocessing. A choice that is given goes before what the configuration says.
 */
export function openTrained(
  where: string,
  tensors: Tensors,
  config: Record<string, unknown>,
  choices: ReferenceChoices,
  sha256: string,
): OpenedModel {
  const { name, preprocessing } = trunkFacts(where, config, sha256);
  const opened = openReference(
    where,
    name,
    tensors,
    { ...choices, preprocessing: choices.preprocessing ?? preprocessing ?? undefined },
    sha256,
  );
  // A configuration says what the tensors are; where it says something else, one of the two is another model's.
  for (const key of ["backbone", "attention", "descriptorDim"] as const) {
    const chosen = key === "attention" && choices.attentionModel !== undefined;
    if (config[key] === undefined || chosen || config[key] === opened.config[key]) continue;
    throw new FormatError(
      `${where}, its configuration: "${key}" is ${JSON.stringify(config[key])}, by the tensors it is ` +
        JSON.stringify(opened.config[key]),
    );
  }
  const facts = ["recipe", "training", "source"].filter((key) => config[key] !== undefined);
  return { ...opened, config: { ...opened.config, ...Object.fromEntries(facts.map((key) => [key, config[key]])) } };
}

/** Throws an OptionError when choices that only the reference knows are given with a model of another kind. */
export function refuseReferenceChoices(where: string, choices: ReferenceChoices): void {
  const given = Object.entries(choices).find(([, value]) => value !== undefined);
  if (given)
    throw new OptionError(`${where}: "${given[0]}" is for checkpoints of the reference network, not for this model`);
}
