/** Comma-separated values as spreadsheets and other programs read them (RFC 4180). */

export type Cell = string | number | boolean | null;

/** Rows as text. What is null or not a finite number is an empty field. */
export function csvText(rows: readonly (readonly Cell[])[]): string {
  return rows.map((cells) => `${cells.map(field).join(",")}\r\n`).join("");
}

function field(cell: Cell): string {
  const text = cell === null || (typeof cell === "number" && !Number.isFinite(cell)) ? "" : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
