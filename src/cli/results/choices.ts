/** Words of the command line that more than one file here knows. */

/** Formats of features; h5 is one file, the others are one per image. */
export const TARGETS = ["h5", "npz", "mat", "json", "opencv", "csv", "colmap"] as const;

/** What makes a pair a verified one. */
export const VERIFICATIONS = ["none", "homography", "all"] as const;
