/** The main job, timed: two images to features, matches and a homography. `strata match` and the demo both run it. */
import type { Extractor } from "../extract/extractor.js";
import type { Features, Homography, Matches } from "../features.js";
import type { HomographyOptions } from "../geometry/homography.js";
import type { Verdict, VerdictModel } from "../geometry/verdict.js";
import type { Image } from "../image/image.js";
import type { MatchOptions } from "../match/index.js";

/** Seconds of each step. */
export type Seconds = Record<string, number>;

export interface ImagePairResult {
  features: [Features, Features];
  matches: Matches;
  homography: Homography;
  /** Whether both show the same; null where the model has no weights for it. */
  verdict: Verdict | null;
}

/** Runs `work` and notes how long it took under `step`. */
export async function timed<T>(seconds: Seconds, step: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    seconds[step] = (seconds[step] ?? 0) + (performance.now() - start) / 1000;
  }
}

export interface PairOptions {
  match?: MatchOptions;
  homography?: HomographyOptions;
}

/** Extracts both, matches, verifies; the times go into `seconds` as extract1, extract2, match and verify. */
export async function matchPair(
  extractor: Extractor,
  [a, b]: readonly [Image, Image],
  options: PairOptions,
  seconds: Seconds,
): Promise<ImagePairResult> {
  const judge = await judgeOf(extractor);
  const first = await timed(seconds, "extract1", () => extractor.extract(a));
  const second = await timed(seconds, "extract2", () => extractor.extract(b));
  const matches = await timed(seconds, "match", async () => {
    const { matchFeatures } = await import("../match/index.js");
    return matchFeatures(first, second, options.match);
  });
  const homography = await timed(seconds, "verify", async () => {
    const { verifyMatches } = await import("../geometry/homography.js");
    return verifyMatches(first, second, matches, options.homography);
  });
  const verdict = judge?.(first, second, matches, homography) ?? null;
  return { features: [first, second], matches, homography, verdict };
}

type Judge = (a: Features, b: Features, matches: Matches, homography: Homography) => Verdict;

/** The model's verdict, read before any work is done. */
async function judgeOf({ info }: Extractor): Promise<Judge | null> {
  if (!info.verdict) return null;
  const { judgeHomography, parseVerdictModel } = await import("../geometry/verdict.js");
  const model: VerdictModel = parseVerdictModel(`${info.model}, its configuration`, info.verdict);
  return (...found) => judgeHomography(model, ...found);
}
