/** Comma-separated values as spreadsheets and other programs read them (RFC 4180). */
import { csvField } from "../formats/csv-field.js";

export type Cell = string | number | boolean | null;

/** Rows as text. What is null or not a finite number is an empty field. */
export function csvText(rows: readonly (readonly Cell[])[]): string {
  return rows.map((cells) => `${cells.map(field).join(",")}\r\n`).join("");
}

function field(cell: Cell): string {
  if (typeof cell === "string") return csvField(cell);
  return cell === null || (typeof cell === "number" && !Number.isFinite(cell)) ? "" : String(cell);
}
