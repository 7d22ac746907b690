/** The main job: two images in; features, matches, a verified geometry and a verdict out. */
import { checkObject } from "./check.js";
import { OptionError } from "./errors.js";
import type { Extractor } from "./extract/extractor.js";
import type { FloatFeatures, Homography, Matches } from "./features.js";
import type { TwoViewGeometry } from "./geometry/epipolar.js";
import type { HomographyOptions } from "./geometry/homography.js";
import { rematchGuided } from "./geometry/second-pass.js";
import { checkVerifyOptions, type VerifyOptions, verifyMatches } from "./geometry/two-view.js";
import { judgeGeometry, parseVerdictModel, type Verdict } from "./geometry/verdict.js";
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
  /** How the homography is estimated (see HomographyOptions). Not beside `geometry`. */
  homography?: HomographyOptions;
  /**
   * What is looked for, and how: { model: "fundamental" | "essential" | "auto" } for scenes with depth (see VerifyOptions).
   * Default: a homography.
   */
  geometry?: VerifyOptions;
  /**
   * Search matches again among the neighbours that the geometry allows, and estimate it anew (see `rematchGuided`). The
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
  /** What explains them; its matrix is null where too few matches agree on one. */
  geometry: TwoViewGeometry;
  /** The same where that is a homography, from the first image to the second; else one whose matrix is null. */
  homography: Homography;
  /** Whether both images show the same, with a probability; null where the model has no weights for such a geometry. */
  verdict: Verdict | null;
  /** Seconds by step. */
  seconds: Seconds;
}

/**
 * Extracts the features of both images, matches them, estimates the geometry between them (a homography unless another
 * model is asked for) and judges it. No keypoints, no matches and no geometry are answers. Options are checked before any work is done.
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
  const given = withDefaults<MatchImagesOptions>(
    where,
    { match: {}, homography: undefined, geometry: undefined, guided: false, signal: undefined, onStep: undefined },
    options,
  );
  const { match, guided, signal, onStep } = given;
  checkObject(where, '"match"', match);
  for (const name of ["homography", "geometry"] as const) {
    if (given[name] !== undefined) checkObject(where, `"${name}"`, given[name]);
  }
  if (given.homography && given.geometry) {
    throw new OptionError(
      `${where}: give "geometry" or "homography", not both: geometry has all of homography's options`,
    );
  }
  const how = checkVerifyOptions(where, given.geometry ?? given.homography ?? {});
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
    const geometry = await verifyMatches(first, second, matches, how);
    const once = { matches, geometry };
    return [geometry, guided ? await rematchGuided(first, second, matches, geometry, how) : once];
  });
  return {
    features: [first, second],
    matches: final.matches,
    geometry: final.geometry,
    homography: homographyOf(final.geometry),
    verdict: judge && judgeGeometry(judge, first, second, matches, found, how),
    seconds,
  };
}

function homographyOf({ model, matrix, inliers }: TwoViewGeometry): Homography {
  return model === "homography" ? { matrix, inliers } : { matrix: null, inliers: new Uint32Array(0) };
}
