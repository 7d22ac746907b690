import { describe, expect, it } from "vitest";
import {
  calibrationError,
  fitVerdict,
  type JudgedPair,
  pairProbability,
  reliabilityCurve,
} from "../../../src/bench/calibration.js";
import { reliabilitySvg } from "../../../src/bench/report/reliability-figure.js";
import { OptionError } from "../../../src/errors.js";
import { type Evidence, probabilityOf } from "../../../src/geometry/verdict.js";
import { Random } from "../../../src/random.js";

const TRUE_MODEL = { weights: { inliers: 0.8, share: 1.5, spread: 0.4, tightness: -2, form: 1 }, bias: -1.5 };

/** Pairs whose answers are drawn with the probabilities of a known model. */
function drawn(count: number, seed: number): JudgedPair[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const evidence: Evidence = {
      inliers: random.uniform(0, 4),
      share: random.uniform(-3, 2),
      spread: random.uniform(-4, 0),
      tightness: random.uniform(0, 1),
      form: random.integer(2),
    };
    return { evidence, right: random.uniform(0, 1) < probabilityOf(TRUE_MODEL, evidence) };
  });
}

describe("fitVerdict", () => {
  it("finds the weights that made the answers", () => {
    const { weights, bias } = fitVerdict(drawn(20_000, 1));
    for (const [name, value] of Object.entries(TRUE_MODEL.weights)) {
      expect(Math.abs(weights[name as keyof Evidence] - value), name).toBeLessThan(0.2);
    }
    expect(Math.abs(bias - TRUE_MODEL.bias)).toBeLessThan(0.2);
  });

  it("stays finite where evidence tells right from wrong without error", () => {
    const pairs = drawn(200, 2).map(({ evidence }) => ({ evidence, right: (evidence?.share ?? 0) > 0 }));
    const model = fitVerdict(pairs);
    expect(Object.values(model.weights).every(Number.isFinite)).toBe(true);
    for (const pair of pairs) expect(pairProbability(model, pair) > 0.5).toBe(pair.right);
  });

  it("pairs without a homography have probability 0 and no part in the fit", () => {
    const none: JudgedPair = { evidence: null, right: false };
    const pairs = drawn(500, 3);
    expect(fitVerdict([...pairs, none, none])).toEqual(fitVerdict(pairs));
    expect(pairProbability(TRUE_MODEL, none)).toBe(0);
  });

  it("needs both answers", () => {
    const right = drawn(50, 4).filter((pair) => pair.right);
    expect(() => fitVerdict(right)).toThrow(OptionError);
    expect(() => fitVerdict([])).toThrow(/got 0 of 0 right/);
  });
});

describe("reliability", () => {
  it("lies on the diagonal for the model that made the answers, and off it for another", () => {
    const pairs = drawn(20_000, 5);
    const curve = reliabilityCurve(TRUE_MODEL, pairs);
    expect(curve.reduce((sum, { count }) => sum + count, 0)).toBe(20_000);
    for (const { low, high, predicted, observed } of curve) {
      expect(predicted).toBeGreaterThanOrEqual(low);
      expect(predicted).toBeLessThanOrEqual(high);
      expect(Math.abs(predicted - observed)).toBeLessThan(0.05);
    }
    expect(calibrationError(curve)).toBeLessThan(0.02);
    const bold = reliabilityCurve({ ...TRUE_MODEL, bias: TRUE_MODEL.bias + 2 }, pairs);
    expect(calibrationError(bold)).toBeGreaterThan(0.1);
  });

  it("is drawn with every bin in words", async () => {
    const svg = await reliabilitySvg(reliabilityCurve(TRUE_MODEL, drawn(300, 6)));
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(svg.match(/<circle/g)?.length).toBeGreaterThan(5);
    expect(svg).toContain("0.0");
  });
});
