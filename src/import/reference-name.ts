/**
 * What the name of a checkpoint of the reference says about what is in it: `cfe64_multi_attention_model2_…_SHARED` has an
 * encoder of 64 channels and one head for all levels. reference.md §3 lists the 19 names of recipes.
 */
import type { AttentionKind } from "../model/attention-kinds.js";

export interface NamedParts {
  attention: AttentionKind;
  /** Channels of the encoder; null where the name does not say. */
  dim: number | null;
}

const NAME =
  /^(?:cfe(\d+)_)?(multi_attention_model2|multi_attention_model|attention_model)_(?:d2netloss|distinctiveness)/;

/** null for names that are none of the reference's. */
export function partsOfName(name: string): NamedParts | null {
  const [, dim, attention] = NAME.exec(name) ?? [];
  if (attention === undefined) return null;
  const shared = name.endsWith("_SHARED") && attention === "multi_attention_model2";
  return {
    attention: shared ? "shared_multi_attention_model2" : (attention as AttentionKind),
    dim: dim === undefined ? null : Number(dim),
  };
}
