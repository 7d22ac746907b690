import { describe, expect, it } from "vitest";
import { summarize, summarizeByKind } from "../../../src/bench/summary.js";
import { THRESHOLDS } from "../../../src/bench/types.js";
import { OptionError } from "../../../src/errors.js";
import { scored } from "./made.js";

const counts = (value: (t: number) => number) => THRESHOLDS.map(value);

describe("summarize", () => {
  const good = scored("v_a", 2, {
    keypoints: [100, 200],
    matches: 20,
    correct: counts((t) => t),
    refined: { matches: 10, correct: counts((t) => Math.min(10, t + 5)) },
    covisible: [10, 30],
    repeated: [5, 15],
    cornerError: { magsac: 1.5, ransac: 3, dlt: 30 },
  });
  const empty = scored("v_a", 3, {
    keypoints: [100, 0],
    matches: 0,
    correct: counts(() => 0),
    refined: { matches: 0, correct: counts(() => 0) },
    covisible: [40, 0],
    repeated: [0, 0],
    cornerError: { magsac: null, ransac: null, dlt: null },
  });

  it("is the mean over pairs; a pair without matches counts 0", () => {
    const summary = summarize([good, empty]);
    expect(summary).toMatchObject({ pairs: 2, empty: 1, matches: 10, refinedMatches: 5, repeatability: 0.25 });
    THRESHOLDS.forEach((t, i) => {
      expect(summary.mma[i]).toBeCloseTo(t / 40, 12);
      expect(summary.refinedMma[i]).toBeCloseTo(Math.min(10, t + 5) / 20, 12);
    });
    expect(summary.matchingScore).toBeCloseTo((3 / 10 + 3 / 30) / 4, 12);
    expect(summary.homography.magsac.accuracy).toEqual([0, 0.5, 0.5]);
    expect(summary.homography.magsac.auc[0]).toBe(0);
    expect(summary.homography.magsac.auc[1]).toBeCloseTo(0.25, 12);
    expect(summary.homography.magsac.auc[2]).toBeCloseTo((1 - 0.3) / 2, 12);
    expect(summary.homography.ransac.accuracy).toEqual([0, 0.5, 0.5]);
    expect(summary.homography.ransac.auc).toEqual([0, 0, 0.2]);
    expect(summary.homography.dlt).toEqual({ accuracy: [0, 0, 0], auc: [0, 0, 0] });
  });

  it("means over pairs, not over matches", () => {
    const many = scored("v_a", 4, { matches: 1000, correct: counts(() => 1000) });
    const few = scored("v_a", 5, { matches: 1, correct: counts(() => 0) });
    expect(summarize([many, few]).mma[0]).toBe(0.5);
  });

  it("counts the features of an image once, however many pairs it is in", () => {
    expect(summarize([good, empty]).features).toBe((100 + 200 + 0) / 3);
    // The same number of another sequence is another image.
    expect(summarize([good, { ...empty, sequence: "v_b" }]).features).toBe((100 + 200 + 100 + 0) / 4);
  });

  it("of nothing is an error", () => {
    expect(() => summarize([])).toThrow(OptionError);
  });
});

describe("summarizeByKind", () => {
  it("splits by kind; all holds every pair, a kind without pairs is null", () => {
    const pairs = [
      scored("i_a", 2, { matches: 1 }),
      scored("v_a", 2, { matches: 4 }),
      scored("wall", 2, { matches: 7 }),
    ];
    const { all, illumination, viewpoint } = summarizeByKind(pairs);
    expect([all.matches, illumination?.matches, viewpoint?.matches]).toEqual([4, 1, 4]);
    expect([all.pairs, illumination?.pairs, viewpoint?.pairs]).toEqual([3, 1, 1]);
    expect(summarizeByKind([pairs[2]])).toMatchObject({ illumination: null, viewpoint: null });
    expect(() => summarizeByKind([])).toThrow(OptionError);
  });
});
