/** Whose weights these are: told by the names of the tensors, also where some of them are missing, so that what is missing can be said. */
import { FormatError } from "../errors.js";
import { FAMILIES } from "../families.js";
import { ENCODER_PREFIX, hasHeads, type Tensors } from "../model/checkpoint.js";
import { isDelgName } from "./delg.js";
import type { ImportKind } from "./kinds.js";

/** What was read. */
export interface ImportSource {
  /** Names it in errors. */
  where: string;
  /** Its file's name without the ending. */
  name: string;
  tensors: Tensors;
  /** The parsed JSON beside a .safetensors file. */
  config?: Record<string, unknown>;
}

/** A tensor that only a ResNet has, with what stands before it. */
const RESNET = /^(.*?)layer1\.0\.conv1\.weight$/;

/** The kind of weights: strata's own where its configuration lies beside them, or told by the names. */
export function kindOf({ where, tensors, config }: ImportSource): ImportKind {
  const names = [...tensors.keys()];
  const isOwn = FAMILIES.some(({ kind, score }) => config?.kind === kind || (score && tensors.has(score.mark)));
  if (isOwn) return "strata";
  if (names.some(isDelgName)) return "delg";
  if (hasHeads(tensors) || names.some((name) => name.startsWith(ENCODER_PREFIX))) return "reference";
  if (names.some((name) => RESNET.test(name))) return "torchvision";
  const [first] = names;
  const what = first === undefined ? "it has no tensors" : `its first of ${names.length} tensors is "${first}"`;
  throw new FormatError(
    `${where}: neither DELG's ResNet (resnet_v1_50/*), nor one of torchvision (layer1.0.conv1.weight, …), nor a ` +
      `checkpoint of the reference (feature_encoder.*, *attention*), nor a model of strata with its config.json; ${what}`,
  );
}

/** What stands before torchvision's names: "", "module.", …; null without a ResNet, a FormatError where there are two. */
export function resnetPrefix(where: string, tensors: Tensors): string | null {
  const prefixes = [...tensors.keys()].flatMap((name) => RESNET.exec(name)?.[1] ?? []);
  if (prefixes.length > 1) {
    throw new FormatError(`${where}: ${prefixes.length} ResNets in one file, under "${prefixes.join('", "')}"`);
  }
  return prefixes[0] ?? null;
}
