import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { parseVerdictModel } from "../../../src/geometry/verdict.js";
import { parseStrataConfig } from "../../../src/model/config.js";
import { SLIM, TINY } from "../../models.js";

/** TINY with the value at a path such as "input.mean" replaced; undefined removes it. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(TINY) as unknown as Record<string, unknown>;
  const keys = path.split(".");
  const last = keys.pop() as string;
  const at = keys.reduce((object, key) => object[key] as Record<string, unknown>, copy);
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

describe("parseStrataConfig", () => {
  it("reads what it should, and keeps nothing else", () => {
    const noted = { ...TINY, recipe: {}, training: {}, source: {} };
    expect(parseStrataConfig("c", noted)).toEqual(TINY);
    const sha256 = "A".repeat(64);
    const whole = parseStrataConfig("c", { ...TINY, sha256, parameters: 12 });
    expect(whole).toEqual({ ...TINY, sha256: "a".repeat(64), parameters: 12 });
  });

  it.each(["strata-s", "strata-s0", "strata-xs", "strata-t"])("reads the shipped model's: %s", (name) => {
    const path = new URL(`../../../models/${name}/config.json`, import.meta.url);
    const config = parseStrataConfig("c", JSON.parse(readFileSync(path, "utf8")));
    const widths = name === "strata-t" ? [16, 16, 32, 64, 64] : [16, 32, 64, 128, 128];
    expect(config).toMatchObject({ name, descriptorDim: 64, widths });
    if (config.verdict) expect(parseVerdictModel("c", config.verdict)).toMatchObject({ same: 0.9, different: 0.05 });
  });

  it.each([
    "note",
    "nmsRadius",
    "input.maen",
    "input.toString",
    "detection.treshold",
    "detection.max_keypoints",
    "verdict.weigths",
    "__proto",
  ])("refuses the unknown key %s by its name", (path) => {
    const whole = { ...TINY, verdict: {} };
    const [first, second] = path.split(".");
    const part = second ? { [first]: { ...(whole[first as never] as object), [second]: 1 } } : { [first]: 1 };
    expect(() => parseStrataConfig("c", { ...whole, ...part })).toThrow(FormatError);
    expect(() => parseStrataConfig("c", { ...whole, ...part })).toThrow(`c: unknown key "${path}"; known: `);
  });

  it("names an unknown key in short and without control characters", () => {
    const attempt = () => parseStrataConfig("c", { ...TINY, [`\u001b[2J${"x".repeat(500)}`]: 1 });
    expect(attempt).toThrow(/unknown key "\\u001b\[2Jx+…"/);
  });

  it("reads scales and how taps are joined, and refuses others", () => {
    const detection = { ...TINY.detection, scales: [0.8, 0.4] };
    expect(parseStrataConfig("c", { ...TINY, join: "cascade", detection })).toEqual({
      ...TINY,
      join: "cascade",
      detection,
    });
    expect(() => parseStrataConfig("c", { ...TINY, join: "sum" })).toThrow(/"join" must be "direct" or "cascade"/);
    for (const scales of [
      [],
      [0],
      [2],
      "1",
      [null],
      ["0.5"],
      [1, 1],
      Array(17)
        .fill(0)
        .map((_, i) => 1 / (i + 1)),
    ]) {
      expect(() => parseStrataConfig("c", changed("detection.scales", scales))).toThrow(/"detection.scales" must be/);
    }
  });

  it("reads the form of the network", () => {
    expect(parseStrataConfig("c", SLIM)).toEqual(SLIM);
    expect(parseStrataConfig("c", { ...TINY, scoreLevels: [0, 4] })).toEqual({ ...TINY, scoreLevels: [0, 4] });
  });

  it.each([null, [], 3, "text"])("refuses %j", (value) => {
    expect(() => parseStrataConfig("c.json", value)).toThrow(/^c\.json: "the file" must be an object, got /);
  });

  const fields = [
    "name",
    "input",
    "input.mean",
    "input.std",
    "input.padMultiple",
    "widths",
    "descriptorDim",
    "attentionWidth",
    "bnEps",
    "detection",
    "detection.nmsRadius",
    "detection.border",
    "detection.maxKeypoints",
    "detection.threshold",
  ];
  it.each(fields)("names %s when it is missing or of another kind", (path) => {
    for (const value of [undefined, null, true, "1", -1, [[]], {}]) {
      if (path === "name" && value === "1") continue;
      let error: unknown;
      try {
        parseStrataConfig("c.json", changed(path, value));
      } catch (caught) {
        error = caught;
      }
      // An object may be of the right kind and lack its fields.
      expect(error, `${path} = ${JSON.stringify(value)}`).toBeInstanceOf(FormatError);
      expect((error as FormatError).message).toContain(`c.json: "${path}`);
    }
  });

  it.each<[string, unknown, string]>([
    ["input.mean", [1, 2], "3 numbers"],
    ["input.mean", [1, 2, Number.NaN], "3 numbers"],
    ["input.std", [1, 0, 1], "numbers above 0"],
    ["input.std", [58.4, 57.1, 57.4], "at most 1"],
    ["input.mean", [123.7, 116.3, 103.5], "numbers from 0 to 1"],
    ["input.range", [0, 255], "must be [0,1], got [0,255]"],
    ["input.padding", "zeros", "replicate, right and bottom"],
    ["input.padMultiple", 24, "a multiple of 16"],
    ["input.padMultiple", 1 << 20, "from 16 to 1024"],
    ["widths", [4, 4, 4, 4], "5 numbers"],
    ["widths", [4, 4, 4, 4, 4, 4], "5 numbers"],
    ["widths", [4, 4, 0, 4, 4], "≥ 1, got 0"],
    ["widths", [4, 4, 1.5, 4, 4], "≥ 1, got 1.5"],
    ["innerWidths", [4, 4, 4, 4], "5 numbers"],
    ["innerWidths", [4, 4, 4, 4, 0], "≥ 1, got 0"],
    ["stem", "quarter", '"full" or "half" or "early", got "quarter"'],
    ["descriptorLevels", [0, 1], "rising levels from 1 to 4, got [0,1]"],
    ["descriptorLevels", [], "rising levels"],
    ["descriptorLevels", 3, "rising levels"],
    ["scoreLevels", [1, 1], "rising levels from 0 to 4"],
    ["scoreLevels", [0, 5], "rising levels"],
    ["scoreLevels", [0, "1"], "rising levels"],
    ["descriptorDim", 0, "≥ 1"],
    ["descriptorDim", 1e300, "≥ 1"],
    ["bnEps", 0, "above 0"],
    ["bnEps", Infinity, "at most 1"],
    ["name", "a\u001b[31mb", "printable"],
    ["name", "a".repeat(201), "1 to 200"],
    ["recipe", "strata-s", "an object"],
    ["verdict", 3, "an object"],
    ["detection.nmsRadius", 0, "from 1 to 32"],
    ["detection.nmsRadius", 1e9, "from 1 to 32"],
    ["detection.maxKeypoints", 0, "≥ 1"],
    ["detection.threshold", Number.NaN, "≥ 0"],
    ["detection.threshold", Infinity, "≥ 0"],
    ["sha256", "abc", "64 hexadecimal digits"],
    ["sha256", 5, "64 hexadecimal digits"],
    ["parameters", 1.5, "≥ 1"],
  ])("refuses %s = %j", (path, value, text) => {
    expect(() => parseStrataConfig("c", changed(path, value))).toThrow(FormatError);
    expect(() => parseStrataConfig("c", changed(path, value))).toThrow(text);
  });

  it("quotes a long value in short", () => {
    const long = () => parseStrataConfig("c", changed("widths", Array(10_000).fill(1)));
    expect(long).toThrow(/got \[1,1.*…$/);
    expect(long).not.toThrow(/.{300}/);
  });
});
