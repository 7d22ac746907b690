/** Configurations of models, as they lie beside the weights in JSON; read strictly. */
import { FormatError } from "../errors.js";

/** The default family (strata-s…). */
export interface StrataConfig {
  name: string;
  input: {
    /** Subtracted from and divided by, after scaling pixels to 0..1, per channel. */
    mean: number[];
    std: number[];
    /** Width and height are padded to a multiple of this, right and bottom, by replication. */
    padMultiple: number;
  };
  /** Channels of each level, level 0 at full resolution, each next one at half of it. */
  widths: number[];
  descriptorDim: number;
  attentionWidth: number;
  bnEps: number;
  detection: {
    /** Keypoints are maxima of (2·nmsRadius + 1)² windows. */
    nmsRadius: number;
    /** Pixels at the image's edge without keypoints. */
    border: number;
    maxKeypoints: number;
    threshold: number;
  };
  /** SHA-256 of the weights file, hexadecimal. */
  sha256?: string;
  parameters?: number;
}

/** Reads and checks a configuration; FormatError names the first field that does not fit. */
export function parseStrataConfig(where: string, value: unknown): StrataConfig {
  const object = (v: unknown, path: string): Record<string, unknown> => {
    if (typeof v !== "object" || v === null || Array.isArray(v)) throw wrong(where, path, "an object", v);
    return v as Record<string, unknown>;
  };
  const whole = (v: unknown, path: string, min: number): number => {
    if (!Number.isInteger(v) || (v as number) < min) throw wrong(where, path, `a whole number ≥ ${min}`, v);
    return v as number;
  };
  const numbers = (v: unknown, path: string, length?: number): number[] => {
    const fits =
      Array.isArray(v) && v.every((n) => Number.isFinite(n)) && (length === undefined || v.length === length);
    if (!fits) throw wrong(where, path, `${length ?? "some"} numbers`, v);
    return v as number[];
  };
  const root = object(value, "");
  if (typeof root.name !== "string" || !root.name) throw wrong(where, "name", "a text", root.name);
  const input = object(root.input, "input");
  const detection = object(root.detection, "detection");
  const threshold = detection.threshold;
  if (typeof threshold !== "number" || !(threshold >= 0))
    throw wrong(where, "detection.threshold", "a number ≥ 0", threshold);
  const eps = root.bnEps;
  if (typeof eps !== "number" || !(eps > 0)) throw wrong(where, "bnEps", "a number > 0", eps);
  return {
    name: root.name,
    input: {
      mean: numbers(input.mean, "input.mean", 3),
      std: numbers(input.std, "input.std", 3),
      padMultiple: whole(input.padMultiple, "input.padMultiple", 1),
    },
    widths: numbers(root.widths, "widths", 5).map((w, i) => whole(w, `widths.${i}`, 1)),
    descriptorDim: whole(root.descriptorDim, "descriptorDim", 1),
    attentionWidth: whole(root.attentionWidth, "attentionWidth", 1),
    bnEps: eps,
    detection: {
      nmsRadius: whole(detection.nmsRadius, "detection.nmsRadius", 1),
      border: whole(detection.border, "detection.border", 0),
      maxKeypoints: whole(detection.maxKeypoints, "detection.maxKeypoints", 1),
      threshold,
    },
    ...(typeof root.sha256 === "string" ? { sha256: root.sha256 } : {}),
    ...(typeof root.parameters === "number" ? { parameters: root.parameters } : {}),
  };
}

function wrong(where: string, path: string, wanted: string, got: unknown): FormatError {
  return new FormatError(
    `${where}: "${path || "the file"}" must be ${wanted}, got ${JSON.stringify(got) ?? "nothing"}`,
  );
}
