/** The same figures for programs: CSV that reads back, JSON with the means. */
import { describe, expect, it } from "vitest";
import { costsOf } from "../../../../src/bench/report/costs.js";
import { benchCsv, benchJson } from "../../../../src/bench/report/index.js";
import { accuracy, count, decimals, runNames } from "../../../../src/bench/report/text.js";
import { ShapeError } from "../../../../src/errors.js";
import { alpha, beta } from "./runs.js";

/** RFC 4180, read by the book. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  while (pattern.lastIndex < text.length) {
    const found = pattern.exec(text);
    if (!found) throw new Error("not CSV");
    rows.at(-1)?.push(found[1]?.replaceAll('""', '"') ?? found[2]);
    if (found[3] === "\r\n") rows.push([]);
  }
  return rows.slice(0, -1);
}

describe("benchCsv", () => {
  it("has a row for every pair and protocol, as it was counted", () => {
    const [header, ...rows] = parseCsv(benchCsv([alpha(), alpha({ protocol: "top-100" }), beta()]));
    expect(rows).toHaveLength(12);
    for (const row of rows) expect(row).toHaveLength(header.length);
    const cell = (row: number, name: string) => rows[row][header.indexOf(name)];
    expect(cell(1, "sequence")).toBe("i_one");
    expect([cell(1, "image1"), cell(1, "image2")]).toEqual(["1", "3"]);
    expect([cell(1, "keypoints1"), cell(1, "keypoints2"), cell(1, "matches")]).toEqual(["400", "200", "100"]);
    expect([cell(1, "correct@1"), cell(1, "correct@3"), cell(1, "correct@15")]).toEqual(["35", "70", "70"]);
    expect([cell(1, "refined_matches"), cell(1, "refined_correct@2")]).toEqual(["70", "35"]);
    expect([cell(1, "corner_error_magsac"), cell(1, "corner_error_dlt")]).toEqual(["2.5", ""]);
    expect([cell(4, "protocol"), cell(8, "method"), cell(8, "model")]).toEqual(["top-100", "beta", ""]);
    expect([cell(0, "seconds_match"), cell(0, "seed")]).toEqual(["0.25", "7"]);
  });

  it("quotes what would break a row, and writes no word for what is no number", () => {
    const method = `a,"b"\r\nc`;
    const run = alpha({ method });
    run.records[0].cornerError.magsac = Number.POSITIVE_INFINITY;
    const [header, first] = parseCsv(benchCsv([run]));
    expect(first[0]).toBe(method);
    expect(first[header.indexOf("corner_error_magsac")]).toBe("");
  });

  it("of no runs is its header", () => {
    expect(parseCsv(benchCsv([]))).toHaveLength(1);
  });
});

describe("benchJson", () => {
  const input = { date: "today", command: "c", full: false, runs: [alpha(), beta()] };

  it("has means by kind, what was run and what it cost", () => {
    const read = JSON.parse(benchJson(input));
    expect(read.runs.map(({ name }: { name: string }) => name)).toEqual(["alpha", "beta"]);
    const [first, second] = read.runs;
    expect(first.summaries.all.mma[2]).toBeCloseTo(0.35, 12);
    expect(first.summaries.illumination.mma[2]).toBeCloseTo(0.6, 12);
    expect(first).toMatchObject({ pairs: 4, seed: 7, model: "ab".repeat(32), costs: { seconds: 0.2, peakMB: 512 } });
    expect(second.costs).toEqual({ seconds: null, peakMB: null });
    expect(read).toMatchObject({ title: null, date: "today", command: "c", full: false, cached: [], changes: [] });
    expect(first.records).toBeUndefined();
  });

  it("refuses a run without pairs", () => {
    expect(() => benchJson({ ...input, runs: [{ ...alpha(), records: [] }] })).toThrow(ShapeError);
  });
});

describe("costsOf", () => {
  const image = (seconds: number | null, peakMB: number | null) => ({
    sequence: "s",
    image: 1,
    keypoints: 1,
    seconds,
    peakMB,
  });

  it("takes the median time and the highest peak of what was measured", () => {
    expect(costsOf([image(9, 10), image(1, null), image(2, 30), image(null, 20)])).toEqual({ seconds: 2, peakMB: 30 });
    expect(costsOf([image(1, 1), image(4, 1)]).seconds).toBe(2.5);
    expect(costsOf([])).toEqual({ seconds: null, peakMB: null });
  });
});

describe("texts", () => {
  it("numbers", () => {
    expect([0, 999, 1000, 12345.6, 1234567].map(count)).toEqual([
      "0",
      "999",
      "1\u2009000",
      "12\u2009346",
      "1\u2009234\u2009567",
    ]);
    expect([decimals(0.12345, 3), decimals(Number.NaN, 3), decimals(null, 1), decimals(undefined, 1)]).toEqual([
      "0.123",
      "–",
      "–",
      "–",
    ]);
  });

  it("names of runs", () => {
    const runs = [
      alpha(),
      alpha({ protocol: "top-2000" }),
      alpha({ protocol: "odd" }),
      beta(),
      beta({ key: "beta-2" }),
    ];
    expect(runNames(runs)).toEqual(["alpha", "alpha, best 2000", "alpha, odd", "beta (beta-1)", "beta (beta-2)"]);
  });

  it("accuracy of a pair", () => {
    const [first, , , empty] = alpha().records;
    expect([accuracy(first, 1), accuracy(first, 3), accuracy(empty, 3)]).toEqual([0.25, 0.5, 0]);
  });
});
