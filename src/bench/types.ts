/**
 * What an evaluation works on and writes down. Two loops: features of every image first, then scores of every pair;
 * a pair's record stands for itself, so that runs can be compared pair by pair. Definitions: docs/benchmark.md.
 */
/** HPatches' two halves by the prefix of a sequence's name (`i_`, `v_`); anything else is "other". */
export type SequenceKind = "illumination" | "viewpoint" | "other";

/** Thresholds in pixels at which matches are counted: 1…15. */
export const THRESHOLDS: readonly number[] = Array.from({ length: 15 }, (_, i) => i + 1);

/** Corner errors in pixels up to which a homography counts as right. */
export const CORNER_THRESHOLDS = [1, 3, 5] as const;

/** How homographies are estimated from the matches; each has its own column in the results. */
export const ESTIMATORS = ["magsac", "ransac", "dlt"] as const;
/** Name of an estimator of homographies. */
export type Estimator = (typeof ESTIMATORS)[number];

/** One pair of images with the homography between them. */
export interface PairTruth {
  sequence: string;
  kind: SequenceKind;
  /** Numbers of the images, from 1: [1, 2] … [1, 6]. */
  images: [number, number];
  /** Row-major 3×3, pixels of the first image to pixels of the second (pixel centres on integers). */
  homography: Float64Array;
}

/** Scores of one pair's features; counts, so that any mean can be made of them later. */
export interface PairScores {
  /** Keypoints of each image. */
  keypoints: [number, number];
  /** Mutual nearest neighbours. */
  matches: number;
  /** Matches right at 1…15 px. */
  correct: number[];
  /** The same after the matches are cut to the inliers of a RANSAC homography (4 px, 10000 trials). */
  refined: { matches: number; correct: number[] };
  /** Keypoints of each image that the other image sees, and how many of them have a keypoint there within 3 px. */
  covisible: [number, number];
  repeated: [number, number];
  /** Mean distance in pixels of the four corners under the estimated and the true homography; null: none was found. */
  cornerError: Record<Estimator, number | null>;
  /** Seconds of matching, and of everything else. */
  seconds: { match: number; score: number };
}

/** What was run, on what, by whom: the same in every record of a run. */
export interface RunInfo {
  /** Unique name of the method and its settings: features and results of another one are never mixed with it. */
  key: string;
  /** As people call it: "strata-s", "orb", ".d2-net". */
  method: string;
  /** "own": the keypoints that the method gives by itself; "top-2000": the best 2000 of them. */
  protocol: string;
  /** SHA-256 of the model's weights, null where there is no model. */
  model: string | null;
  /** Extraction options, defaults included; what a method without options says of itself. */
  options: Record<string, unknown>;
  /** Matching and estimation: estimators with their thresholds, trials. */
  scoring: Record<string, unknown>;
  /** strata, node, onnxruntime; of a baseline also `detector`. */
  versions: Record<string, string>;
  seed: number;
  machine: { cpu: string; cores: number; memoryGiB: number; platform: string };
  /** Name and SHA-256 over all images and homographies of the data set. */
  data: { name: string; digest: string };
}

/** One line of a results file. */
export interface PairRecord extends PairScores {
  sequence: string;
  kind: SequenceKind;
  images: [number, number];
  run: RunInfo;
}

/** A record without what it has in common with the others of its run. */
export type ScoredPair = Omit<PairRecord, "run">;

/** What the extraction of one image took. */
export interface ImageRecord {
  sequence: string;
  image: number;
  keypoints: number;
  /** Seconds from pixels to features, null for features that came from a file. */
  seconds: number | null;
  /** Peak resident memory of the process so far, in MB. */
  peakMB: number | null;
  /** Threads that it had, null as above; other jobs may have run beside it. */
  threads?: number | null;
  /** Why it ran elsewhere than was asked for (there is no such GPU, say). */
  fallback?: string;
}

/** A finished evaluation of one method under one protocol. */
export interface MethodRun {
  info: RunInfo;
  records: PairRecord[];
  images: ImageRecord[];
}

/** Means over pairs. */
export interface Summary {
  pairs: number;
  /** Pairs without a single match; they count 0. */
  empty: number;
  /** Mean matching accuracy at 1…15 px. */
  mma: number[];
  refinedMma: number[];
  /** Means per image and per pair. */
  features: number;
  matches: number;
  refinedMatches: number;
  repeatability: number;
  matchingScore: number;
  /** Share of pairs with a corner error up to 1, 3, 5 px, and area under that curve up to there. */
  homography: Record<Estimator, { accuracy: number[]; auc: number[] }>;
}

/** Summaries by kind; null where there is no pair of that kind. */
export interface KindSummaries {
  all: Summary;
  illumination: Summary | null;
  viewpoint: Summary | null;
}

/** An MMA curve from elsewhere: published, or from the reference's cache. */
export interface MethodCurve {
  name: string;
  /** Whether it is of matches refined by RANSAC. */
  refined: boolean;
  thresholds: number[];
  overall: number[];
  illumination: number[];
  viewpoint: number[];
  meanFeatures: number;
  meanMatches: number;
}

/** What is made of single photographs: a turn in degrees, or a zoom by a factor. */
export type Change = "rotation" | "scale";

/** Scores of a photograph's features against those of the same photograph changed. */
export interface ChangeScores extends Pick<PairScores, "matches" | "correct"> {
  cornerError: Pick<PairScores["cornerError"], "magsac">;
}

/** One line of a file of curves. */
export interface ChangeRecord extends ChangeScores {
  /** "v_graf/1.png" */
  photo: string;
  change: Change;
  value: number;
  run: RunInfo;
}

/** Scores over a change that is made to single photographs. */
export interface ChangeCurve {
  method: string;
  protocol: string;
  change: Change;
  /** Names of the photographs. */
  photos: string[];
  values: number[];
  /** Means over the photographs, one per value. */
  mma3: number[];
  /** Share of pairs whose MAGSAC homography has a corner error ≤ 3 px. */
  homography3: number[];
  matches: number[];
}
