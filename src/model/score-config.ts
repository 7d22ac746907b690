/**
 * Configurations of networks of one score map, as they lie beside the weights in JSON; read strictly. What is common to
 * all of them is here, a family adds the fields of its network.
 */
import { jsonText } from "../check.js";
import { FormatError } from "../errors.js";

/** What every one of them says. */
export interface ScoreConfig {
  /** The family; none for the first one. */
  kind?: string;
  name: string;
  input: {
    /** Subtracted from and divided by, after scaling pixels to 0..1, per channel. */
    mean: number[];
    std: number[];
    /** Width and height are padded to a multiple of this (itself one of 16), right and bottom, by replication. */
    padMultiple: number;
  };
  /** Length of a descriptor. */
  descriptorDim: number;
  detection: {
    /** Keypoints are maxima of (2·nmsRadius + 1)² windows. */
    nmsRadius: number;
    /** Pixels at the image's edge without keypoints. */
    border: number;
    maxKeypoints: number;
    threshold: number;
    /** Scales of the image at which keypoints are looked for; default [1]. */
    scales?: number[];
  };
  /** Weights of the verdict on matched images; parseVerdictModel in geometry/verdict.ts reads it. */
  verdict?: Record<string, unknown>;
  /** SHA-256 of the weights file, hexadecimal. */
  sha256?: string;
  parameters?: number;
}

/** Sizes beyond which a file is damaged, so that it costs neither hours nor memory. */
const LARGEST = { padMultiple: 1024, nmsRadius: 32, border: 1024 };
/** Four halvings lie between the first level and the last. */
const STRIDE = 16;

/** Fields of a configuration, by the object they are in. What training and import note beside the network is theirs. */
const FIELDS = {
  "": [...["name", "input", "detection", "verdict", "sha256", "parameters"], ...["recipe", "training", "source"]],
  // Of the first model's file, which says what is always so.
  input: ["mean", "std", "padMultiple", "range", "padding"],
  detection: ["nmsRadius", "border", "maxKeypoints", "threshold", "scales"],
  verdict: ["weights", "bias", "same", "different", "fitted", "fundamental", "essential", "search"],
} as const;

/** What "range" and "padding" of the input must be where they are given. */
const ALWAYS = { range: [0, 1], padding: "replicate, right and bottom" } as const;

/** Longest name of a model, characters. */
export const MAX_NAME = 200;
/** Scales at which one image is looked at. */
export const MOST_SCALES = 16;

/** A FormatError that names the first key of `object` that nobody reads: a misspelt one would be passed over. */
export function checkKeys(where: string, path: string, object: object, known: readonly string[]): void {
  const stranger = Object.keys(object).find((key) => !known.includes(key));
  if (stranger === undefined) return;
  const full = path ? `${path}.${stranger}` : stranger;
  throw new FormatError(`${where}: unknown key ${quoted(full)}; known: ${known.join(", ")}`);
}

/** Whether it is a name that can be shown on a line. */
export const isModelName = (name: unknown): name is string =>
  typeof name === "string" && name.trim() !== "" && name.length <= MAX_NAME && !/\p{Cc}/u.test(name);

/** A model's name that can be shown on a line; a FormatError otherwise. */
export function checkModelName(where: string, name: unknown): string {
  if (isModelName(name)) return name;
  throw wrong(where, "name", `a text of 1 to ${MAX_NAME} printable characters`, name);
}

/** Reads fields of a network; each throws a FormatError that names the field. */
export interface NetworkFields {
  has(name: string): boolean;
  /** A whole number from 1. */
  count(name: string): number;
  /** `length` whole numbers from 1. */
  counts(name: string, length: number): number[];
  /** One of `known`; undefined where the field is not there. */
  choice<T extends string>(name: string, known: readonly T[]): T | undefined;
  /** Rising whole numbers from `first` to below `end`; undefined where the field is not there. */
  levels(name: string, first: number, end: number): number[] | undefined;
  /** What is added to a variance: above 0 and at most 1. */
  epsilon(name: string): number;
}

/**
 * Reads and checks a configuration whose network has the fields `own`, as `network` reads them; FormatError names the
 * first field that is unknown or does not fit.
 */
