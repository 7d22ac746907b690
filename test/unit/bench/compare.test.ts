import { describe, expect, it } from "vitest";
import { bootstrapIntervals, type Comparison, compareRuns } from "../../../src/bench/compare.js";
import { FormatError, OptionError } from "../../../src/errors.js";
import { Random } from "../../../src/random.js";
import { runOf, scored } from "./made.js";

const metric = (comparison: Comparison, name: string) => {
  const found = comparison.metrics.find((each) => each.metric === name);
  if (!found) throw new Error(`no ${name} among ${comparison.metrics.map((each) => each.metric)}`);
  return found;
};
const pairs = (count: number, right: (i: number) => number) =>
  Array.from({ length: count }, (_, i) => scored(`v_${i}`, 2, {}, right(i)));

describe("compareRuns", () => {
  it("a run with itself differs nowhere", () => {
    const run = runOf(pairs(12, (i) => i % 10));
    const comparison = compareRuns(run, run);
    expect(comparison).toMatchObject({ pairs: 12, onlyA: [], onlyB: [], warnings: [], resamples: 10_000, seed: 0 });
    for (const { a, b, difference, interval, better, worse, equal } of comparison.metrics) {
      expect([b - a, difference, ...interval, better, worse, equal]).toEqual([0, 0, 0, 0, 0, 0, 12]);
    }
    expect(comparison.metrics.map(({ metric }) => metric)).toEqual([
      ...["MMA@1 px", "MMA@3 px", "MMA@5 px", "refined MMA@3 px", "repeatability", "matching score"],
      ...["homography@1 px", "homography@3 px", "homography@5 px", "matches"],
    ]);
  });

  it("a difference that is the same everywhere has an interval of no width, whatever the spread of the pairs", () => {
    const comparison = compareRuns(runOf(pairs(20, (i) => i % 7)), runOf(pairs(20, (i) => (i % 7) + 2)));
    for (const name of ["MMA@1 px", "MMA@3 px", "MMA@5 px", "refined MMA@3 px"]) {
      const { difference, interval, better, worse, equal } = metric(comparison, name);
      for (const value of [difference, ...interval]) expect(value).toBeCloseTo(0.2, 12);
      expect([better, worse, equal]).toEqual([20, 0, 0]);
    }
    expect(metric(comparison, "repeatability").equal).toBe(20);
  });

  it("each metric is its own value of the pairs, b − a, in means and in counts", () => {
    const a = runOf([
      scored("v_a", 2, { matches: 10, repeated: [50, 50], cornerError: { magsac: 0.5, ransac: 9, dlt: null } }, 5),
      scored("v_b", 2, { matches: 30, repeated: [0, 0], cornerError: { magsac: null, ransac: 0, dlt: 0 } }, 3),
      scored("v_c", 2, { matches: 0 }, 0),
    ]);
    const b = runOf([
      scored("v_c", 2, { matches: 3 }, 0), // other order, same pairs
      scored("v_a", 2, { matches: 20, repeated: [25, 0], cornerError: { magsac: 4, ransac: 9, dlt: null } }, 5),
      scored("v_b", 2, { matches: 30, repeated: [0, 0], cornerError: { magsac: 3, ransac: 0, dlt: 0 } }, 3),
    ]);
    const comparison = compareRuns(a, b, { resamples: 100 });
    expect(metric(comparison, "matches")).toMatchObject({ better: 2, worse: 0, equal: 1 });
    expect(metric(comparison, "matches").a).toBeCloseTo(40 / 3, 12);
    expect(metric(comparison, "matches").b).toBeCloseTo(53 / 3, 12);
    expect(metric(comparison, "matches").difference).toBeCloseTo(13 / 3, 12);
    expect(metric(comparison, "MMA@3 px")).toMatchObject({ better: 0, worse: 1, equal: 2 });
    expect(metric(comparison, "MMA@3 px").difference).toBeCloseTo((0.25 - 0.5) / 3, 12);
    expect(metric(comparison, "repeatability").difference).toBeCloseTo((0.25 - 1) / 3, 12);
    expect(metric(comparison, "homography@1 px")).toMatchObject({ better: 0, worse: 1, equal: 2 });
    expect(metric(comparison, "homography@3 px")).toMatchObject({ better: 1, worse: 1, equal: 1 });
    expect(metric(comparison, "homography@5 px")).toMatchObject({ better: 1, worse: 0, equal: 2 });
  });

  it("pairs that only one run has are named and left out", () => {
    const a = runOf([scored("v_a", 2, { matches: 1 }), scored("v_a", 3, { matches: 1000 })]);
    const b = runOf([scored("v_a", 2, { matches: 3 }), scored("i_z", 2, { matches: 1000 })]);
    const comparison = compareRuns(a, b);
    expect(comparison).toMatchObject({ pairs: 1, onlyA: ["v_a 1-3"], onlyB: ["i_z 1-2"] });
    expect(metric(comparison, "matches")).toMatchObject({ a: 1, b: 3, difference: 2, interval: [2, 2] });
  });

  it("the seed decides the resamples, and nothing else is random", () => {
    const [a, b] = [runOf(pairs(15, () => 3)), runOf(pairs(15, (i) => i % 6))];
    const of = (seed: number) => metric(compareRuns(a, b, { seed, resamples: 500 }), "MMA@3 px").interval;
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
  });

  it("warns where more than the features differs", () => {
    const a = runOf(pairs(3, () => 1));
    const other = { refinement: { threshold: 3 }, seed: 9, maxFeatures: 2000 };
    const b = runOf(
      pairs(3, () => 1),
      { protocol: "top-2000", scoring: other },
    );
    const { warnings } = compareRuns(a, b);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/own and top-2000/);
    expect(warnings[1]).toMatch(/not scored alike: refinement differ/);
  });

  it("refuses runs that cannot be compared, and says why", () => {
    const run = runOf(pairs(3, () => 1));
    const elsewhere = runOf(
      pairs(3, () => 1),
      { data: { name: "other", digest: "ff00" } },
    );
    expect(() => compareRuns(run, elsewhere)).toThrow(FormatError);
    expect(() => compareRuns(run, elsewhere)).toThrow(/made on made \(00ff\) and made on other \(ff00\)/);
    expect(() => compareRuns(run, runOf([scored("x", 2)]))).toThrow(OptionError);
    expect(() => compareRuns(run, runOf([]))).toThrow(/no pair in common: 3 of a and 0 of b/);
    const twice = runOf([scored("x", 2), scored("x", 2)]);
    expect(() => compareRuns(twice, run)).toThrow(FormatError);
    expect(() => compareRuns(twice, run)).toThrow("x 1-2 twice");
    for (const [options, word] of [
      [{ resamples: 0 }, "resamples"],
      [{ seed: -1 }, "seed"],
      [{ level: 0.9 }, "level"],
    ] as [object, string][]) {
      expect(() => compareRuns(run, run, options)).toThrow(OptionError);
      expect(() => compareRuns(run, run, options)).toThrow(`"${word}"`);
    }
  });
});

