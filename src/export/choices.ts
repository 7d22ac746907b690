/** Element types of an exported file's pixels; apart, for the command line reads them before anything else. */
export const PIXEL_TYPES = ["uint8", "float32"] as const;
export type PixelType = (typeof PIXEL_TYPES)[number];
