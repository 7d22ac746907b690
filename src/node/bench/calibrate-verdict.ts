/** A model's verdict (same, uncertain, different) fitted on photographs, measured on others, and written into the model. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fitVerdict, roundVerdict, type VerdictFigures, verdictFigures } from "../../bench/calibration.js";
import { checkFunction, checkObject, checkTexts } from "../../check.js";
import { OptionError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { TWO_VIEW_MODELS, type TwoViewGeometry } from "../../geometry/epipolar.js";
import { EPIPOLAR_MODELS, parseVerdictModel, type VerdictWeights } from "../../geometry/verdict.js";
import { checkChoice, checkNumber } from "../../options.js";
import { checkPath, ioError, writeFileAtomic } from "../atomic.js";
import { type OpenOptions, openExtractor } from "../extractor.js";
import { MODEL_FILES, withModelFolder } from "../model-folder.js";
import type { OpenExtractor } from "./methods.js";
import { RIGHT_DISTANCE, RIGHT_WITHIN, verdictPairs } from "./verdict-pairs.js";

/** How a verdict is fitted and measured. */
export interface CalibrationOptions {
  /** Folder of photographs to fit on: two views of one are a pair, so are views of different ones. */
  photos: string;
  /** Folder of other photographs, to say how good it is; default: none. */
  test?: string;
  /** Pairs of views of one photograph, each judged by its best 15, 50, 200 and by all keypoints; default 500. */
  pairs?: number;
  /** Pairs of different photographs; default 1000. */
  different?: number;
  /**
   * Beginnings of names, as below the folder: photographs whose names begin with the same one may show one place, and are no
   * pair of different ones. Default: none.
   */
  places?: readonly string[];
  /** The same of `test`; default: as many as `different`. */
  testDifferent?: number;
  /** Called the same from this probability on; default 0.9. */
  same?: number;
  /** Called different below this one; default 0.05. */
  unlike?: number;
  /** Of the views; default 0. */
  seed?: number;
  /** The geometry whose verdict it is; default "homography". The others are fitted on scenes that are drawn of the photographs. */
  geometry?: TwoViewGeometry["model"];
  /** The model that is measured and how, as `openExtractor` takes it; `into` goes before its `model`. */
  model?: OpenOptions;
  /** Folder of a model, which is the one that is measured: the verdict is written into its configuration. */
  into?: string;
  /** Default `openExtractor`. */
  openExtractor?: OpenExtractor;
  /** Told after each pair: how many are done, of how many. */
  onPair?: (done: number, total: number) => void;
}

/** Defaults of a calibration. */
export const CALIBRATION_DEFAULTS = {
  pairs: 500,
  different: 1000,
  same: 0.9,
  unlike: 0.05,
  seed: 0,
  geometry: "homography",
} as const;

/** A verdict's weights, and how right they are. */
export interface Calibration {
  /** As it was fitted, in full digits. */
  model: VerdictWeights;
  /** As a model's configuration holds it: six digits, and what it was fitted on. */
  verdict: VerdictWeights & { fitted: { pairs: number; rightWithin: number; data: string; seed: number } };
  /** Figures on the photographs that it was fitted on, and on others; null: there are none. */
  fitted: VerdictFigures;
  tested: VerdictFigures | null;
  /** Photographs that were not used, and why. */
  leftOut: string[];
}

