/** Element types of an exported file's pixels; apart, for the command line reads them before anything else. */
export const PIXEL_TYPES = ["uint8", "float32"] as const;
export type PixelType = (typeof PIXEL_TYPES)[number];

/** What an exported file is shaped for: strata's own form, or the one that COLMAP runs as an ALIKED model. */
export const EXPORT_FORMATS = ["strata", "colmap"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
