/** Seeds for everything that is drawn from MegaDepth, and the split of its training scenes. */
import { Random } from "../../random.js";

/** A generator for this use and no other: numbers that differ in one place only have nothing to do with each other. */
export function randomFor(...numbers: readonly number[]): Random {
  // FNV-1a over the numbers' bytes; Random itself spreads the seed.
  let hash = 0x811c9dc5;
  for (const number of numbers) {
    for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((number >>> shift) & 255), 0x01000193);
  }
  return new Random(hash >>> 0);
}

/** The values in an order that the generator gives (Fisher and Yates); a copy. */
export function shuffled<T>(values: readonly T[], random: Random): T[] {
  const out = [...values];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

export const SPLITS = ["all", "train", "validation"] as const;
export type Split = (typeof SPLITS)[number];

/** Share of the scenes that training keeps. */
const TRAIN_SHARE = 0.8;

/** The scenes of a split, in the list's order: 80 / 20, and of two scenes or more at least one on either side. */
export function splitScenes(scenes: readonly string[], split: Split, seed: number): string[] {
  if (split === "all") return [...scenes];
  const kept = Math.min(scenes.length - 1, Math.max(1, Math.round(TRAIN_SHARE * scenes.length)));
  const order = shuffled([...scenes.keys()], randomFor(seed, SPLIT_DRAW));
  const chosen = new Set(split === "train" ? order.slice(0, kept) : order.slice(kept));
  return scenes.filter((_, i) => chosen.has(i));
}

/** Tells the draw of the split from those of epochs. */
const SPLIT_DRAW = 0x5917;
