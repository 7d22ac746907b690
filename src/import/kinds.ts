/** Whose weights can be imported: DELG's ResNet (TensorFlow), torchvision's, the reference's checkpoints, strata's own. */
export const IMPORT_KINDS = ["auto", "delg", "torchvision", "reference", "strata"] as const;
export type ImportKind = Exclude<(typeof IMPORT_KINDS)[number], "auto">;
