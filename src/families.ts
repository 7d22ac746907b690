/**
 * The families of models, a row each. Opening (Node and web), training, import, packing and export ask this table, so a
 * new family is its network (model/), how its maps are read (extract/), and a row. Networks of one score map share a
 * reading (extract/score.ts): of those a new one is a network and a row, and it can be trained at once.
 */
import { checkObject, checkText, jsonText } from "./check.js";
import { FormatError, OptionError } from "./errors.js";
import {
  checkTensors,
  type OpenedModel,
  openTrained,
  type ReferenceChoices,
  refuseReferenceChoices,
  type TrunkFacts,
  trunkFacts,
} from "./extract/models.js";
import { scoreDefaults, scoreModel } from "./extract/score.js";
import { parseVerdictModel } from "./geometry/verdict.js";
import { BACKBONE_PREFIX, type Tensors } from "./model/checkpoint.js";
import { parseStrataConfig, type StrataConfig } from "./model/config.js";
import { fold } from "./model/layers/folded.js";
import type { Network } from "./model/layers/layers.js";
import { unpackTensors } from "./model/pack.js";
import { depthUnder, ORDINARY, resnet } from "./model/resnet.js";
import type { ScoreConfig } from "./model/score-config.js";
import type { ScoreNetwork } from "./model/score-network.js";
import { STRATA_MARK, strataNetwork } from "./model/strata.js";
import { fitStrata } from "./model/strata-fit.js";
import { WeightReader } from "./model/weights.js";

export interface Family {
  /** The `kind` in config.json; a configuration without one is of the first family. */
  readonly kind: string;
  /**
   * A model from its tensors and its configuration; `sha256` is the weights', "" where it cannot be computed. FormatErrors
   * for what is damaged, OptionErrors for what is not offered.
   */
  open(where: string, tensors: Tensors, json: Json, choices: ReferenceChoices, sha256: string): OpenedModel;
  /** Throws what using the weights would throw. For what is about to be written. */
  check(where: string, tensors: Tensors, json: Json): void;
  /** Of networks of one score map: what training, import and packing need. */
  readonly score?: ScoreFamily;
  /** Of what heads of the reference can be put on: what its configuration says. */
  trunk?(where: string, json: Json, sha256: string): TrunkFacts;
  /** How an exported graph makes its list of keypoints (export/features.ts); absent: it is not exported. */
  readonly exportList?: ExportList;
}

/** Ways in which exported graphs list keypoints. */
export type ExportList = "score" | "reference";

type Json = Record<string, unknown>;

export interface ScoreFamily {
  /** A tensor that all its models have and no others; it tells weights without a configuration. */
  readonly mark: string;
  /** Its configuration, read strictly; FormatError. */
  parse(where: string, json: unknown): ScoreConfig;
  /** The network of a configuration that was parsed. */
  network(config: ScoreConfig): Network<ScoreNetwork>;
  /** Weights of another shape made to fit, as far as they can, for a training to begin with. */
  adapt(tensors: Tensors, config: ScoreConfig): Tensors;
}

/** What a family of one score map says of itself, by the type of its own configuration. */
interface ScoreRow<C extends ScoreConfig> {
  kind: string;
  mark: string;
  parse(where: string, json: unknown): C;
  network(config: C): Network<ScoreNetwork>;
  adapt?(tensors: Tensors, config: C): Tensors;
}

