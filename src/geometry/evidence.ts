/** What speaks for the geometry of two images, in the order of the weights; each model's verdict says what it measures. */
export const EVIDENCE = ["inliers", "share", "spread", "tightness", "form"] as const;
export type EvidenceName = (typeof EVIDENCE)[number];
export type Evidence = Record<EvidenceName, number>;
