/** What the report of trainings is made of, and what is counted from it. All names are data and may be anything. */
import { OptionError } from "../../errors.js";
import type { LogEnd, LogHead, LogSkip, LogStep, LogValidation, TrainLog } from "../log.js";

export interface TrainReportInput {
  /** Heading; default: the run's name, or how many there are. */
  title?: string;
  /** When the report was made, as it is to be shown. */
  date: string;
  /** At least one; the folder tells runs of one name apart. */
  runs: readonly { folder: string; log: TrainLog }[];
  /** Sentences on what the reader should know. */
  notes?: readonly string[];
}

/** A run as its figures and tables need it. */
export interface ReportRun {
  /** Unique among the runs. */
  name: string;
  folder: string;
  head: LogHead;
  steps: LogStep[];
  validations: LogValidation[];
  skips: LogSkip[];
  end: LogEnd | null;
  /** Time of the last line. */
  last: string;
}

/** The runs, sorted out. An OptionError where there is none. */
export function reportRuns(where: string, { runs }: TrainReportInput): ReportRun[] {
  if (runs.length === 0) throw new OptionError(`${where}: there is no run to report`);
  return runs.map(({ folder, log: { head, records } }) => {
    const alike = runs.filter(({ log }) => log.head.name === head.name).length;
    return {
      name: alike > 1 ? `${head.name} (${folder})` : head.name,
      folder,
      head,
      steps: records.filter((record) => record.kind === "step"),
      validations: records.filter((record) => record.kind === "validation"),
      skips: records.filter((record) => record.kind === "skip"),
      end: records.findLast((record) => record.kind === "end") ?? null,
      last: records.at(-1)?.time ?? head.time,
    };
  });
}

export interface RunSummary {
  /** Updates done, and planned. */
  step: number;
  total: number;
  epochs: number;
  /** In words. */
  state: string;
  /** Smoothed, at the end. */
  trainLoss: number | null;
  validationLoss: number | null;
  best: { step: number; epoch: number; loss: number; metrics: Record<string, number | null> } | null;
  /** Median over the updates. */
  imagesPerSecond: number | null;
  /** Seconds that updates took, without validation and checkpoints. */
  seconds: number;
  skipped: number;
}

export function summarizeRun(run: ReportRun): RunSummary {
  const { head, steps, validations, skips } = run;
  const finite = validations.filter((record): record is LogValidation & { loss: number } => record.loss !== null);
  const best = finite.reduce<(typeof finite)[number] | null>((a, b) => (a && a.loss <= b.loss ? a : b), null);
  const rates = steps.map((step) => step.imagesPerSecond ?? 0).filter((rate) => rate > 0);
  return {
    step: steps.at(-1)?.step ?? 0,
    total: head.total,
    epochs: validations.length,
    state: stateOf(run),
    trainLoss: smooth(steps.map(({ step, loss }) => [step, loss ?? Number.NaN])).at(-1)?.[1] ?? null,
    validationLoss: validations.at(-1)?.loss ?? null,
    best: best && { step: best.step, epoch: best.epoch, loss: best.loss, metrics: best.metrics },
    imagesPerSecond: rates.sort((a, b) => a - b)[rates.length >> 1] ?? null,
    seconds: steps.reduce((sum, { pairs, imagesPerSecond: r }) => sum + (r !== null && r > 0 ? (2 * pairs) / r : 0), 0),
    skipped: skips.length,
  };
}

function stateOf({ end, last }: ReportRun): string {
  if (end === null) return `running or interrupted, last line ${when(last)}`;
  const { ended, message } = end;
  if (ended === "patience") return "ended early, the validation loss fell no more";
  if (ended === "failed") return `failed: ${message ?? "no reason given"}`;
  return ended;
}

/** "2026-01-02 03:04" in UTC; other texts as they are. */
export function when(time: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(time) ? `${time.slice(0, 16).replace("T", " ")} UTC` : time;
}

export type Point = readonly [x: number, y: number];

/** Updates over which a curve of so many points is smoothed. */
export const smoothing = (points: number): number => Math.max(1, Math.round(points / 50));

/**
 * Exponential means over about `smoothing` points, without the pull of the first value; what is not finite is left out
 * of the mean, and out of the curve.
 */
export function smooth(points: readonly Point[]): Point[] {
  const keep = 1 - 1 / smoothing(points.length);
  let [sum, weight] = [0, 0];
  return points
    .filter(([, y]) => Number.isFinite(y))
    .map(([x, y]): Point => {
      sum = keep * sum + y;
      weight = keep * weight + 1;
      return [x, sum / weight];
    });
}

/** At most `most` of the points: of each stretch the lowest and the highest, so that no spike is lost. */
export function thin(points: readonly Point[], most: number): Point[] {
  if (points.length <= most) return [...points];
  const stretches = Math.floor(most / 2);
  return Array.from({ length: stretches }, (_, k) => {
    const from = Math.floor((k * points.length) / stretches);
    const stretch = points.slice(from, Math.floor(((k + 1) * points.length) / stretches));
    const numbers = stretch.filter(([, y]) => Number.isFinite(y));
    if (numbers.length === 0) return stretch.slice(0, 1);
    const low = numbers.reduce((a, b) => (b[1] < a[1] ? b : a));
    const high = numbers.reduce((a, b) => (b[1] > a[1] ? b : a));
    return low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low];
  }).flat();
}
