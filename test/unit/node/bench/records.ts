/** Made-up records of results. */
import type { PairRecord, RunInfo } from "../../../../src/bench/types.js";
import { THRESHOLDS } from "../../../../src/bench/types.js";

export function madeInfo(changes: Partial<RunInfo> = {}): RunInfo {
  return {
    key: "fake-0123",
    method: "fake",
    protocol: "own",
    model: "00",
    options: { nms: true },
    scoring: { threshold: 4 },
    versions: { strata: "1" },
    seed: 0,
    machine: { cpu: "none", cores: 1, memoryGiB: 1, platform: "linux x64" },
    data: { name: "data", digest: "dd" },
    ...changes,
  };
}

/** A pair with `matches` matches, of which `right` are right at every threshold. */
export function madeRecord(
  sequence: string,
  second: number,
  { matches = 10, right = 5, corner = 2 as number | null, run = madeInfo() } = {},
): PairRecord {
  const correct = THRESHOLDS.map(() => right);
  return {
    sequence,
    kind: sequence.startsWith("i_") ? "illumination" : "viewpoint",
    images: [1, second],
    keypoints: [20, 30],
    matches,
    correct,
    refined: { matches: right, correct },
    covisible: [20, 20],
    repeated: [10, 10],
    cornerError: { magsac: corner, ransac: corner, dlt: null },
    seconds: { match: 0.01, score: 0.02 },
    run,
  };
}
