/** The report's figures for programs and spreadsheets. */
import { type Cell, csvText } from "../../report/csv.js";
import { reportRuns, summarizeRun, type TrainReportInput } from "./input.js";

/** JSON text: of each run what it is made of, a summary, and every record. */
export function trainReportJson(input: TrainReportInput): string {
  const runs = reportRuns("trainReportJson", input).map((run) => {
    const { name, folder, head, steps, validations, skips } = run;
    const { kind: _, format: __, ...facts } = head;
    return { ...facts, name, folder, summary: summarizeRun(run), steps, validations, skips };
  });
  return `${JSON.stringify({ date: input.date, notes: input.notes ?? [], runs }, null, 2)}\n`;
}

/** A row per update and validation of every run, in the order of the logs. */
export function trainReportCsv(input: TrainReportInput): string {
  const runs = reportRuns("trainReportCsv", input);
  const records = runs.map(({ steps, validations }) =>
    [...steps, ...validations].sort((a, b) => a.step - b.step || (a.kind === "step" ? -1 : 1)),
  );
  const metrics = [...new Set(records.flat().flatMap((record) => Object.keys(record.metrics)))];
  const header = ["run", "kind", "time", "step", "epoch", "pairs", "loss", "best", "rate", "norm", "images_per_second"];
  const rows = runs.flatMap(({ name }, i) =>
    records[i].map((record): Cell[] => [
      ...[name, record.kind, record.time, record.step, record.epoch, record.pairs, record.loss],
      ...(record.kind === "step"
        ? [null, record.rate, record.norm, record.imagesPerSecond]
        : [record.best, null, null, null]),
      ...metrics.map((metric) => record.metrics[metric] ?? null),
    ]),
  );
  return csvText([[...header, ...metrics], ...rows]);
}
