/**
 * How a network of one score map is trained: network, pairs, losses and optimizer, all numbers in one JSON file
 * (models/recipes). Read strictly: what is unknown or out of range is refused by name.
 */
import { jsonText } from "../../check.js";
import { OptionError } from "../../errors.js";
import { scoreFamilyOf } from "../../families.js";
import { STATISTICS, type Statistics } from "../../model/layers/training.js";
import { MOST_SCALES, type ScoreConfig } from "../../model/score-config.js";
import { checkChoice, checkNumber, withDefaults } from "../../options.js";
import { type HomographyOptions, homographyOptions } from "../data/homographies.js";
import { type PhotometricOptions, photometricOptions } from "../data/photometric.js";
import { type PlanesOptions, planesOptions } from "../data/planes.js";
import { TRAIN_DEFAULTS, type TrainOptions, trainOptions } from "../options.js";
import { MAX_TEMPERATURE } from "./contrast.js";

export interface DetectorLosses {
  /** The best pixel of each cell of so many pixels squared is a keypoint. */
  cell: number;
  /** Pixels at the border without true places. */
  border: number;
  /** Cosines are multiplied by this at first; it learns. */
  temperature: number;
  /** Keypoints nearer to the true place than this, in pixels, are not mistakes. */
  near: number;
  /** Farthest that a keypoint is looked for around the true place, pixels. */
  reach: number;
  /** Sides of the windows in which repeatability maps are compared, and should be peaky (even); pixels. */
  patch: number;
  peakWindow: number;
  /** Weights; the descriptors' is 1. */
  reliability: number;
  similarity: number;
  peaky: number;
  reprojection: number;
  /** Of the order of keypoints; 0: not asked for. */
  ranking: number;
  /** Norms by the batch's statistics, or by those that the first weights came with. */
  statistics: Statistics;
}

/** Weights of the losses where a recipe says nothing. */
export const DETECTOR_LOSSES: DetectorLosses = {
  cell: 8,
  border: 4,
  temperature: 20,
  near: 4,
  reach: 3,
  patch: 16,
  peakWindow: 16,
  reliability: 1,
  similarity: 1,
  peaky: 0.5,
  reprojection: 0.5,
  ranking: 0,
  statistics: "batch",
};

/** A trained model that a network learns from, beside the losses of its own. */
export interface DetectorTeacher {
  /** A model's name or path. */
  model: string;
  /** What it must be: its family, and the length of its descriptors; default "strata" and the network's own. */
  kind: string;
  descriptorDim: number;
  /** Scales of the views whose scores are merged; of these, those whose descriptors are averaged, default the first. */
  scales: number[];
  descriptorScales: number[];
  /** Whether it sees the views before their light is changed, noise and blur left out; default false. */
  clean: boolean;
  /** Weights of the losses; see distillation.ts. */
  similarity: number;
  procrustes: number;
  keypoints: number;
}

export interface DetectorData {
  /** Pixels of the square views, a multiple of 16 and of the losses' cells and patches. */
  cropSize: number;
  pairsPerPhoto: number;
  /** As the source of photographs has it. */
  shortEdge: number | null;
  small: "skip" | "enlarge";
  homography: HomographyOptions;
  photometric: PhotometricOptions;
  planes: PlanesOptions;
}

/** The configuration of a training, parsed. */
export interface DetectorRecipe {
  name: string;
  network: ScoreConfig;
  data: DetectorData;
  losses: DetectorLosses;
  teacher?: DetectorTeacher;
  training: TrainOptions;
}

/** Reads and checks a recipe; `where` begins the messages. OptionError or FormatError for the first thing that is wrong. */
export function parseDetectorRecipe(where: string, json: unknown): DetectorRecipe {
  const root = part(where, "the recipe", json, ["name", "network", "data", "losses", "teacher", "training"]);
  const { name } = root;
  if (typeof name !== "string" || !/^[\w.-]+$/.test(name)) {
    throw new OptionError(`${where}: "name" must be letters, digits, ".", "_" or "-", got ${jsonText(name)}`);
  }
  const own = part(where, "network", root.network ?? {});
  const network = scoreFamilyOf(`${where}, network`, own).parse(`${where}, network`, { ...own, name });
  const losses = lossesOf(`${where}, losses`, part(where, "losses", root.losses ?? {}));
  const data = dataOf(`${where}, data`, part(where, "data", root.data ?? {}), losses);
  const teacher = root.teacher === undefined ? {} : { teacher: teacherOf(where, root.teacher, network, data) };
  const given = part(where, "training", root.training ?? {});
  const training = within(where, "training", () => trainOptions(given as Partial<TrainOptions>, TRAIN_DEFAULTS));
  return { name, network, data, losses, ...teacher, training };
}

function part(where: string, what: string, value: unknown, known?: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || Object.prototype.toString.call(value) !== "[object Object]" || value === null) {
    throw new OptionError(`${where}: ${what} must be an object, got ${jsonText(value)}`);
  }
  const stranger = known && Object.keys(value).find((key) => !known.includes(key));
  if (stranger !== undefined) {
    throw new OptionError(`${where}: unknown part "${stranger}"; known: ${known?.join(", ")}`);
  }
  return value as Record<string, unknown>;
}

/** Says which part of the file an option is in. */
function within<T>(where: string, what: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof OptionError) throw new OptionError(`${where}, ${what}: ${error.message}`, { cause: error });
    throw error;
  }
}

