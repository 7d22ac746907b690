/** Made-up runs whose means are known without computing them; for the tests of the report. */
import type { PairRecord, RunInfo, SequenceKind } from "../../../../src/bench/types.js";
import { type ImageRecord, type MethodRun, THRESHOLDS } from "../../../../src/bench/types.js";

export function infoOf(change: Partial<RunInfo> = {}): RunInfo {
  return {
    key: "alpha-1",
    method: "alpha",
    protocol: "own",
    model: "ab".repeat(32),
    options: { threshold: 0.05, nms: true, maxFeatures: null },
    scoring: { magsac: { threshold: 3 }, trials: 10000 },
    versions: { strata: "0.1.0", node: "v20.0.0" },
    seed: 7,
    machine: { cpu: "Some CPU", cores: 2, memoryGiB: 7.75, platform: "linux-x64" },
    data: { name: "drawn", digest: "cd".repeat(32) },
    ...change,
  };
}

/** A pair with 100 matches (or none) of which `right` are right at 3 px and further on, half of them at 1 and 2 px. */
export function pairOf(
  info: RunInfo,
  sequence: string,
  images: [number, number],
  right: number | null,
  cornerError: number | null = null,
): PairRecord {
  const kinds: Record<string, SequenceKind> = { i_: "illumination", v_: "viewpoint" };
  const matches = right === null ? 0 : 100;
  const correct = THRESHOLDS.map((t) => (t < 3 ? Math.floor((right ?? 0) / 2) : (right ?? 0)));
  return {
    sequence,
    kind: kinds[sequence.slice(0, 2)] ?? "other",
    images,
    run: info,
    keypoints: [400, 200],
    matches,
    correct,
    refined: { matches: right ?? 0, correct },
    covisible: [100, 100],
    repeated: [50, 50],
    cornerError: { magsac: cornerError, ransac: cornerError, dlt: null },
    seconds: { match: 0.25, score: 0.5 },
  };
}

/** MMA@3: illumination (0.5 + 0.7) / 2 = 0.6, viewpoint (0.2 + 0) / 2 = 0.1, all 0.35. Corner errors ≤ 3 px: 2 of 4. */
export function alpha(change: Partial<RunInfo> = {}): MethodRun {
  const info = infoOf(change);
  const records = [
    pairOf(info, "i_one", [1, 2], 50, 0.5),
    pairOf(info, "i_one", [1, 3], 70, 2.5),
    pairOf(info, "v_two", [1, 2], 20, 9.75),
    pairOf(info, "v_two", [1, 3], null, null),
  ];
  return { info, records, images: imagesOf([0.3, 0.1, 0.2], 512) };
}

/** Everything right by 0.9, on the same pairs. */
export function beta(change: Partial<RunInfo> = {}): MethodRun {
  const info = infoOf({ key: "beta-1", method: "beta", model: null, options: {}, ...change });
  const records = alpha().records.map(({ sequence, images }) => pairOf(info, sequence, images, 90, 1));
  return { info, records, images: imagesOf([null, null], null) };
}

function imagesOf(seconds: (number | null)[], peakMB: number | null): ImageRecord[] {
  return seconds.map((time, i) => ({ sequence: "i_one", image: i + 1, keypoints: 300, seconds: time, peakMB }));
}
