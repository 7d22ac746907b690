/** The main job: two images in; features, matches, a verified geometry and a verdict out. */
import { checkObject } from "./check.js";
import { OptionError } from "./errors.js";
import type { Extractor } from "./extract/extractor.js";
import type { FloatFeatures, Homography, Matches } from "./features.js";
import type { HomographyOptions } from "./geometry/homography.js";
import { rematchGuided } from "./geometry/second-pass.js";
import { verifyMatches } from "./geometry/two-view.js";
import { judgeHomography, parseVerdictModel, type Verdict } from "./geometry/verdict.js";
import { checkImage, type Image } from "./image/image.js";
import { type MatchOptions, matchFeatures } from "./match/index.js";
import { withDefaults } from "./options.js";
import { type Seconds, timed } from "./timing.js";

/** Steps of `matchImages`, in order; names of its times. */
export const MATCH_STEPS = ["extract1", "extract2", "match", "verify"] as const;
/** Name of a step of matchImages. */
export type MatchStep = (typeof MATCH_STEPS)[number];

/** Options of matchImages. */
export interface MatchImagesOptions {
  /** How descriptors are matched; default: mutual nearest neighbours (see MatchOptions). */
  match?: MatchOptions;
  /** How the homography is estimated (see HomographyOptions). */
  homography?: HomographyOptions;
  /**
   * Search matches again among the neighbours that the homography allows, and estimate it anew (see `rematchGuided`). The
   * verdict stays that of the first pass, on which it is calibrated. Default false: it helps where many first matches are
   * wrong, and with the models shipped here most are right.
   */
  guided?: boolean;
  /** Stops between two steps with the signal's reason. */
  signal?: AbortSignal;
  /** Called when a step begins. */
  onStep?: (step: MatchStep) => void;
}

/** What matchImages finds. */
export interface MatchedImages {
  /** Of the first and the second image. */
  features: [FloatFeatures, FloatFeatures];
  matches: Matches;
  /** From the first image to the second; its matrix is null where too few matches agree on one. */
  homography: Homography;
  /** Whether both images show the same, with a probability; null where the model has no weights for it. */
  verdict: Verdict | null;
  /** Seconds by step. */
  seconds: Seconds;
}

/**
 * Extracts the features of both images, matches them, estimates the homography between them and judges it. No keypoints, no
 * matches and no homography are answers. Options are checked before any work is done.
 */
export async function matchImages(
  extractor: Extractor,
  a: Image,
  b: Image,
  options: MatchImagesOptions = {},
): Promise<MatchedImages> {
  const where = "matchImages";
  if (typeof extractor?.extract !== "function") {
    throw new OptionError(`${where}: the first argument must be an extractor, as openExtractor gives it`);
  }
  checkImage(`${where}: a`, a);
  checkImage(`${where}: b`, b);
  const { match, homography, guided, signal, onStep } = withDefaults<MatchImagesOptions>(
    where,
    { match: {}, homography: {}, guided: false, signal: undefined, onStep: undefined },
    options,
  );
  checkObject(where, '"match"', match);
  const { model, verdict } = extractor.info;
  const judge = verdict ? parseVerdictModel(`${model}, its configuration`, verdict) : null;
  const seconds: Seconds = {};
  const step = <T>(name: MatchStep, work: () => Promise<T>): Promise<T> => {
    signal?.throwIfAborted();
    onStep?.(name);
    return timed(seconds, name, work);
  };
  const first = await step("extract1", () => extractor.extract(a));
  const second = await step("extract2", () => extractor.extract(b));
  const { threads } = extractor.info.session ?? {};
  const matches = await step("match", () => matchFeatures(first, second, { threads, ...match }));
  const [found, final] = await step("verify", async () => {
    const geometry = await verifyMatches(first, second, matches, homography);
    const once = { matches, geometry };
    return [geometry, guided ? await rematchGuided(first, second, matches, geometry, homography) : once];
  });
  return {
    features: [first, second],
    matches: final.matches,
    homography: final.geometry,
    verdict: judge && judgeHomography(judge, first, second, matches, found),
    seconds,
  };
}