/** The row of a family of one score map. */
export function scoreFamily<C extends ScoreConfig>(row: ScoreRow<C>): Family {
  const { kind, mark } = row;
  const score: ScoreFamily = {
    mark,
    parse(where, json) {
      const { kind: own, ...config } = Object(json) as Json;
      // The first family's configurations do not say their kind.
      return own === undefined ? row.parse(where, json) : { kind, ...row.parse(where, config) };
    },
    network: (config) => row.network(config as C),
    adapt: (tensors, config) => row.adapt?.(tensors, config as C) ?? tensors,
  };
  const family: Family = {
    kind,
    score,
    open(where, tensors, json, choices, sha256) {
      refuseReferenceChoices(where, choices);
      const config = score.parse(`${where}, its configuration`, json);
      if (sha256 && config.sha256 !== undefined && config.sha256 !== sha256) {
        throw new FormatError(`${where}: the weights have SHA-256 ${sha256}, the configuration says ${config.sha256}`);
      }
      if (config.verdict) parseVerdictModel(`${where}, its configuration`, config.verdict);
      const reader = new WeightReader(where, unpackTensors(where, tensors));
      const model = scoreModel(kind, config, score.network(config), reader, sha256);
      return { kind, model, defaults: scoreDefaults(config), config: { ...config } };
    },
    check: (where, tensors, json) => void family.open(where, tensors, json, {}, ""),
    exportList: "score",
  };
  return family;
}

const strata = scoreFamily<StrataConfig>({
  kind: "strata",
  mark: STRATA_MARK,
  parse: parseStrataConfig,
  network: (config) => (layers) => strataNetwork(layers, config),
  adapt: fitStrata,
});

/** Networks of the reference, trained or imported. */
const reference: Family = {
  kind: "reference",
  open: openTrained,
  check: (where, tensors, json) => void openTrained(where, tensors, json, {}, ""),
  trunk: trunkFacts,
  exportList: "reference",
};

/** ResNets that heads of the reference can be put on. */
const backbone: Family = {
  kind: "backbone",
  open(where) {
    throw new OptionError(
      `${where} is a backbone alone and finds no features; put attention heads on it (attentionCkpt, --attention-ckpt), or train them (strata train)`,
    );
  },
  check(where, tensors, json) {
    trunkFacts(where, json, "");
    const depth = depthUnder(where, tensors, BACKBONE_PREFIX);
    fold((layers) => resnet(layers, BACKBONE_PREFIX, depth, ORDINARY), new WeightReader(where, tensors));
  },
  trunk: trunkFacts,
};

export const FAMILIES: readonly Family[] = [strata, reference, backbone];

/** The family of a configuration; a FormatError where it names one that is not known. */
export function familyOf(where: string, json: unknown): Family {
  const kind = typeof json === "object" && json !== null && "kind" in json ? json.kind : FAMILIES[0].kind;
  const family = FAMILIES.find((one) => one.kind === kind);
  if (family) return family;
  const known = FAMILIES.map((one) => `"${one.kind}"`).join(", ");
  throw new FormatError(`${where}, its configuration: "kind" must be one of ${known}, got ${jsonText(kind)}`);
}

/** What a configuration's family offers to training, import and packing; an OptionError where it is of another kind. */
export function scoreFamilyOf(where: string, json: unknown): ScoreFamily {
  const { kind, score } = familyOf(where, json);
  if (score) return score;
  const known = FAMILIES.flatMap((one) => (one.score ? `"${one.kind}"` : [])).join(", ");
  throw new OptionError(`${where}: a model of kind "${kind}"; only those of ${known} can do this`);
}

/** The family that has `kind`, or none. */
export const familyNamed = (kind: string): Family | undefined => FAMILIES.find((one) => one.kind === kind);

/** A model of any family from its tensors and its parsed config.json; `sha256` "" where it cannot be computed. */
export function openModel(
  where: string,
  tensors: Tensors,
  json: unknown,
  choices: ReferenceChoices,
  sha256: string,
): OpenedModel {
  checkTensors("openModel", tensors);
  checkText("openModel", "sha256", sha256);
  checkObject("openModel", "choices", choices);
  return familyOf(where, json).open(where, tensors, json as Json, choices, sha256);
}

/** A model of a configuration, as `openModel`, without choices. */
export const openStrata = (where: string, tensors: Tensors, json: unknown, sha256: string): OpenedModel =>
  openModel(where, tensors, json, {}, sha256);
