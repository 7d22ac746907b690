/**
 * Lost targets in a frame: the frame's features once; the targets that most of them vote for; of each the homography that
 * enough matches agree on. Patches then decide (tracker.ts), so wrong answers cost time and no more. It needs no pixels of
 * the targets, and so may live in a worker of a page.
 */
import type { Extractor } from "../extract/extractor.js";
import type { FloatFeatures } from "../features.js";
import { estimateHomography } from "../geometry/homography.js";
import type { Image } from "../image/image.js";
import { timed } from "../timing.js";
import { checkExtractor, checkTargets, type DetectorTarget } from "./check-targets.js";
import { CodeIndex, type Coding, codesOf, codingOf, mutualNearest } from "./codes.js";

/** A target that may be in a frame. */
export interface Detection {
  /** Its index. */
  target: number;
  /** Row-major 3×3 from pixels of the target's image to those of the frame. */
  homography: Float64Array;
}

/** What a search found, and how long it took. */
export interface DetectionResult {
  /** Likeliest first. */
  detections: Detection[];
  /** Milliseconds for the frame's features, and for finding targets among them. */
  times: { extract: number; search: number };
}

/** Finds targets in frames. */
export interface Detector {
  /** Looks for the targets of these indices. */
  detect(frame: Image, lost: readonly number[]): Promise<DetectionResult>;
}

/** What gives a detector its features; where it lives elsewhere (a page's worker), the detector may live there too. */
export type DetectorSource = Pick<Extractor, "extract" | "info"> & {
  createDetector?(targets: readonly DetectorTarget[]): Detector;
};

/** Bits in which a feature and its match may differ, of 64. */
const MOST_BITS = 20;
/** Targets that are tried per frame, of those that most features vote for. */
const TRIED = 3;
/** Those with a smaller share of the likeliest one's votes are left for a later frame: it is there, they hardly are. */
const LEAST_SHARE = 0.6;
/** Features of a frame that vote, best first. */
const VOTERS = 500;
/** Matches that must agree, and the distance in pixels of the frame within which one does; coarse features are no better. */
const LEAST_INLIERS = 7;
const THRESHOLD = 5;
const MOST_SAMPLES = 1500;
/** Samples go to the best matches alone. */
const MOST_MATCHES = 200;

/**
 * A detector of `targets` over an extractor; of one in a page's worker it works there. Throws an OptionError for no targets, and for a target of another model than the
 * extractor's.
 */
export function createDetector(targets: readonly DetectorTarget[], extractor: DetectorSource): Detector {
  checkExtractor("createDetector", extractor);
  checkTargets("createDetector", targets, extractor.info);
  return extractor.createDetector?.(targets) ?? new CodeDetector(targets, extractor);
}

class CodeDetector implements Detector {
  private readonly coding: Coding;
  private readonly codes: Int32Array[];
  private readonly index: CodeIndex;

  constructor(
    private readonly targets: readonly DetectorTarget[],
    private readonly extractor: Pick<Extractor, "extract">,
  ) {
    const features = targets.map((target) => target.features);
    this.coding = codingOf(features);
    this.codes = features.map((one) => codesOf(this.coding, one));
    this.index = new CodeIndex(this.codes);
  }

  async detect(frame: Image, lost: readonly number[]): Promise<DetectionResult> {
    const seconds: Record<string, number> = {};
    const features = await timed(seconds, "extract", () => this.extractor.extract(frame));
    const detections = await timed(seconds, "search", () => this.search(features, lost));
    return { detections, times: { extract: 1000 * seconds.extract, search: 1000 * seconds.search } };
  }

  private async search(features: FloatFeatures, lost: readonly number[]): Promise<Detection[]> {
    const codes = codesOf(this.coding, features);
    const detections: Detection[] = [];
    for (const target of this.likeliest(codes, lost)) {
      const homography = await this.homographyOf(target, features, codes);
      if (homography) detections.push({ target, homography });
    }
    return detections;
  }

  /** The targets that most features vote for; a few are all tried. */
  private likeliest(codes: Int32Array, lost: readonly number[]): readonly number[] {
    if (lost.length <= TRIED) return lost;
    const votes = this.index.votes(codes.subarray(0, 2 * VOTERS), MOST_BITS);
    // A target of few keypoints has few votes.
    const share = (target: number) => votes[target] / Math.sqrt(1 + this.targets[target].features.count);
    const [first, ...others] = [...lost].sort((a, b) => share(b) - share(a)).slice(0, TRIED);
    return [first, ...others.filter((target) => share(target) >= LEAST_SHARE * share(first))];
  }

  private async homographyOf(
    target: number,
    frame: FloatFeatures,
    frameCodes: Int32Array,
  ): Promise<Float64Array | null> {
    const { features } = this.targets[target];
    const { dim } = features;
    const pairs = mutualNearest(this.codes[target], frameCodes, MOST_BITS);
    const similarity = (p: number) => {
      const [i, j] = [dim * pairs[2 * p], dim * pairs[2 * p + 1]];
      let sum = 0;
      for (let k = 0; k < dim; k++) sum += features.descriptors[i + k] * frame.descriptors[j + k];
      return sum;
    };
    const matches = Array.from({ length: pairs.length / 2 }, (_, p) => ({ p, score: similarity(p) }))
      .sort((a, b) => b.score - a.score || a.p - b.p)
      .slice(0, MOST_MATCHES);
    const points = (side: 0 | 1, keypoints: Float32Array) =>
      Float32Array.from(
        { length: 2 * matches.length },
        (_, k) => keypoints[2 * pairs[2 * matches[k >> 1].p + side] + (k & 1)],
      );
    const { matrix } = await estimateHomography(points(0, features.keypoints), points(1, frame.keypoints), {
      threshold: THRESHOLD,
      maxIterations: MOST_SAMPLES,
      minInliers: LEAST_INLIERS,
      confidence: 0.999,
      scores: matches.map(({ score }) => score),
    });
    return matrix;
  }
}
