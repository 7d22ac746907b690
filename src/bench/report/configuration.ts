/** What was run, so that it can be repeated: the command, the machine, and each run's configuration. */
import { escapeXml } from "../../escape.js";
import { factList, settings } from "../../report/facts.js";
import type { ReportInput } from "./input.js";
import type { SummarizedRun } from "./series.js";

/** HTML of the chapter. */
export function configurationHtml({ command, runs, date }: ReportInput, summarized: readonly SummarizedRun[]): string {
  const machines = [...new Set(runs.map(({ info: { machine } }) => machineName(machine)))];
  const data = [...new Set(runs.map(({ info }) => `${info.data.name}, SHA-256 ${info.data.digest}`))];
  const facts = [
    ["Date", [date]],
    ["Machine", machines],
    ["Data", data],
  ] as const;
  const shown = facts.filter(([, values]) => values.length > 0);
  return `<p>This command repeats it:</p>
<pre><code>${escapeXml(command)}</code></pre>
${factList(shown.map(([name, values]) => [name, values.join("; ")]))}
${summarized.map(runHtml).join("\n")}`;
}

/** "AMD EPYC, 2 cores, 8 GiB, linux-x64" */
export function machineName({ cpu, cores, memoryGiB, platform }: SummarizedRun["run"]["info"]["machine"]): string {
  return `${cpu}, ${cores} core${cores === 1 ? "" : "s"}, ${Number(memoryGiB.toFixed(1))} GiB, ${platform}`;
}

function runHtml({ name, run: { info } }: SummarizedRun): string {
  const entries: [string, string][] = [
    ["Key", info.key],
    ["Protocol", info.protocol === "own" ? "the keypoints that the method gives by itself" : info.protocol],
    ["Model, SHA-256", info.model ?? "none"],
    ["Extraction", settings(info.options)],
    ["Matching and estimation", settings(info.scoring)],
    ["Versions", settings(info.versions)],
    ["Seed", String(info.seed)],
  ];
  return `<details><summary>${escapeXml(name)}</summary>${factList(entries)}</details>`;
}
