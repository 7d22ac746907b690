/**
 * The log of a training: JSON lines, a head that says what is trained, then one object per update, validation,
 * checkpoint and skipped pair. Cut at a checkpoint's step and continued, it is the log of a run without interruption.
 */
import { FormatError } from "../errors.js";
import { decodeUtf8 } from "../formats/bytes.js";
import type { StepRecord, TrainOutcome, ValidationRecord } from "./trainer.js";

/** What a run is made of. */
export interface RunFacts {
  name: string;
  task: string;
  recipe: Record<string, unknown>;
  options: Record<string, unknown>;
  /** Digests of training and validation data. */
  data: { train: string; validation: string | null };
  versions: Record<string, string>;
  /** Updates of the whole run, as planned. */
  total: number;
  /** Folder of TensorBoard's files, relative to the log's where it can be. */
  events: string | null;
}

export interface LogHead extends RunFacts {
  kind: "run";
  format: 1;
  time: string;
  /** Where and when the run went on after an interruption. */
  resumed: { step: number; time: string }[];
}

/** A number that is not finite is null in JSON. */
type Logged<T> = { [K in keyof T]: T[K] extends number ? number | null : T[K] };

export interface LogStep extends Omit<Logged<StepRecord>, "skipped" | "metrics" | "step" | "epoch" | "pairs"> {
  kind: "step";
  time: string;
  step: number;
  epoch: number;
  pairs: number;
  metrics: Record<string, number | null>;
  imagesPerSecond: number | null;
}

export interface LogValidation extends Omit<Logged<ValidationRecord>, "metrics" | "step" | "epoch" | "pairs"> {
  kind: "validation";
  time: string;
  step: number;
  epoch: number;
  pairs: number;
  metrics: Record<string, number | null>;
}

export interface LogCheckpoint {
  kind: "checkpoint";
  time: string;
  step: number;
  best: boolean;
}

/** A pair that could not be used for the update `step`. */
export interface LogSkip {
  kind: "skip";
  time: string;
  step: number;
  epoch: number;
  index: number;
  reason: string;
}

/** The last line of a run that ended by itself; one that was killed has none. */
export interface LogEnd {
  kind: "end";
  time: string;
  step: number;
  ended: TrainOutcome["ended"] | "failed";
  /** What failed. */
  message?: string;
}

export type LogRecord = LogStep | LogValidation | LogCheckpoint | LogSkip | LogEnd;

export interface TrainLog {
  head: LogHead;
  records: LogRecord[];
}

/** One line. */
export function logLine(record: LogHead | LogRecord): string {
  return `${JSON.stringify(record)}\n`;
}

export const logText = ({ head, records }: TrainLog): string => [head, ...records].map(logLine).join("");

/**
 * The log in these bytes. A last line without its end is left out, for the file may be being written. FormatError for
 * anything else that is not a log; `where` begins the message.
 */
export function parseLog(bytes: Uint8Array, where: string): TrainLog {
  const whole = bytes.subarray(0, bytes.lastIndexOf(10) + 1);
  const lines = decodeUtf8(where, whole).split("\n").slice(0, -1);
  const [head, ...records] = lines.map((line, index) => parseLine(line, `${where}: line ${index + 1}`));
  if (head === undefined) throw new FormatError(`${where}: no line is complete; the run has not begun`);
  checkHead(head, where);
  for (const [index, record] of records.entries()) checkRecord(record, `${where}: line ${index + 2}`);
  return { head: head as unknown as LogHead, records: records as unknown as LogRecord[] };
}

/** What a run that is resumed at `step` keeps: everything up to there, and nothing that says it has ended. */
export function cutLog({ head, records }: TrainLog, step: number): TrainLog {
  return { head, records: records.filter((record) => record.kind !== "end" && record.step <= step) };
}

type Line = Record<string, unknown>;

function parseLine(line: string, where: string): Line {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new FormatError(`${where}: not JSON: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(value)) throw new FormatError(`${where}: not an object`);
  return value;
}

function checkHead(head: Line, where: string): void {
  if (head.kind !== "run") throw new FormatError(`${where}: it does not begin as a log of a training does`);
  if (head.format !== 1) throw new FormatError(`${where}: format ${head.format}; this version reads 1`);
  const { data, resumed, events } = head;
  const right =
    ["name", "task", "time"].every((name) => isText(head[name])) &&
    ["recipe", "options", "versions"].every((name) => isObject(head[name])) &&
    isObject(data) &&
    isText(data.train) &&
    (data.validation === null || isText(data.validation)) &&
    isCount(head.total) &&
    (events === null || isText(events)) &&
    Array.isArray(resumed) &&
    resumed.every((entry: unknown) => isObject(entry) && isCount(entry.step) && isText(entry.time));
  if (!right) throw new FormatError(`${where}: fields of its first line are missing or wrong`);
}

/** Per kind, the fields that a reader relies on. */
const FIELDS: Record<LogRecord["kind"], Record<string, (value: unknown) => boolean>> = {
  step: {
    epoch: isCount,
    pairs: isCount,
    loss: isNumber,
    rate: isNumber,
    norm: isNumber,
    imagesPerSecond: isNumber,
    metrics: isMetrics,
  },
  validation: { epoch: isCount, pairs: isCount, loss: isNumber, best: isFlag, metrics: isMetrics },
  checkpoint: { best: isFlag },
  skip: { epoch: isCount, index: isCount, reason: isText },
  end: { ended: isText },
};

function checkRecord(record: Line, where: string): void {
  const { kind } = record;
  if (!isText(kind) || !Object.hasOwn(FIELDS, kind)) {
    const kinds = Object.keys(FIELDS).join(", ");
    throw new FormatError(`${where}: "kind" must be one of ${kinds}, got ${JSON.stringify(kind)}`);
  }
  const fields = { step: isCount, time: isText, ...FIELDS[kind as LogRecord["kind"]] };
  const wrong = Object.entries(fields).filter(([name, isRight]) => !isRight(record[name]));
  if (wrong.length > 0) {
    throw new FormatError(`${where}: fields are missing or wrong: ${wrong.map(([name]) => name).join(", ")}`);
  }
}

function isObject(value: unknown): value is Line {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function isText(value: unknown): value is string {
  return typeof value === "string";
}
function isFlag(value: unknown): boolean {
  return typeof value === "boolean";
}
function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
function isNumber(value: unknown): boolean {
  return value === null || typeof value === "number";
}
function isMetrics(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isNumber);
}
