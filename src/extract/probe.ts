/**
 * A small picture drawn by code and the points that a model finds in it, kept beside its prepared graph: where a runtime
 * or a device computes something else, it shows before anyone relies on it.
 */
import { FormatError } from "../errors.js";
import type { FloatFeatures } from "../features.js";
import type { Image } from "../image/image.js";
import { Random } from "../random.js";
import type { ExtractOptions } from "./options.js";

/** Options of the extraction that is compared, over the model's own. */
export const PROBE_OPTIONS: Partial<ExtractOptions> = { maxFeatures: 48 };

/** Descriptors are kept for so many of the points, the best. */
const DESCRIBED = 16;

/** Points this near, in pixels, and descriptor entries this near are the same; of other points a few may be found. */
const NEAR = { pixels: 0.1, entry: 0.02, share: 0.9 };

/** What was found in the picture when the graph was prepared. */
export interface ProbePoints {
  /** x0, y0, x1, y1, …, best first. */
  keypoints: number[];
  /** Entries of the first points' descriptors, in thousandths. */
  descriptors: number[];
  dim: number;
}

/**
 * Rectangles of random colours over each other: corners at every size. Only whole numbers, so the same everywhere. Another
 * seed draws another picture.
 */
export function drawProbe(width = 160, height = 120, seed = 4): Image {
  const random = new Random(seed);
  const data = new Uint8Array(3 * width * height).fill(128);
  const below = (limit: number) => Math.floor((random.uint32() / 2 ** 32) * limit);
  for (let n = 0; n < (width * height) / 240; n++) {
    const [left, top] = [below(width), below(height)];
    const [right, bottom] = [Math.min(width, left + 4 + below(28)), Math.min(height, top + 4 + below(28))];
    const colour = [below(256), below(256), below(256)];
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) data.set(colour, 3 * (y * width + x));
  }
  return { width, height, data };
}

/** What is kept of the features that were found in the picture. */
export function probePoints({ keypoints, descriptors, dim }: FloatFeatures): ProbePoints {
  const round = (digits: number) => (value: number) => Number(value.toFixed(digits));
  return {
    keypoints: Array.from(keypoints, round(3)),
    descriptors: Array.from(descriptors.subarray(0, DESCRIBED * dim), (value) => Math.round(1000 * value)),
    dim,
  };
}

/** Points out of a file; null where it has none. */
export function parseProbePoints(where: string, json: unknown): ProbePoints | null {
  if (json === undefined || json === null) return null;
  const { keypoints, descriptors, dim } = Object(json) as Partial<ProbePoints>;
  const numbers = (list: unknown): list is number[] => Array.isArray(list) && list.every(Number.isFinite);
  if (!numbers(keypoints) || keypoints.length % 2 || !numbers(descriptors) || !Number.isInteger(dim)) {
    throw new FormatError(`${where}: the points for the check at first use are damaged`);
  }
  return { keypoints, descriptors, dim: dim as number };
}

/** Null where features of the picture agree with what is kept; else what does not, in words. */
export function probeDifference(expected: ProbePoints, found: FloatFeatures): string | null {
  const { keypoints, descriptors, dim } = expected;
  const count = keypoints.length / 2;
  let same = 0;
  for (let i = 0; i < count; i++) {
    const j = nearest(found, keypoints[2 * i], keypoints[2 * i + 1]);
    if (j < 0) continue;
    const at = i * dim;
    const described = descriptors.length >= at + dim;
    let fits = true;
    for (let d = 0; described && fits && d < dim; d++) {
      fits = Math.abs(descriptors[at + d] / 1000 - found.descriptors[j * dim + d]) <= NEAR.entry;
    }
    if (fits) same++;
  }
  if (same >= NEAR.share * count) return null;
  return `${same} of the ${count} points of the check picture are where they should be`;
}

/** The nearest keypoint within reach; -1 where there is none. NaN is near to nothing. */
function nearest({ count, keypoints }: FloatFeatures, x: number, y: number): number {
  let best = -1;
  let least = NEAR.pixels ** 2;
  for (let j = 0; j < count; j++) {
    const distance = (keypoints[2 * j] - x) ** 2 + (keypoints[2 * j + 1] - y) ** 2;
    if (distance <= least) [best, least] = [j, distance];
  }
  return best;
}
