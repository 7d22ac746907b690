/** The kinds of attention head that checkpoints of the reference have. */
export const ATTENTION_KINDS = [
  "multi_attention_model2",
  "multi_attention_model",
  "attention_model",
  "shared_multi_attention_model2",
] as const;
export type AttentionKind = (typeof ATTENTION_KINDS)[number];

/** Whether encoder and head are one for all levels. */
export const isShared = (kind: AttentionKind): boolean => kind === "shared_multi_attention_model2";
