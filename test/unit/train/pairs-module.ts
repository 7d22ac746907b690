/** A source of pairs of a test's own, as a module that worker threads load: pair 3 throws, pair 5 kills its thread. */
import { isMainThread } from "node:worker_threads";
import { FormatError } from "../../../src/errors.js";
import type { PairSource, TrainingPair } from "../../../src/train/types.js";

export interface ModuleOptions {
  length: number;
  /** What goes wrong when a thread opens it. */
  opening?: "fails" | "differs" | "dies";
}

export async function openPairs({ length, opening }: ModuleOptions): Promise<PairSource> {
  if (!isMainThread && opening === "fails") throw new FormatError("the data are damaged");
  if (!isMainThread && opening === "dies") process.exit(9);
  const digest = !isMainThread && opening === "differs" ? "another" : "one";
  let disposed = false;
  return {
    digest,
    length,
    pair: async (epoch, index) => {
      if (disposed) throw new Error("used after dispose()");
      return index === 1 ? { skipped: "pair 1 is none" } : madePair(epoch, index);
    },
    dispose: async () => {
      disposed = true;
    },
  };
}

function madePair(epoch: number, index: number): TrainingPair {
  if (index === 3) throw new FormatError("pair 3 is damaged");
  if (index === 5 && !isMainThread) process.exit(7);
  const image = (last: number) => ({ width: 2, height: 1, data: Uint8Array.of(epoch, index, 2, 3, 4, last) });
  // Both depths in one buffer, the poses kept by the source: neither may be handed over twice, or at all.
  const depths = new Float32Array(4).fill(index);
  return {
    id: `${epoch}/${index}`,
    images: [image(1), image(2)],
    warp: {
      kind: "depth",
      depths: [depths.subarray(0, 2), depths.subarray(2)],
      intrinsics: [KEPT, KEPT],
      poses: [KEPT, KEPT],
      boxes: [
        [0, 0],
        [1, 1],
      ],
    },
  };
}

const KEPT = Float64Array.of(1, 2, 3);
