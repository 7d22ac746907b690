/** A table of plain text: the first column to the left, numbers to the right. */

export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((_, k) => Math.max(...[header, ...rows].map((row) => [...row[k]].length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, k) => {
        const space = " ".repeat(widths[k] - [...cell].length);
        return k === 0 ? cell + space : space + cell;
      })
      .join("  ")
      .trimEnd();
  return `${[header, ...rows].map(line).join("\n")}\n`;
}
