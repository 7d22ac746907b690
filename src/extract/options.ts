/** Options of extraction, as every door and the command line have them. */
import { jsonText } from "../check.js";
import { OptionError } from "../errors.js";
import { MOST_SCALES } from "../model/score-config.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";

export const REFINEMENTS = ["subpixel", "grid"] as const;
export const DETECTIONS = ["attention", "d2net"] as const;

/** How features are extracted; the same for every family. */
export interface ExtractOptions {
  /** Keypoints with a lower score are dropped; 0 keeps all. Default: the model's (0.3 for the reference, 0 for strata-s). */
  threshold: number;
  /** Keep only maxima of their window (3×3 for the reference, 5×5 for strata-s). Default: the model's. */
  nms: boolean;
  /** "subpixel" moves each keypoint off the grid; "grid" leaves it there. Default "subpixel". */
  refine: (typeof REFINEMENTS)[number];
  /** Score maps by attention, or D2-Net's hard detection on the descriptor maps. Default "attention". */
  detection: (typeof DETECTIONS)[number];
  /** At most this many keypoints, best first; null keeps all. Default: the model's (null, or 2000 for strata-s). */
  maxFeatures: number | null;
  /**
   * Take the best `maxFeatures` so that no cell of a 12 × 12 grid over the image gives more than twice its share, as far
   * as other cells have any. For few keypoints: 300 to 1000 hold a geometry better. Default false.
   */
  spread: boolean;
  /** Scale descriptor maps by their scores before sampling. Default false. */
  sumDescriptors: boolean;
  /**
   * Scales at which features are looked for, each above 0 and at most 1; the best of all are kept, of each at most three
   * times its share of the pixels where `maxFeatures` is a number. Default: the model's ([1] for the reference).
   */
  scales: readonly number[];
  /** Scale images down until their longer edge fits, in pixels; null leaves them. Default null. */
  maxEdge: number | null;
  /** Scale images down until width + height fit, in pixels; null leaves them. Default null. */
  maxSumEdges: number | null;
}

export const EXTRACT_DEFAULTS: ExtractOptions = {
  threshold: 0,
  nms: true,
  refine: "subpixel",
  detection: "attention",
  maxFeatures: null,
  spread: false,
  sumDescriptors: false,
  scales: [1],
  maxEdge: null,
  maxSumEdges: null,
};

/** Options that may be null: no limit. */
const NULLABLE = ["maxFeatures", "maxEdge", "maxSumEdges"] as const;

/** Checked options: the model's own defaults under what the caller gives. Throws an OptionError that names the option. */
export function extractOptions(given: Partial<ExtractOptions>, model: Partial<ExtractOptions> = {}): ExtractOptions {
  const options = withDefaults("extract", withDefaults("extract", EXTRACT_DEFAULTS, model, NULLABLE), given, NULLABLE);
  checkNumber("extract", "threshold", options.threshold, { min: 0 });
  checkChoice("extract", "refine", options.refine, REFINEMENTS);
  checkChoice("extract", "detection", options.detection, DETECTIONS);
  for (const name of ["nms", "sumDescriptors", "spread"] as const) checkBoolean("extract", name, options[name]);
  for (const name of NULLABLE) {
    if (options[name] !== null) checkNumber("extract", name, options[name], { min: 1, integer: true });
  }
  checkScales("extract", options.scales);
  if (options.spread && options.maxFeatures === null) {
    throw new OptionError(
      'extract: "spread" chooses among keypoints and needs a number of them; give "maxFeatures" one',
    );
  }
  return options;
}

function checkScales(where: string, scales: unknown): void {
  const fits =
    Array.isArray(scales) &&
    scales.length > 0 &&
    scales.length <= MOST_SCALES &&
    new Set(scales).size === scales.length &&
    scales.every((scale) => typeof scale === "number" && scale > 0 && scale <= 1);
  if (!fits) {
    throw new OptionError(
      `${where}: "scales" must be 1 to ${MOST_SCALES} different numbers above 0 and at most 1, got ${jsonText(scales)}`,
    );
  }
}

/** Throws an OptionError unless `value` is true or false; "no" would count as true. */
export function checkBoolean(where: string, name: string, value: unknown): void {
  if (typeof value !== "boolean") {
    throw new OptionError(`${where}: "${name}" must be true or false, got ${String(value)}`);
  }
}
