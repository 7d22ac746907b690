/**
 * The published curves on HPatches (108 sequences, all keypoints, mutual nearest neighbours), which come with the
 * package as data. They may be drawn only beside results on the same 108 sequences.
 */

import { fileURLToPath } from "node:url";
import { PUBLISHED_NAMES } from "../../bench/published-names.js";
import { type MethodCurve, THRESHOLDS } from "../../bench/types.js";
import { checkText } from "../../check.js";
import { FormatError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { checkPath, readFileChecked, writeFileAtomic } from "../atomic.js";

const FILE = fileURLToPath(new URL("../../../data/published_hpatches.json", import.meta.url));

/** All curves in the file's order; `PUBLISHED_NAMES` has their labels. FormatError when the file is damaged. */
export async function publishedCurves(): Promise<MethodCurve[]> {
  return readPublishedCurves(await readFileChecked(FILE), FILE);
}

/** Writes a page with their figures; `command`: what makes it again, as it is shown. */
export async function savePublishedReport(path: string, command: string): Promise<void> {
  checkPath("savePublishedReport", path);
  checkText("savePublishedReport", "command", command);
  const { benchReportHtml } = await import("../../bench/report/index.js");
  const page = await benchReportHtml({
    title: "Published results on HPatches",
    date: new Date().toISOString().slice(0, 10),
    command,
    full: false,
    runs: [],
    published: await publishedCurves(),
  });
  await writeFileAtomic(path, page);
}

/** The curves out of the bytes of such a file: name → thresholds, three curves, two means. */
export function readPublishedCurves(bytes: Uint8Array, where: string): MethodCurve[] {
  const json = parseJson(where, bytes);
  if (!isRecord(json)) throw new FormatError(`${where}: expected an object of curves by method`);
  return Object.entries(json).map(([name, value]) => {
    const known = PUBLISHED_NAMES.get(name);
    if (!known) throw new FormatError(`${where}: no published method is called ${JSON.stringify(name.slice(0, 100))}`);
    if (!isRecord(value)) throw new FormatError(`${where}: ${name} must be an object`);
    const { thresholds } = value;
    if (JSON.stringify(thresholds) !== JSON.stringify(THRESHOLDS)) {
      throw new FormatError(`${where}: ${name} must have the thresholds 1 to 15`);
    }
    const curve = (key: string): number[] => {
      const values = value[key];
      const fits = Array.isArray(values) && values.length === THRESHOLDS.length && values.every(isShare);
      if (!fits) throw new FormatError(`${where}: ${name} needs "${key}", ${THRESHOLDS.length} numbers from 0 to 1`);
      return values as number[];
    };
    const mean = (key: string): number => {
      const number = value[key];
      if (typeof number === "number" && Number.isFinite(number) && number >= 0) return number;
      throw new FormatError(`${where}: ${name} needs "${key}", a number ≥ 0`);
    };
    return {
      name,
      refined: known.refined,
      thresholds: [...THRESHOLDS],
      overall: curve("overall"),
      illumination: curve("illumination"),
      viewpoint: curve("viewpoint"),
      meanFeatures: mean("meanFeatures"),
      meanMatches: mean("meanMatches"),
    };
  });
}

function isShare(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
