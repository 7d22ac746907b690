/** Tables: which figure is best, headings over columns, text that is only text. */
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { type Column, type RowGroup, table } from "../../../src/report/table.js";

const share = (value: number) => value.toFixed(2);
const HIGH: Column = { label: "high", format: share, best: "highest" };
const LOW: Column = { label: "low", format: share, best: "lowest" };
const PLAIN: Column = { label: "plain", format: share };

function bold(columns: Column[], values: (number | null)[][]): string[] {
  const rows = values.map((row, i) => ({ label: `r${i}`, values: row }));
  const { document } = parseHTML(table("t", "method", columns, [{ rows }]));
  return [...document.querySelectorAll("b")].map((element) => element.textContent ?? "");
}

describe("table", () => {
  it("marks the highest, the lowest or none", () => {
    const values = [
      [0.1, 5, 1],
      [0.3, 2, 2],
    ];
    expect(bold([HIGH, LOW, PLAIN], values)).toEqual(["0.30", "2.00"]);
  });

  it("marks all that read the same, but none where nothing differs or nothing is to compare", () => {
    expect(bold([HIGH], [[0.301], [0.299], [0.1]])).toEqual(["0.30", "0.30"]);
    expect(bold([HIGH], [[0.3], [0.3]])).toEqual([]);
    expect(bold([HIGH], [[0.3]])).toEqual([]);
    expect(bold([HIGH], [[0.3], [null], [Number.NaN]])).toEqual([]);
    expect(bold([LOW], [[null], [0.2], [0.1]])).toEqual(["0.10"]);
  });

  it("chooses within a group", () => {
    const groups: RowGroup[] = [0.1, 0.5].map((value, i) => ({
      title: `g${i}`,
      rows: [
        { label: "a", values: [value] },
        { label: "b", values: [value / 2] },
      ],
    }));
    const { document } = parseHTML(table("t", "method", [HIGH], groups));
    expect([...document.querySelectorAll("b")].map((b) => b.textContent)).toEqual(["0.10", "0.50"]);
    expect([...document.querySelectorAll(".group")].map((row) => row.textContent)).toEqual(["g0", "g1"]);
  });

  it("shows a dash for what is not there, and leaves out a group without rows", () => {
    const html = table(
      "t",
      "method",
      [HIGH],
      [
        { title: "empty", rows: [] },
        {
          rows: [
            { label: "a", values: [null] },
            { label: "b", values: [Number.POSITIVE_INFINITY] },
          ],
        },
      ],
    );
    expect(html.match(/<td>–<\/td>/g)).toHaveLength(2);
    expect(html).not.toContain("empty");
  });

  it("spans headings over neighbours", () => {
    const columns = [PLAIN, { ...HIGH, over: "A & B" }, { ...LOW, over: "A & B" }, { ...HIGH, over: "C" }];
    const { document } = parseHTML(table("t", "method", columns, []));
    const spans = [...document.querySelectorAll(".over > *")].map((cell) => [
      cell.textContent,
      cell.getAttribute("colspan"),
    ]);
    expect(spans).toEqual([
      ["", null],
      ["", "1"],
      ["A & B", "2"],
      ["C", "1"],
    ]);
  });

  it("escapes captions, headings and labels", () => {
    const nasty = `<b>"&`;
    const column = { ...HIGH, label: nasty, title: nasty };
    const { document } = parseHTML(
      table(nasty, nasty, [column], [{ title: nasty, rows: [{ label: nasty, values: [1] }] }]),
    );
    expect(document.querySelectorAll("b")).toHaveLength(0);
    expect(document.querySelector("caption")?.textContent).toBe(nasty);
    expect(document.querySelector("tbody tr:not(.group) th")?.textContent).toBe(nasty);
  });
});
