/** `strata train report`: the curves and facts of one training or several, finished or running, as a page or as data. */
import { basename, join } from "node:path";
import type { Command } from "commander";
import { OptionError } from "../../errors.js";
import { writeFileAtomic } from "../../node/atomic.js";
import { checkWritable } from "../../node/folders.js";
import { readRuns } from "../../node/train/run-folders.js";
import type { TrainReportInput } from "../../train/report/input.js";
import { type Context, EXIT } from "../context.js";

export interface TrainReportFlags {
  out?: string;
  csv?: string;
  title?: string;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export function addTrainReport(parent: Command, context: Context, done: (code: number) => void): void {
  parent
    .command("report")
    .description("Draw the curves of trainings: losses, metrics, learning rate, gradient norm.")
    .argument("<dirs...>", "folders of runs, or of folders of runs; several are compared")
    .option("--out <file>", "the page (default: report.html in the folder, where neither --json nor --csv is given)")
    .option("--csv <file>", "write every update and validation")
    .option("--json", "print facts, summary and all records as JSON")
    .option("--title <text>", "heading of the page (default: the run's name)")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata train report runs/attention
  strata train report runs/a runs/b --out compared.html
  strata train report runs/ --csv runs.csv
  strata train report runs/attention --json

A run may be training meanwhile; call it again for what has come since.`,
    )
    .action(async (dirs: string[], flags: TrainReportFlags) => {
      done(await trainReportCommand(dirs, flags, context));
    });
}

export async function trainReportCommand(
  dirs: string | readonly string[],
  flags: TrainReportFlags,
  context: Context,
): Promise<number> {
  const given = typeof dirs === "string" ? [dirs] : dirs;
  const out = flags.out ?? (flags.json || flags.csv !== undefined ? undefined : join(given[0], "report.html"));
  if (flags.out === undefined && out !== undefined && given.length > 1) {
    throw new OptionError("train report: several folders need --out FILE, a place for their page");
  }
  const paths = [out, flags.csv].filter((path) => path !== undefined);
  const input = await readRuns(given, flags.title);
  await checkWritable(paths);
  const { trainReportCsv, trainReportHtml, trainReportJson } = await import("../../train/report/index.js");
  if (flags.csv !== undefined) await writeFileAtomic(flags.csv, trainReportCsv(input));
  if (out !== undefined) await writeFileAtomic(out, await trainReportHtml(input));
  if (flags.json) context.out(trainReportJson(input));
  else if (!flags.quiet) context.out(await summaryText(input, paths));
  return EXIT.ok;
}

async function summaryText(input: TrainReportInput, paths: readonly string[]): Promise<string> {
  const { reportRuns, summarizeRun } = await import("../../train/report/input.js");
  const lines = reportRuns("train report", input).map((run) => {
    const { step, total, best, state } = summarizeRun(run);
    const loss = best ? `, least validation loss ${Number(best.loss.toPrecision(4))} at update ${best.step}` : "";
    return `${run.name}: ${step} of ${total} updates${loss}; ${state}`;
  });
  return `${lines.join("\n")}\nwritten: ${paths.map((path) => (basename(path) === path ? `./${path}` : path)).join(", ")}\n`;
}
