import { describe, expect, it } from "vitest";
import {
  FINAL_MODEL,
  FINAL_MODEL_REFINED,
  PUBLISHED_NAMES,
  publishedName,
} from "../../../src/bench/published-names.js";
import { FormatError } from "../../../src/errors.js";
import { encodeUtf8 } from "../../../src/formats/bytes.js";
import { publishedCurves, readPublishedCurves } from "../../../src/node/bench/published.js";

describe("published curves", () => {
  it("quote the figures of the paper at 3 px", async () => {
    const curves = new Map((await publishedCurves()).map((curve) => [curve.name, curve]));
    for (const [name, mma3, refined] of [
      [FINAL_MODEL, 0.27, false],
      [FINAL_MODEL_REFINED, 0.691, true],
      ["superpoint", 0.645, false],
      // Trained on MegaDepth, and with the weights of ImageNet.
      ["d2-net-trained", 0.43, false],
      ["d2-net", 0.406, false],
      ["d2netREF", 0.673, true],
      ["hesaffnet", 0.616, false],
      ["delf", 0.489, false],
    ] as const) {
      expect(curves.get(name)?.overall[2], name).toBeCloseTo(mma3, 3);
      expect(curves.get(name)?.refined, name).toBe(refined);
    }
    expect(curves.get(FINAL_MODEL)?.meanFeatures).toBeCloseTo(9156.3, 1);
  });

  it("each have a label; one curve of a label is raw, at most one refined, repeats are variants", async () => {
    const curves = await publishedCurves();
    expect(curves.map(({ name }) => name).sort()).toEqual([...PUBLISHED_NAMES.keys()].sort());
    const drawn = curves.filter(({ name }) => publishedName(name).group !== "variants");
    const slots = drawn.map(({ name, refined }) => `${publishedName(name).label} ${refined}`);
    expect(new Set(slots).size).toBe(slots.length);
    // No two drawn curves are the same but for rounding.
    for (const [i, a] of drawn.entries()) {
      for (const b of drawn.slice(i + 1)) {
        const difference = Math.max(...a.overall.map((value, k) => Math.abs(value - b.overall[k])));
        expect(difference, `${a.name} and ${b.name}`).toBeGreaterThan(1e-4);
      }
    }
    // All pairs are illumination (260) or viewpoint (280).
    for (const { name, overall, illumination, viewpoint } of curves) {
      for (const [k, value] of overall.entries()) {
        expect((260 * illumination[k] + 280 * viewpoint[k]) / 540, name).toBeCloseTo(value, 10);
      }
    }
  });

  it("names from elsewhere speak for themselves", () => {
    expect(publishedName("mine")).toEqual({ label: "mine", group: "variants", refined: false });
    expect(publishedName("mine_RANSAC")).toEqual({ label: "mine", group: "variants", refined: true });
  });

  it("damaged data is refused, naming the method and what is wrong", () => {
    const fifteen = Array.from({ length: 15 }, (_, k) => k / 15);
    const good = {
      thresholds: fifteen.map((_, k) => k + 1),
      overall: fifteen,
      illumination: fifteen,
      viewpoint: fifteen,
      meanFeatures: 3,
      meanMatches: 0,
    };
    const read = (json: unknown) => readPublishedCurves(encodeUtf8(JSON.stringify(json)), "f.json");
    expect(read({ delf: good })).toEqual([{ name: "delf", refined: false, ...good }]);
    for (const [json, message] of [
      [[], /object of curves/],
      [{ nobody: good }, /no published method is called "nobody"/],
      [{ delf: 3 }, /delf must be an object/],
      [{ delf: { ...good, thresholds: fifteen } }, /delf must have the thresholds 1 to 15/],
      [{ delf: { ...good, overall: fifteen.slice(1) } }, /delf needs "overall", 15 numbers/],
      [{ delf: { ...good, viewpoint: fifteen.map((x) => 2 * x) } }, /delf needs "viewpoint"/],
      [{ delf: { ...good, illumination: undefined } }, /delf needs "illumination"/],
      [{ delf: { ...good, meanFeatures: -1 } }, /delf needs "meanFeatures"/],
      [{ delf: { ...good, meanMatches: "many" } }, /delf needs "meanMatches"/],
    ] as const) {
      expect(() => read(json)).toThrow(FormatError);
      expect(() => read(json)).toThrow(message);
    }
    expect(() => readPublishedCurves(encodeUtf8("{"), "f.json")).toThrow(/f\.json: not JSON/);
  });
});
