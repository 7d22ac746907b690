/** What was run, so that it can be repeated: the command, the machine, and each run's configuration. */
import { escapeXml } from "../../report/escape.js";
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
<dl>${shown.map(([name, values]) => entry(name, values.join("; "))).join("\n")}</dl>
${summarized.map(runHtml).join("\n")}`;
}

/** "AMD EPYC, 2 cores, 8 GiB, linux-x64" */
export function machineName({ cpu, cores, memoryGiB, platform }: SummarizedRun["run"]["info"]["machine"]): string {
  return `${cpu}, ${cores} core${cores === 1 ? "" : "s"}, ${Number(memoryGiB.toFixed(1))} GiB, ${platform}`;
}

function runHtml({ name, run: { info } }: SummarizedRun): string {
  const entries = [
    entry("Key", info.key),
    entry("Protocol", info.protocol === "own" ? "the keypoints that the method gives by itself" : info.protocol),
    entry("Model, SHA-256", info.model ?? "none"),
    entry("Extraction", settings(info.options)),
    entry("Matching and estimation", settings(info.scoring)),
    entry("Versions", settings(info.versions)),
    entry("Seed", String(info.seed)),
  ];
  return `<details><summary>${escapeXml(name)}</summary><dl>${entries.join("\n")}</dl></details>`;
}

const entry = (name: string, value: string): string => `<div><dt>${name}</dt><dd>${escapeXml(value)}</dd></div>`;

/** "nms true, maxFeatures 2000", and what is nested in brackets: "ransac (threshold 3, seed 0)". */
function settings(values: Readonly<Record<string, unknown>>): string {
  const said = Object.entries(values).map(([name, value]) => {
    if (isNested(value)) return `${name} (${settings(value)})`;
    return `${name} ${typeof value === "string" ? value : (JSON.stringify(value) ?? "not set")}`;
  });
  return said.length > 0 ? said.join(", ") : "none";
}

function isNested(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
