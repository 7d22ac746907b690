/** Records of results as they come out of files: checked, for files are edited, torn and made by other versions. */
import { CHANGES } from "./change.js";
import {
  type ChangeRecord,
  ESTIMATORS,
  type ImageRecord,
  type PairRecord,
  type RunInfo,
  type SequenceKind,
  THRESHOLDS,
} from "./types.js";

/** The record of a pair, or null for anything else. */
export function parsePairRecord(value: unknown): PairRecord | null {
  if (!isRecord(value) || !isRunInfo(value.run)) return null;
  const { refined, cornerError, seconds } = value;
  const fits =
    typeof value.sequence === "string" &&
    (["illumination", "viewpoint", "other"] satisfies SequenceKind[]).includes(value.kind as SequenceKind) &&
    isCounts(value.images, 2) &&
    isCounts(value.keypoints, 2) &&
    isCount(value.matches) &&
    isCounts(value.correct, THRESHOLDS.length) &&
    isRecord(refined) &&
    isCount(refined.matches) &&
    isCounts(refined.correct, THRESHOLDS.length) &&
    isCounts(value.covisible, 2) &&
    isCounts(value.repeated, 2) &&
    isRecord(cornerError) &&
    ESTIMATORS.every((name) => cornerError[name] === null || isAmount(cornerError[name])) &&
    isRecord(seconds) &&
    isAmount(seconds.match) &&
    isAmount(seconds.score);
  return fits ? (value as unknown as PairRecord) : null;
}

/** The record of an image, or null for anything else. */
export function parseImageRecord(value: unknown): ImageRecord | null {
  if (!isRecord(value)) return null;
  const { sequence, image, keypoints, seconds, peakMB, fallback } = value;
  const fits =
    typeof sequence === "string" &&
    isCount(image) &&
    isCount(keypoints) &&
    [seconds, peakMB].every((amount) => amount === null || isAmount(amount)) &&
    (fallback === undefined || typeof fallback === "string");
  return fits ? (value as unknown as ImageRecord) : null;
}

/** The record of a changed photograph, or null for anything else. */
export function parseChangeRecord(value: unknown): ChangeRecord | null {
  if (!isRecord(value) || !isRunInfo(value.run)) return null;
  const { photo, change, matches, correct, cornerError } = value;
  const fits =
    typeof photo === "string" &&
    CHANGES.some((name) => name === change) &&
    isAmount(value.value) &&
    isCount(matches) &&
    isCounts(correct, THRESHOLDS.length) &&
    isRecord(cornerError) &&
    (cornerError.magsac === null || isAmount(cornerError.magsac));
  return fits ? (value as unknown as ChangeRecord) : null;
}

function isRunInfo(value: unknown): value is RunInfo {
  if (!isRecord(value)) return false;
  const { key, method, protocol, model, options, scoring, versions, machine, data, seed } = value;
  return (
    [key, method, protocol].every((text) => typeof text === "string") &&
    (model === null || typeof model === "string") &&
    [options, scoring, versions, machine, data].every(isRecord) &&
    typeof (data as Record<string, unknown>).digest === "string" &&
    isAmount(seed)
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
/** A finite number that is not negative. */
const isAmount = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value) && value >= 0;
const isCount = (value: unknown): boolean => isAmount(value) && Number.isInteger(value);
const isCounts = (value: unknown, length: number): boolean =>
  Array.isArray(value) && value.length === length && value.every(isCount);
