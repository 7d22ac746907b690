/** The report's figures for programs: what was run, and its means. */
import { summarizeByKind } from "../summary.js";
import { costsOf } from "./costs.js";
import { checkReport, type ReportInput } from "./input.js";
import { runNames } from "./text.js";

/** JSON text: everything of the input but pictures and published curves, with summaries in place of the pairs. */
export function benchJson(input: ReportInput): string {
  const { title, date, command, full, runs, cached = [], changes = [], notes = [] } = checkReport("benchJson", input);
  const names = runNames(runs);
  const document = {
    title: title ?? null,
    date,
    command,
    full,
    notes,
    runs: runs.map(({ info, records, images }, i) => ({
      name: names[i],
      ...info,
      pairs: records.length,
      summaries: summarizeByKind(records),
      costs: costsOf(images),
    })),
    cached,
    changes,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
