/** Tables of figures: right-aligned, the best of each column bold, groups of rows below each other. */
import { escapeXml } from "../escape.js";
import { NOTHING } from "./text.js";

export interface Column {
  label: string;
  /** Heading over this column and its neighbours with the same one. */
  over?: string;
  /** What the column means, shown on pointing and read aloud. */
  title?: string;
  format: (value: number) => string;
  /** Which value is best; none is marked where the word is missing. */
  best?: "highest" | "lowest";
}

export interface RowGroup {
  title?: string;
  rows: { label: string; values: (number | null)[] }[];
}

/** More columns than this are set closer. */
const MANY = 10;

/** A `<table>` in a region that scrolls by itself, so that the page never does. `caption` and labels are plain text. */
export function table(caption: string, first: string, columns: readonly Column[], groups: readonly RowGroup[]): string {
  const body = groups.filter(({ rows }) => rows.length > 0).map((group) => rowGroup(group, columns));
  return `<div class="scroll" role="region" tabindex="0" aria-label="${escapeXml(caption)}">
<table${columns.length > MANY ? ` class="many"` : ""}><caption>${escapeXml(caption)}</caption>
<thead>${headings(first, columns)}</thead>
${body.join("\n")}
</table></div>`;
}

function headings(first: string, columns: readonly Column[]): string {
  const spans: { over: string; count: number }[] = [];
  for (const { over = "" } of columns) {
    const last = spans.at(-1);
    if (last?.over === over) last.count++;
    else spans.push({ over, count: 1 });
  }
  const upper = spans.map(({ over, count }) =>
    over === "" ? `<td colspan="${count}"></td>` : `<th scope="colgroup" colspan="${count}">${escapeXml(over)}</th>`,
  );
  const lower = columns.map(({ label, title, over }, i) => {
    const explained = title ? ` title="${escapeXml(title)}"` : "";
    const begins = i > 0 && over !== columns[i - 1].over ? ` class="begins"` : "";
    return `<th scope="col"${explained}${begins}>${escapeXml(label)}</th>`;
  });
  const hasUpper = columns.some(({ over }) => over);
  return `${hasUpper ? `<tr class="over"><td></td>${upper.join("")}</tr>` : ""}<tr><th scope="col">${escapeXml(first)}</th>${lower.join("")}</tr>`;
}

function rowGroup({ title, rows }: RowGroup, columns: readonly Column[]): string {
  const best = columns.map((column, c) =>
    bestText(
      column,
      rows.map(({ values }) => values[c]),
    ),
  );
  const lines = rows.map(({ label, values }) => {
    const cells = columns.map((column, c) => {
      const text = shown(column, values[c]);
      const begins = c > 0 && column.over !== columns[c - 1].over ? ` class="begins"` : "";
      return `<td${begins}>${text !== NOTHING && text === best[c] ? `<b>${text}</b>` : escapeXml(text)}</td>`;
    });
    return `<tr><th scope="row">${escapeXml(label)}</th>${cells.join("")}</tr>`;
  });
  const heading = title
    ? `<tr class="group"><th scope="rowgroup" colspan="${columns.length + 1}"><span>${escapeXml(title)}</span></th></tr>\n`
    : "";
  return `<tbody>${heading}${lines.join("\n")}</tbody>`;
}

function shown({ format }: Column, value: number | null): string {
  return value === null || !Number.isFinite(value) ? NOTHING : format(value);
}

/** The best value as it is shown: what reads the same is as good. None is best where nothing is to choose from. */
function bestText(column: Column, values: readonly (number | null)[]): string | null {
  const numbers = values.filter((value): value is number => value !== null && Number.isFinite(value));
  if (!column.best || numbers.length < 2) return null;
  const best = numbers.reduce((a, b) => (column.best === "highest" ? Math.max(a, b) : Math.min(a, b)));
  const text = shown(column, best);
  return numbers.every((value) => shown(column, value) === text) ? null : text;
}
