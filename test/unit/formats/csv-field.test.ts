/** Names in tables: no formula for a spreadsheet, and the same names when they are read again. */
import { describe, expect, it } from "vitest";
import { readMatchesCsv, writeMatchesCsv } from "../../../src/formats/csv.js";
import { csvField, unescapeCsv } from "../../../src/formats/csv-field.js";
import { csvText } from "../../../src/report/csv.js";
import { sampleFeatures } from "./samples.js";

const FORMULAS = [
  "=1+1",
  "+x",
  "-x.png",
  "@sum",
  "\t=1",
  "\r=1",
  "\n=1",
  '=HYPERLINK("http://x","y")',
  "＝1+1",
  "'=1",
  "''@",
];
const PLAIN = ["a.png", "a=b-c+d@e", "'a'", "'", "", " =1", "1e5", 'say "x"', "a;=1", "a,=1", "ä/写.png", "a\n=1"];

describe("csvField", () => {
  it("begins no field as a formula, however it is quoted, and gives the text back", () => {
    for (const text of [...FORMULAS, ...PLAIN]) {
      const field = csvField(text);
      const bare = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
      expect(bare).not.toMatch(/^[=+\-@\t\r\n＝＋－＠]/);
      expect(unescapeCsv(bare)).toBe(text);
    }
    for (const text of PLAIN.slice(0, 7)) expect(csvField(text)).toBe(text);
    expect(csvField("a;=1")).toBe('"a;=1"');
  });

  it("is how matches write names, and reads them back", () => {
    const names = [...FORMULAS, ...PLAIN].filter((name) => name !== "");
    const features = new Map(names.map((name) => [name, sampleFeatures(1)]));
    const matches = { count: 1, pairs: Uint32Array.of(0, 0), scores: Float32Array.of(-0.5) };
    const pairs = names.map((name, i) => ({ name0: name, name1: names[(i + 1) % names.length], matches }));
    const csv = writeMatchesCsv(pairs, features);
    expect(readMatchesCsv(csv)).toEqual(pairs);
    const text = new TextDecoder().decode(csv);
    expect(text).toContain("'=1+1,'+x,0,0,");
    expect(text).toContain(",-0.5\r\n");
  });

  it("is how reports write texts; numbers are left alone", () => {
    expect(csvText([["=cmd|' /C calc'!A0", -1, +2, true, null, "-"]])).toBe("'=cmd|' /C calc'!A0,-1,2,true,,'-\r\n");
  });
});