function lossesOf(where: string, given: Record<string, unknown>): DetectorLosses {
  const losses = withDefaults<DetectorLosses>(where, DETECTOR_LOSSES, given);
  checkNumber(where, "cell", losses.cell, { min: 2, max: 64, integer: true });
  checkNumber(where, "border", losses.border, { min: 0, max: 64, integer: true });
  checkNumber(where, "temperature", losses.temperature, { min: 1, max: MAX_TEMPERATURE });
  checkNumber(where, "near", losses.near, { min: 0, max: 64 });
  checkNumber(where, "reach", losses.reach, { min: 0.5, max: 64 });
  checkNumber(where, "patch", losses.patch, { min: 2, max: 256, integer: true });
  checkNumber(where, "peakWindow", losses.peakWindow, { min: 2, max: 256, integer: true });
  if (losses.peakWindow % 2 !== 0) {
    throw new OptionError(`${where}: "peakWindow" must be even, got ${losses.peakWindow}`);
  }
  for (const name of ["reliability", "similarity", "peaky", "reprojection", "ranking"] as const) {
    checkNumber(where, name, losses[name], { min: 0, max: 1000 });
  }
  checkChoice(where, "statistics", losses.statistics, STATISTICS);
  return losses;
}

function teacherOf(
  where: string,
  given: unknown,
  { descriptorDim }: ScoreConfig,
  { cropSize }: DetectorData,
): DetectorTeacher {
  const own = `${where}, teacher`;
  const { scales = [1] } = part(where, "teacher", given);
  const least = Math.min(1, STRIDE / cropSize);
  checkScales(own, "scales", scales, least);
  const defaults = {
    model: "",
    kind: "strata",
    descriptorDim,
    scales,
    descriptorScales: scales.slice(0, 1),
    clean: false,
  };
  const teacher = withDefaults<DetectorTeacher>(
    own,
    { ...defaults, similarity: 1, procrustes: 1, keypoints: 1 },
    part(where, "teacher", given),
  );
  for (const name of ["model", "kind"] as const) {
    if (typeof teacher[name] !== "string" || teacher[name] === "") {
      throw new OptionError(`${own}: "${name}" must be a text, got ${jsonText(teacher[name])}`);
    }
  }
  checkNumber(own, "descriptorDim", teacher.descriptorDim, { min: 1, max: 4096, integer: true });
  checkScales(own, "descriptorScales", teacher.descriptorScales, least);
  const stranger = teacher.descriptorScales.find((scale) => !scales.includes(scale));
  if (stranger !== undefined) {
    throw new OptionError(
      `${own}: "descriptorScales" has ${stranger}, which is none of "scales" (${scales.join(", ")})`,
    );
  }
  for (const name of ["similarity", "procrustes", "keypoints"] as const) {
    checkNumber(own, name, teacher[name], { min: 0, max: 1000 });
  }
  return teacher;
}

/** Different scales at which a view still has a cell of the deepest level. */
function checkScales(where: string, name: string, scales: unknown, least: number): asserts scales is number[] {
  const fits =
    Array.isArray(scales) &&
    scales.length > 0 &&
    scales.length <= MOST_SCALES &&
    new Set(scales).size === scales.length &&
    scales.every((s) => typeof s === "number" && s >= least && s <= 1);
  if (fits) return;
  throw new OptionError(
    `${where}: "${name}" must be a list of 1 to ${MOST_SCALES} different numbers from ${Number(least.toPrecision(3))} ` +
      `(a view needs ${STRIDE} pixels there) to 1, got ${jsonText(scales)}`,
  );
}

/** Pixels of a cell of the deepest level. */
const STRIDE = 16;
/** Keypoints beyond which a table of all their similarities takes gigabytes. */
const MOST_KEYPOINTS = 4096;

function dataOf(where: string, given: Record<string, unknown>, losses: DetectorLosses): DetectorData {
  const defaults = {
    ...{ cropSize: 192, pairsPerPhoto: 1, shortEdge: null, small: "skip" },
    ...{ homography: {}, photometric: {}, planes: {} },
  };
  const { homography, photometric, planes, ...rest } = withDefaults(where, defaults, given);
  const data = {
    ...rest,
    homography: within(where, "homography", () => homographyOptions(homography)),
    photometric: within(where, "photometric", () => photometricOptions(photometric)),
    planes: within(where, "planes", () => planesOptions(planes)),
  };
  const { cropSize } = data;
  checkNumber(where, "cropSize", cropSize, { min: STRIDE, max: 4096, integer: true });
  for (const [size, what] of [
    [STRIDE, "the network's stride"],
    [losses.cell, "losses.cell"],
    [losses.patch, "losses.patch"],
  ] as const) {
    if (cropSize % size !== 0) {
      throw new OptionError(`${where}: "cropSize" must be a multiple of ${size} (${what}), got ${cropSize}`);
    }
  }
  if ((cropSize / losses.cell) ** 2 > MOST_KEYPOINTS) {
    throw new OptionError(
      `${where}: crops of ${cropSize} with cells of ${losses.cell} have ${(cropSize / losses.cell) ** 2} keypoints, at most ${MOST_KEYPOINTS} are offered`,
    );
  }
  checkNumber(where, "pairsPerPhoto", data.pairsPerPhoto, { min: 1, max: 10_000, integer: true });
  if (data.shortEdge !== null) checkNumber(where, "shortEdge", data.shortEdge, { min: cropSize, integer: true });
  const small = checkChoice(where, "small", data.small, ["skip", "enlarge"]);
  return { ...data, small };
}
