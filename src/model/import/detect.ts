/**
 * Whose weights these are, and how deep a ResNet: told by the names of the tensors, also where some of them are missing, so
 * that what is missing can be said.
 */
import { FormatError } from "../../errors.js";
import { ENCODER_PREFIX, hasHeads, type Tensors } from "../checkpoint.js";
import { BLOCKS, DEPTHS, type Depth, isBottleneck } from "../resnet.js";
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

/** A tensor that every model of the default family has. */
const OWN = "levels.0.a.conv.weight";

/** A tensor that only a ResNet has, with what stands before it. */
const RESNET = /^(.*?)layer1\.0\.conv1\.weight$/;

/** The kind of weights: strata's own where its configuration lies beside them, or told by the names. */
export function kindOf({ where, tensors, config }: ImportSource): ImportKind {
  const names = [...tensors.keys()];
  if (config?.kind === "reference" || config?.kind === "backbone" || tensors.has(OWN)) return "strata";
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

/**
 * The depth of the ResNet under `prefix`, told by how many blocks its layers have, also where some tensors are missing. A
 * FormatError says the blocks that were found where they are those of none.
 */
export function depthUnder(where: string, tensors: Tensors, prefix: string): Depth {
  const counts = [0, 0, 0, 0];
  let bottlenecks = false;
  for (const name of tensors.keys()) {
    if (!name.startsWith(prefix)) continue;
    const [, layer, block, rest] = /^layer([1-4])\.(\d{1,4})\.(.+)$/.exec(name.slice(prefix.length)) ?? [];
    if (layer === undefined) continue;
    counts[Number(layer) - 1] = Math.max(counts[Number(layer) - 1], Number(block) + 1);
    bottlenecks ||= rest.startsWith("conv3.");
  }
  const depth = DEPTHS.find(
    (known) => isBottleneck(known) === bottlenecks && BLOCKS[known].every((count, i) => count === counts[i]),
  );
  if (depth !== undefined) return depth;
  throw new FormatError(
    `${where}: its layers have ${counts.join(", ")} ${bottlenecks ? "bottlenecks" : "basic blocks"}; expected those of ` +
      DEPTHS.map((known) => `ResNet-${known} (${BLOCKS[known].join(", ")})`).join(", "),
  );
}