describe("bootstrapIntervals", () => {
  it("is mean ± 1.96 standard errors for many values, and wider by √4 for a quarter of them", () => {
    const random = new Random(1);
    const width = (n: number) => {
      const values = Float64Array.from({ length: n }, () => 5 + 2 * random.normal());
      const mean = values.reduce((sum, v) => sum + v, 0) / n;
      const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n);
      const [[low, high]] = bootstrapIntervals([values], 10_000, new Random(2));
      expect((low + high) / 2).toBeCloseTo(mean, 1);
      expect((high - low) / 2 / ((1.96 * deviation) / Math.sqrt(n))).toBeCloseTo(1, 1);
      return high - low;
    };
    expect(width(100) / width(400)).toBeGreaterThan(1.6);
  });

  it("of two values a and b knows all three means: a and b with probability ¼ each, else the middle", () => {
    const [[low, high]] = bootstrapIntervals([Float64Array.of(0, 1)], 4000, new Random(3));
    expect([low, high]).toEqual([0, 1]);
    expect(bootstrapIntervals([Float64Array.of(7)], 100, new Random(3))).toEqual([[7, 7]]);
  });

  it("draws the same pairs for every quantity", () => {
    const random = new Random(4);
    const values = Float64Array.from({ length: 30 }, () => random.normal());
    const [first, second] = bootstrapIntervals([values, values.map((v) => 10 * v)], 300, new Random(5));
    for (const side of [0, 1]) expect(second[side]).toBeCloseTo(10 * first[side], 9);
  });

  it("covers the true mean in about 95 of 100 samples", () => {
    const random = new Random(6);
    let covered = 0;
    for (let trial = 0; trial < 300; trial++) {
      const values = Float64Array.from({ length: 60 }, () => random.uniform());
      const [[low, high]] = bootstrapIntervals([values], 400, random);
      if (low <= 0.5 && high >= 0.5) covered++;
    }
    expect(covered / 300).toBeGreaterThan(0.91);
    expect(covered / 300).toBeLessThan(0.98);
  });
});
