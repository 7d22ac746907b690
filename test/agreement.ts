/** Compares two sets of features point by point, whatever their order: reference.md §5. */

interface Points {
  count: number;
  keypoints: Float32Array;
  scores: Float32Array;
  descriptors: Float32Array;
}

export interface Agreement {
  /** Share of the expected points that have a partner within all tolerances. */
  share: number;
  /** Largest differences among those with a partner at all. */
  position: number;
  score: number;
  descriptor: number;
  missing: number;
}

export interface Tolerances {
  /** Pixels. */
  position?: number;
  /** Relative, or absolute below 1. */
  score?: number;
  /** Largest difference of one entry. */
  descriptor?: number;
}

/** How many of the expected points are found again; of several near one position, the one with the nearest descriptor. */
export function agreement(
  actual: Points,
  expected: Points,
  { position = 0.01, score = 1e-3, descriptor = 1e-3 }: Tolerances = {},
): Agreement {
  const dim = expected.descriptors.length / Math.max(1, expected.count);
  const result: Agreement = { share: 1, position: 0, score: 0, descriptor: 0, missing: 0 };
  let good = 0;
  for (let k = 0; k < expected.count; k++) {
    let best = -1;
    let [bestDescriptor, bestDistance] = [Number.POSITIVE_INFINITY, 0];
    for (let j = 0; j < actual.count; j++) {
      const distance = Math.hypot(
        actual.keypoints[2 * j] - expected.keypoints[2 * k],
        actual.keypoints[2 * j + 1] - expected.keypoints[2 * k + 1],
      );
      if (distance > 10 * position) continue;
      let worst = 0;
      for (let d = 0; d < dim; d++) {
        worst = Math.max(worst, Math.abs(actual.descriptors[j * dim + d] - expected.descriptors[k * dim + d]));
      }
      if (worst < bestDescriptor) [best, bestDescriptor, bestDistance] = [j, worst, distance];
    }
    if (best < 0) {
      result.missing++;
      continue;
    }
    const difference = Math.abs(actual.scores[best] - expected.scores[k]) / Math.max(1, Math.abs(expected.scores[k]));
    result.position = Math.max(result.position, bestDistance);
    result.score = Math.max(result.score, difference);
    result.descriptor = Math.max(result.descriptor, bestDescriptor);
    if (bestDistance <= position && difference <= score && bestDescriptor <= descriptor) good++;
  }
  result.share = expected.count === 0 ? Number(actual.count === 0) : good / expected.count;
  return result;
}