/** Fits a model's verdict. OptionError for a wrong request, IoError for what cannot be read or written. */
export async function calibrateVerdict(options: CalibrationOptions): Promise<Calibration> {
  const where = "calibrateVerdict";
  checkPath(`${where}: photos`, checkObject(where, "options", options).photos);
  for (const name of ["test", "into"] as const)
    if (options[name] !== undefined) checkPath(`${where}: ${name}`, options[name]);
  for (const name of ["pairs", "different", "testDifferent"] as const) {
    if (options[name] !== undefined) checkNumber(where, name, options[name], { min: 1, integer: true });
  }
  if (options.places !== undefined && checkTexts(where, "places", options.places).includes("")) {
    throw new OptionError(`${where}: "places" must be beginnings of names, got an empty one, which is that of all`);
  }
  for (const name of ["same", "unlike"] as const) {
    if (options[name] !== undefined) checkNumber(where, name, options[name], { min: 0, max: 1 });
  }
  if (options.seed !== undefined) checkNumber(where, "seed", options.seed, { min: 0, max: 2 ** 32 - 1, integer: true });
  if (options.geometry !== undefined) checkChoice(where, "geometry", options.geometry, TWO_VIEW_MODELS);
  if (options.openExtractor !== undefined) checkFunction(where, "openExtractor", options.openExtractor);
  const { into } = options;
  if (into === undefined) return calibrate(options, null);
  await readConfig(into);
  // Read again, for the configuration that is written must be the one of the model that is measured.
  return withModelFolder(into, async () => calibrate(options, await readConfig(into)));
}

/** `config`: of the model that the verdict goes into. */
async function calibrate(options: CalibrationOptions, config: Record<string, unknown> | null): Promise<Calibration> {
  const { photos, test, into, places, onPair = () => {} } = options;
  const { pairs, different, same, unlike, seed, geometry } = { ...CALIBRATION_DEFAULTS, ...defined(options) };
  const testDifferent = options.testDifferent ?? different;
  if (unlike > same) throw new OptionError(`--unlike must be at most --same, got ${unlike} and ${same}`);
  if (geometry !== "homography" && config && config.verdict === undefined) {
    throw new OptionError(`${into}: has no verdict on homographies yet; fit that first`);
  }
  const open = options.openExtractor ?? openExtractor;
  const extractor = await open({ ...options.model, ...(into !== undefined && { model: into }) });
  try {
    const total = pairs + different + (test === undefined ? 0 : pairs + testDifferent);
    const collect = (folder: string, unrelated: number, drawn: number, before: number) =>
      verdictPairs(extractor, {
        ...{ photos: folder, same: pairs, different: unrelated, places, seed: drawn, geometry },
        onPair: (done) => onPair(before + done, total),
      });
    const own = await collect(photos, different, seed, 0);
    const held = test === undefined ? null : await collect(test, testDifferent, seed + 1, pairs + different);
    const model: VerdictWeights = { ...fitVerdict([...own.same, ...own.different]), same, different: unlike };
    const facts = {
      pairs: own.same.length + own.different.length,
      rightWithin: geometry === "homography" ? RIGHT_WITHIN : RIGHT_DISTANCE,
      data: own.digest,
      seed,
    };
    const verdict = { ...roundVerdict(model), fitted: facts };
    const whole = placed(config?.verdict as Record<string, unknown> | undefined, geometry, verdict);
    parseVerdictModel("verdict", geometry === "homography" || config ? whole : verdict);
    if (config && into !== undefined) {
      await writeFileAtomic(configPath(into), `${JSON.stringify({ ...config, verdict: whole }, null, 2)}\n`);
    }
    return {
      model,
      verdict,
      fitted: verdictFigures(model, own.same, own.different),
      tested: held && verdictFigures(model, held.same, held.different),
      leftOut: [...own.leftOut, ...(held?.leftOut ?? [])],
    };
  } finally {
    await extractor.dispose();
  }
}

/** A configuration's verdict with one of its parts replaced: those of other geometries, and that on finds, stay. */
function placed(
  before: Record<string, unknown> = {},
  geometry: TwoViewGeometry["model"],
  verdict: VerdictWeights,
): Record<string, unknown> {
  if (geometry !== "homography") return { ...before, [geometry]: verdict };
  const others = [...EPIPOLAR_MODELS, "search"]
    .filter((name) => before[name] !== undefined)
    .map((name) => [name, before[name]]);
  return { ...verdict, ...Object.fromEntries(others) };
}

function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

const configPath = (folder: string) => join(folder, MODEL_FILES.config);

async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const path = configPath(folder);
  const bytes = await readFile(path).catch((cause) => {
    throw ioError("read", path, cause);
  });
  return parseJson(path, bytes) as Record<string, unknown>;
}
