/**
 * Whose weights can be imported, told by the names of the tensors: DELG's ResNet-50 (TensorFlow), torchvision's ResNets,
 * checkpoints of the reference, and strata's own models.
 */
export const IMPORT_KINDS = ["auto", "delg", "torchvision", "reference", "strata"] as const;
export type ImportKind = Exclude<(typeof IMPORT_KINDS)[number], "auto">;
