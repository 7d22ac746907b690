/** What a checkpoint of the reference has in it, told by the names of its tensors: a backbone, heads, and of which kind. */
import { FormatError } from "../errors.js";
import type { NdArray } from "../formats/ndarray.js";
import { type AttentionKind, isShared } from "./attention-kinds.js";
import type { WeightReader } from "./weights.js";

export type Tensors = ReadonlyMap<string, NdArray>;

/** Before the names of encoders and decoders. */
export const ENCODER_PREFIX = "feature_encoder.";
/** Before the names of torchvision's ResNet. */
export const BACKBONE_PREFIX = `${ENCODER_PREFIX}resnet.`;

/** Names of heads, of whatever kind. */
export const HEADS = /^(early|middle|deep)_attentions\.|^attention\./;

/** Tensors of a whole checkpoint with the heads (and encoders) of another put in place of its own. */
export function withHeads(whole: Tensors, heads: Tensors): Map<string, NdArray> {
  const merged = new Map([...whole].filter(([name]) => !HEADS.test(name)));
  for (const [name, tensor] of heads) merged.set(name, tensor);
  return merged;
}

/** Whether a checkpoint has a backbone, or heads only. */
export const hasBackbone = (tensors: Tensors): boolean => tensors.has(`${BACKBONE_PREFIX}conv1.weight`);

export const hasHeads = (tensors: Tensors): boolean => [...tensors.keys()].some((name) => HEADS.test(name));

/** All kinds of head among the tensors; more than one where a checkpoint carries what another kind needs. */
export function attentionKinds(tensors: Tensors): AttentionKind[] {
  const kinds: AttentionKind[] = [];
  if (tensors.has("early_attentions.0.weight")) kinds.push("multi_attention_model2");
  if (tensors.has("early_attentions.weight")) kinds.push("multi_attention_model");
  if (tensors.has("attention.0.weight")) {
    kinds.push(tensors.has(`${ENCODER_PREFIX}p1.0.weight`) ? "shared_multi_attention_model2" : "attention_model");
  }
  return kinds;
}

/** The kind of attention head, told by the tensors. */
export function attentionKind(where: string, tensors: Tensors): AttentionKind {
  const [kind] = attentionKinds(tensors);
  if (kind) return kind;
  throw new FormatError(
    `${where}: no attention head among its ${tensors.size} tensors (early_attentions.*, attention.*)`,
  );
}

/** The encoder that says how long descriptors are. */
export const firstEncoder = (attention: AttentionKind): string =>
  `${ENCODER_PREFIX}${isShared(attention) ? "encoder" : "e1"}.0.weight`;

/** Marks what a checkpoint may hold beside a network: decoders, the classifier, counted batches, another kind's encoders and heads. */
export function ignoreBeside(reader: WeightReader, attention: AttentionKind): void {
  reader.ignore(/^feature_encoder\.(d[123]|decoder)\.|^feature_encoder\.resnet\.fc\.|\.num_batches_tracked$/);
  if (isShared(attention)) reader.ignore(/^feature_encoder\.e[123]\.|^(early|middle|deep)_attentions\./);
  else reader.ignore(/^feature_encoder\.(encoder|p[123])\./);
}
