/** The report of one training, finished or running, or of several side by side: one page that is whole by itself. */

import { escapeXml } from "../../escape.js";
import { canonicalJson } from "../../formats/record.js";
import { reportPage } from "../../report/document.js";
import { DOCUMENT_STYLE } from "../../report/document-style.js";
import { factList, settings } from "../../report/facts.js";
import { openPlotter } from "../../report/plotter.js";
import { type Column, table } from "../../report/table.js";
import { count, decimals } from "../../report/text.js";
import { courseFigure, lossFigure, metricsFigure } from "./figures.js";
import { type ReportRun, type RunSummary, reportRuns, summarizeRun, type TrainReportInput, when } from "./input.js";

/** Reasons for skipped pairs that are listed. */
const REASONS = 12;

/** The page as HTML text. */
export async function trainReportHtml(input: TrainReportInput): Promise<string> {
  const runs = reportRuns("trainReportHtml", input);
  const summaries = runs.map(summarizeRun);
  const plotter = await openPlotter();
  const chapters = [
    { id: "summary", title: "Summary", body: summaryHtml(runs, summaries) },
    { id: "loss", title: "Loss", body: lossFigure(plotter, runs) },
    { id: "metrics", title: "Metrics", body: metricsFigure(plotter, runs) },
    { id: "course", title: "Learning rate, gradient, speed", body: courseFigure(plotter, runs) },
    { id: "skipped", title: "Skipped pairs", body: skippedHtml(runs) },
    {
      id: "configuration",
      title: "How it was made",
      body: runs.map((run) => factsHtml(run, runs.length === 1)).join("\n"),
    },
  ];
  return reportPage({
    title: input.title ?? reportTitle(runs),
    subtitle: subtitle(summaries, input.date),
    notes: [...(input.notes ?? []), ...cautions(runs)],
    chapters,
    style: DOCUMENT_STYLE,
  });
}

export function reportTitle(runs: readonly ReportRun[]): string {
  return runs.length === 1 ? runs[0].name : `${runs.length} trainings`;
}

function subtitle(summaries: readonly RunSummary[], date: string): string {
  const [{ step, total, state }] = summaries;
  const said = summaries.length === 1 ? `${count(step)} of ${count(total)} updates · ${state}` : "side by side";
  return `${said} · report of ${date}`;
}

/** What must not be read out of a comparison. */
function cautions(runs: readonly ReportRun[]): string[] {
  const kinds = (of: (run: ReportRun) => unknown) => new Set(runs.map((run) => canonicalJson(of(run)))).size;
  const notes: string[] = [];
  if (kinds(({ head }) => [head.task, head.recipe]) > 1) {
    notes.push(
      "These runs do not have one recipe: another recipe has another loss, and losses of different kinds do not compare.",
    );
  }
  if (kinds(({ head }) => head.data) > 1)
    notes.push("These runs do not have the same data: their losses are of different pairs.");
  return notes;
}

const four = (value: number): string => String(Number(value.toPrecision(4)));

function summaryHtml(runs: readonly ReportRun[], summaries: readonly RunSummary[]): string {
  const alike = new Set(runs.map(({ head }) => canonicalJson([head.task, head.recipe, head.data]))).size === 1;
  const best = alike ? { best: "lowest" as const } : {};
  const metrics = [...new Set(summaries.flatMap((summary) => Object.keys(summary.best?.metrics ?? {})))];
  const columns: Column[] = [
    { label: "done", over: "updates", format: count },
    { label: "planned", over: "updates", format: count },
    { label: "best", over: "validation loss", format: four, ...best, title: "Least validation loss" },
    { label: "at update", over: "validation loss", format: count },
    { label: "last", over: "validation loss", format: four },
    ...metrics.map(
      (name): Column => ({
        label: name,
        over: "at the best update",
        format: four,
        title: "Mean over validation pairs",
      }),
    ),
    { label: "last", over: "training loss", format: four, title: "Smoothed as in the figure" },
    { label: "images/s", over: "speed", format: (value) => decimals(value, 1), title: "Median over updates" },
    {
      label: "minutes",
      over: "speed",
      format: (value) => decimals(value, 1),
      title: "Time of the updates, without validation and checkpoints",
    },
    { label: "skipped pairs", format: count },
  ];
  const rows = runs.map(({ name }, i) => {
    const { step, total, best: least, validationLoss, trainLoss, imagesPerSecond, seconds, skipped } = summaries[i];
    const values = [
      ...[step, total, least?.loss ?? null, least?.step ?? null, validationLoss],
      ...metrics.map((metric) => least?.metrics[metric] ?? null),
      ...[trainLoss, imagesPerSecond, seconds / 60, skipped],
    ];
    return { label: name, values };
  });
  const states = runs.length > 1 ? factList(runs.map(({ name }, i) => [name, summaries[i].state])) : "";
  return `${table("Runs", "run", columns, [{ rows }])}\n${states}`;
}

function factsHtml({ name, folder, head }: ReportRun, open: boolean): string {
  const { task, recipe, options, data, versions, time, resumed, events } = head;
  const again = resumed.map(({ step, time }) => `at update ${step}, ${when(time)}`);
  const entries: [string, string][] = [
    ["Folder", folder],
    ["Task", task],
    ["Recipe", settings(recipe)],
    ["Options", settings(options)],
    ["Training data, digest", data.train],
    ["Validation data, digest", data.validation ?? "none"],
    ["Versions", settings(versions)],
    ["Started", when(time)],
    ["Resumed", again.length > 0 ? again.join("; ") : "never"],
    ["TensorBoard", events ?? "none"],
  ];
  return `<details${open ? " open" : ""}><summary>${escapeXml(name)}</summary>${factList(entries)}</details>`;
}

/** Why pairs could not be used, the most frequent reasons first. */
function skippedHtml(runs: readonly ReportRun[]): string {
  return runs
    .filter(({ skips }) => skips.length > 0)
    .map(({ name, skips }) => {
      const reasons = new Map<string, number>();
      for (const { reason } of skips) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      const sorted = [...reasons].sort(([, a], [, b]) => b - a);
      const rest = sorted.slice(REASONS).reduce((sum, [, times]) => sum + times, 0);
      const entries = sorted
        .slice(0, REASONS)
        .map(([reason, times]): [string, string] => [`${count(times)} ×`, reason]);
      if (rest > 0) entries.push([`${count(rest)} ×`, "other reasons; the log has them all"]);
      return `<h3>${escapeXml(name)}</h3>\n${factList(entries)}`;
    })
    .join("\n");
}
