/** Features, records and runs made by hand for the benchmark's tests. */
import {
  type MethodRun,
  type PairRecord,
  type RunInfo,
  type ScoredPair,
  THRESHOLDS,
} from "../../../src/bench/types.js";
import type { Features } from "../../../src/features.js";

/** Keypoint i has the unit vector along `axes[i]` as its descriptor, so it matches the keypoint with the same axis. */
export function featuresAt(
  points: readonly (readonly [number, number])[],
  { axes = points.map((_, i) => i), dim = 64, size = [640, 480] as [number, number] } = {},
): Features {
  const count = points.length;
  const descriptors = new Float32Array(count * dim);
  for (const [i, axis] of axes.entries()) descriptors[i * dim + axis] = 1;
  return {
    count,
    dim,
    imageSize: size,
    keypoints: Float32Array.from(points.flat()),
    scores: new Float32Array(count).fill(1),
    descriptors,
  };
}

/** A pair's scores with `correct` right matches at every threshold. */
export function scored(sequence: string, k: number, changes: Partial<ScoredPair> = {}, right = 0): ScoredPair {
  const correct = THRESHOLDS.map(() => right);
  return {
    sequence,
    kind: sequence.startsWith("v_") ? "viewpoint" : sequence.startsWith("i_") ? "illumination" : "other",
    images: [1, k],
    keypoints: [100, 100],
    matches: 10,
    correct,
    refined: { matches: 10, correct },
    covisible: [50, 50],
    repeated: [25, 25],
    cornerError: { magsac: 2, ransac: 4, dlt: null },
    seconds: { match: 0, score: 0 },
    ...changes,
  };
}

export function runOf(pairs: readonly ScoredPair[], info: Partial<RunInfo> = {}): MethodRun {
  const run: RunInfo = {
    key: "made-1",
    method: "made",
    protocol: "own",
    model: null,
    options: {},
    scoring: { refinement: { threshold: 4 }, seed: 0, maxFeatures: null },
    versions: {},
    seed: 0,
    machine: { cpu: "none", cores: 1, memoryGiB: 1, platform: "none" },
    data: { name: "made", digest: "00ff" },
    ...info,
  };
  const records: PairRecord[] = pairs.map((pair) => ({ ...pair, run }));
  return { info: run, records, images: [] };
}
