/** Two-view pose of a method on scenes with known cameras: image i with the next few of its scene. */
import { availableParallelism } from "node:os";
import { topFeatures } from "../../bench/features.js";
import { POSE_THRESHOLDS, type PoseOptions, poseAuc, type ScoredPose, scorePose } from "../../bench/pose.js";
import { checkObject } from "../../check.js";
import type { Features } from "../../features.js";
import { checkNumber, withDefaults } from "../../options.js";
import { type OpenOptions, openExtractor } from "../extractor.js";
import { loadImage } from "../images.js";
import { type MethodSpec, type OpenExtractor, openMethod, parseMethod } from "./methods.js";
import { openScenes } from "./scenes.js";

/** What is measured, and how. */
export interface PoseRequest extends PoseOptions {
  /** Folder of scenes (see `openScenes`). */
  data: string;
  /** As `parseMethod` takes it: a model, orb, akaze, files:.EXT, h5:PATH. */
  method: string;
  /** Options that models share. */
  options?: OpenOptions;
  /** The best so many keypoints of an image count. Default 2000. */
  maxFeatures?: number;
  /** Image i is paired with i + 1 to i + `steps`. Default 3. */
  steps?: number;
  /** For `loadImage`. */
  loading?: { pixelLimit?: number; orientation?: boolean };
  /** Default `openExtractor`. */
  openExtractor?: OpenExtractor;
  /** Stops between two images or pairs with the signal's reason. */
  signal?: AbortSignal;
}

/** A pair of images and what was found in it. */
export interface PosePair extends ScoredPose {
  scene: string;
  /** Names of the images. */
  images: [string, string];
}

/** The figures of a method. */
export interface PoseFigures {
  method: string;
  pairs: PosePair[];
  /** Area under the curve up to 5, 10 and 20 degrees, over all pairs and by scene. */
  auc: Record<string, number[]>;
}

/** Measures a method. OptionError, FormatError or IoError for what cannot be measured. */
export async function measurePose(request: PoseRequest): Promise<PoseFigures> {
  const where = "measurePose";
  checkObject(where, "the request", request);
  const {
    data,
    method,
    options,
    maxFeatures,
    steps,
    loading,
    signal,
    openExtractor: open,
    ...how
  } = withDefaults<Partial<PoseRequest>>(where, KNOWN, request);
  const limit = checkNumber(where, "maxFeatures", maxFeatures, { min: 1, integer: true });
  const most = checkNumber(where, "steps", steps, { min: 1, integer: true });
  const scenes = await openScenes(data as string);
  const spec = specOf(method as string, options ?? {}, limit);
  const opened = await openMethod(spec, options?.threads ?? availableParallelism(), open ?? openExtractor);
  const pairs: PosePair[] = [];
  try {
    for (const { name, images } of scenes) {
      const features: Features[] = [];
      for (const image of images) {
        signal?.throwIfAborted();
        features.push(topFeatures(await opened.features(image, () => loadImage(image.path, loading)), limit));
      }
      for (let i = 0; i < images.length; i++) {
        for (let j = i + 1; j <= Math.min(i + most, images.length - 1); j++) {
          signal?.throwIfAborted();
          const [a, b] = [images[i], images[j]];
          const scored = await scorePose(features[i], features[j], [a.camera, b.camera], how);
          pairs.push({ scene: name, images: [a.name, b.name], ...scored });
        }
      }
    }
  } finally {
    await opened.dispose();
  }
  const curve = (of: readonly PosePair[]) =>
    POSE_THRESHOLDS.map((threshold) =>
      poseAuc(
        of.map(({ error }) => error),
        threshold,
      ),
    );
  const auc = Object.fromEntries(scenes.map(({ name }) => [name, curve(pairs.filter(({ scene }) => scene === name))]));
  return { method: method as string, pairs, auc: { all: curve(pairs), ...auc } };
}

const KNOWN: Partial<PoseRequest> = {
  data: undefined,
  method: undefined,
  options: {},
  maxFeatures: 2000,
  steps: 3,
  loading: {},
  openExtractor: undefined,
  signal: undefined,
  ratio: null,
  guided: false,
  threshold: undefined,
  seed: 0,
  auto: false,
};

/** A method that is asked for as many keypoints as count. */
function specOf(method: string, options: OpenOptions, maxFeatures: number): MethodSpec {
  const spec = parseMethod(method, options);
  if (spec.kind === "model") return { ...spec, options: { ...spec.options, maxFeatures } };
  return spec.kind === "baseline" ? { ...spec, maxFeatures } : spec;
}