export function parseScoreConfig<N extends Pick<ScoreConfig, "descriptorDim">>(
  where: string,
  value: unknown,
  own: readonly string[],
  network: (fields: NetworkFields) => N,
): Omit<ScoreConfig, "descriptorDim"> & N {
  const object = (v: unknown, path: string): Record<string, unknown> => {
    if (typeof v !== "object" || v === null || Array.isArray(v)) throw wrong(where, path, "an object", v);
    return v as Record<string, unknown>;
  };
  const whole = (v: unknown, path: string, min: number, max = Infinity): number => {
    if (!Number.isSafeInteger(v) || (v as number) < min || (v as number) > max) {
      throw wrong(
        where,
        path,
        max === Infinity ? `a whole number ≥ ${min}` : `a whole number from ${min} to ${max}`,
        v,
      );
    }
    return v as number;
  };
  const numbers = (v: unknown, path: string, length: number): number[] => {
    const fits = Array.isArray(v) && v.length === length && v.every((n) => Number.isFinite(n));
    if (!fits) throw wrong(where, path, `${length} numbers`, v);
    return v as number[];
  };
  const known = (v: unknown, path: keyof typeof FIELDS): Record<string, unknown> => {
    const found = object(v, path);
    checkKeys(where, path, found, path === "" ? [...FIELDS[path], ...own] : FIELDS[path]);
    return found;
  };
  const root = known(value, "");
  const name = checkModelName(where, root.name);
  const input = known(root.input, "input");
  const detection = known(root.detection, "detection");
  for (const [key, only] of Object.entries(ALWAYS)) {
    const got = input[key];
    if (got !== undefined && jsonText(got) !== JSON.stringify(only))
      throw wrong(where, `input.${key}`, JSON.stringify(only), got);
  }
  for (const note of ["recipe", "training", "source"]) if (root[note] !== undefined) object(root[note], note);
  const { threshold } = detection;
  if (typeof threshold !== "number" || !(threshold >= 0 && threshold < Infinity))
    throw wrong(where, "detection.threshold", "a number ≥ 0", threshold);
  const { scales } = detection;
  const fits =
    Array.isArray(scales) &&
    scales.length > 0 &&
    scales.length <= MOST_SCALES &&
    new Set(scales).size === scales.length &&
    scales.every((s) => typeof s === "number" && s > 0 && s <= 1);
  if (scales !== undefined && !fits) {
    const wanted = `a list of 1 to ${MOST_SCALES} different numbers above 0 and at most 1`;
    throw wrong(where, "detection.scales", wanted, scales);
  }
  // Of pixels that were scaled to 0..1.
  const mean = numbers(input.mean, "input.mean", 3);
  if (!mean.every((m) => m >= 0 && m <= 1)) throw wrong(where, "input.mean", "numbers from 0 to 1", mean);
  const std = numbers(input.std, "input.std", 3);
  if (!std.every((s) => s > 0 && s <= 1)) throw wrong(where, "input.std", "numbers above 0 and at most 1", std);
  const padMultiple = whole(input.padMultiple, "input.padMultiple", STRIDE, LARGEST.padMultiple);
  if (padMultiple % STRIDE !== 0) throw wrong(where, "input.padMultiple", `a multiple of ${STRIDE}`, padMultiple);
  const { sha256, parameters } = root;
  if (sha256 !== undefined && !(typeof sha256 === "string" && /^[0-9a-f]{64}$/i.test(sha256)))
    throw wrong(where, "sha256", "64 hexadecimal digits", sha256);
  const fields: NetworkFields = {
    has: (field) => root[field] !== undefined,
    count: (field) => whole(root[field], field, 1),
    counts: (field, length) => numbers(root[field], field, length).map((n, i) => whole(n, `${field}.${i}`, 1)),
    choice(field, choices) {
      const found = choices.find((one) => one === root[field]);
      if (root[field] === undefined || found) return found;
      throw wrong(where, field, choices.map((one) => `"${one}"`).join(" or "), root[field]);
    },
    levels(field, from, end) {
      const list = root[field];
      if (list === undefined) return undefined;
      const rising = Array.isArray(list) && list.length > 0 && list.every((l, i) => i === 0 || l > list[i - 1]);
      if (rising && list.every((l) => Number.isInteger(l) && l >= from && l < end)) return list;
      throw wrong(where, field, `rising levels from ${from} to ${end - 1}`, list);
    },
    epsilon(field) {
      const eps = root[field];
      if (typeof eps === "number" && eps > 0 && eps <= 1) return eps;
      throw wrong(where, field, "a number above 0 and at most 1", eps);
    },
  };
  return {
    name,
    input: { mean, std, padMultiple },
    ...network(fields),
    detection: {
      nmsRadius: whole(detection.nmsRadius, "detection.nmsRadius", 1, LARGEST.nmsRadius),
      border: whole(detection.border, "detection.border", 0, LARGEST.border),
      maxKeypoints: whole(detection.maxKeypoints, "detection.maxKeypoints", 1),
      threshold,
      ...(scales === undefined ? {} : { scales: scales as number[] }),
    },
    ...(root.verdict === undefined ? {} : { verdict: known(root.verdict, "verdict") }),
    ...(sha256 === undefined ? {} : { sha256: sha256.toLowerCase() }),
    ...(parameters === undefined ? {} : { parameters: whole(parameters, "parameters", 1) }),
  };
}

/** A key as JSON writes it: an untrusted one may hold control characters. */
const quoted = (key: string): string => JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key);

function wrong(where: string, path: string, wanted: string, got: unknown): FormatError {
  return new FormatError(`${where}: "${path || "the file"}" must be ${wanted}, got ${jsonText(got)}`);
}
