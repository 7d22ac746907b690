/** A job's state as a page that needs nothing else. */
import { checkObject, checkText } from "../../check.js";
import { escapeXml } from "../../escape.js";
import { checkNumber } from "../../options.js";
import type { JobStatus } from "./status.js";

/** Rows of a list; the rest is counted. */
const LISTED = 200;

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
progress{width:100%;height:1.2rem}table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}td,th{border-color:#444}}`;

/** HTML of a job's state; `seconds`: asks the browser to load it again after so long. */
export function statusPage(status: JobStatus, seconds?: number): string {
  const { folder: place, shards: parts } = checkObject("statusPage", "status", status);
  checkText("statusPage", "status.folder", place);
  checkObject("statusPage", "status.shards", parts);
  if (seconds !== undefined) checkNumber("statusPage", "seconds", seconds, { min: 0 });
  const { folder, kind, state, count, done, found, shards, setAside, rate, secondsLeft, queue } = status;
  const [things, founds] = kind === "match" ? ["pairs", "matches"] : ["images", "keypoints"];
  const facts: [string, string][] = [
    ["State", state],
    ["Done", `${done} of ${count} ${things}, ${found} ${founds}`],
    ["Shards", `${shards.done} of ${shards.all}`],
    ["Rate", rate === null ? "not known yet" : `${rate.toFixed(1)} ${things}/s`],
    ["Left", secondsLeft === null ? "–" : `${Math.ceil(secondsLeft / 60)} min`],
  ];
  if (queue) {
    facts.push([
      "Queue",
      `${queue.waiting} waiting, ${queue.active.length} at work, ${queue.delayed} delayed, ${queue.failed.length} failed`,
    ]);
  }
  const refresh = seconds === undefined ? "" : `<meta http-equiv="refresh" content="${Math.ceil(seconds)}">`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">${refresh}
<title>${escapeXml(`${shards.done}/${shards.all} ${folder}`)}</title><style>${STYLE}</style></head><body>
<h1>${escapeXml(folder)}</h1>
<progress max="${shards.all}" value="${shards.done}"></progress>
${table([], facts)}
${
  queue
    ? list(
        "At work",
        ["Shard", "Worker", "Done"],
        queue.active.map((one) => [one.shard, one.worker ?? "", one.done ?? ""]),
      )
    : ""
}
${
  queue
    ? list(
        "Failed shards",
        ["Shard", "Attempts", "Reason"],
        queue.failed.map((one) => [one.shard, one.attempts, one.reason]),
      )
    : ""
}
${list(
  "Images set aside",
  ["Image", "Reason"],
  setAside.map((one) => [one.name, one.message]),
)}
</body></html>
`;
}

type Cell = string | number;

function list(title: string, head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  if (rows.length === 0) return "";
  const more = rows.length > LISTED ? `<p>and ${rows.length - LISTED} more</p>` : "";
  return `<h2>${escapeXml(title)} (${rows.length})</h2>${table(head, rows.slice(0, LISTED))}${more}`;
}

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = (row: readonly Cell[], tag: string) =>
    `<tr>${row.map((cell) => `<${tag}>${escapeXml(String(cell))}</${tag}>`).join("")}</tr>`;
  return `<table>${head.length > 0 ? cells(head, "th") : ""}${rows.map((row) => cells(row, "td")).join("")}</table>`;
}
