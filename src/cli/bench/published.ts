/** `strata bench published`: the figures on HPatches that others have published, as a table, JSON or page. */
import { publishedName } from "../../bench/published-names.js";
import { decimals } from "../../bench/report/text.js";
import { publishedCurves, savePublishedReport } from "../../node/bench/published.js";
import { checkWritable } from "../../node/folders.js";
import { type Context, EXIT } from "../context.js";
import { textTable } from "./text-table.js";

export interface PublishedFlags {
  report?: string;
  json?: boolean;
  debug?: boolean;
}

/** Thresholds in pixels that the table shows. */
const SHOWN = [1, 3, 5, 10];

export async function publishedCommand(flags: PublishedFlags, command: string, context: Context): Promise<number> {
  const curves = await publishedCurves();
  if (flags.report !== undefined) {
    await checkWritable([flags.report]);
    await savePublishedReport(flags.report, command);
  }
  if (flags.json) {
    const named = curves.map((curve) => ({ ...curve, ...publishedName(curve.name) }));
    context.out(`${JSON.stringify(named, null, 2)}\n`);
    return EXIT.ok;
  }
  const rows = curves.map((curve) => {
    const { label, group } = publishedName(curve.name);
    return [
      `${label}${curve.refined ? ", refined" : ""}`,
      group,
      decimals(curve.meanFeatures, 0),
      decimals(curve.meanMatches, 0),
      ...SHOWN.map((threshold) => decimals(curve.overall[curve.thresholds.indexOf(threshold)], 3)),
    ];
  });
  context.out(textTable(["method", "group", "features", "matches", ...SHOWN.map((t) => `MMA@${t}`)], rows));
  if (flags.report !== undefined) context.out(`\nwritten: ${flags.report}\n`);
  return EXIT.ok;
}
