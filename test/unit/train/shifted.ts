/** Pairs that need no files: noise and the same noise shifted, which is all a frozen network needs to be told apart. */
import type { Image } from "../../../src/image/image.js";
import type { PairSource, TrainingPair } from "../../../src/train/types.js";
import { noiseImage } from "../../models.js";

/** Pixels that image 2 shows further to the left and up. */
const SHIFT = [8, 16] as const;

function cut(image: Image, left: number, top: number, size: number): Image {
  const data = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    const from = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(from, from + 3 * size), 3 * y * size);
  }
  return { width: size, height: size, data };
}

/** The pair of a number: 64×64 crops unless told otherwise. */
export function shiftedPair(seed: number, size = 64): TrainingPair {
  const [dx, dy] = SHIFT;
  const wall = noiseImage(size + dx, size + dy, seed);
  return {
    id: `noise ${seed}`,
    images: [cut(wall, 0, 0, size), cut(wall, dx, dy, size)],
    warp: { kind: "homography", matrix: Float64Array.of(1, 0, -dx, 0, 1, -dy, 0, 0, 1) },
  };
}

/** So many pairs, others in each epoch. */
export function shiftedPairs(length: number, { size = 64, seed = 1 } = {}): PairSource {
  return {
    digest: `shifted-${length}-${size}-${seed}`,
    length,
    pair: async (epoch, index) => shiftedPair(seed + 1000 * epoch + index, size),
    dispose: async () => {},
  };
}
