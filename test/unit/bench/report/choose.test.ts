/** Which pairs are shown. */
import { describe, expect, it } from "vitest";
import { choosePairs, chooseSequences, firstRuns } from "../../../../src/bench/report/choose.js";
import { cumulativeErrors } from "../../../../src/bench/report/curve-figures.js";
import type { MethodRun } from "../../../../src/bench/types.js";
import { alpha, beta, infoOf, pairOf } from "./runs.js";

const told = (runs: MethodRun[], sequences = 9, methods = 9) =>
  choosePairs(runs, sequences, methods).map(
    ({ run, record, which }) => `${run.info.method} ${record.sequence} ${record.images[1]} ${which}`,
  );

describe("choosePairs", () => {
  it("takes the best and the worst of each sequence, for each method", () => {
    expect(told([alpha()])).toEqual([
      "alpha i_one 3 best",
      "alpha i_one 2 worst",
      "alpha v_two 2 best",
      "alpha v_two 3 worst",
    ]);
    expect(told([alpha(), beta()]).slice(0, 4)).toEqual([
      "alpha i_one 3 best",
      "alpha i_one 2 worst",
      // Equal ones: the first is called the best, the last the worst.
      "beta i_one 2 best",
      "beta i_one 3 worst",
    ]);
  });

  it("calls the only pair so, and skips a sequence that a method has not", () => {
    const run = alpha();
    const only = { ...run, records: run.records.slice(0, 1) };
    expect(told([only])).toEqual(["alpha i_one 2 only"]);
    expect(told([alpha(), { ...beta(), records: beta().records.slice(0, 2) }])).toHaveLength(6);
  });

  it("shows a method once, whatever its protocols, and so many methods", () => {
    expect(told([alpha(), alpha({ protocol: "top-100" })])).toHaveLength(4);
    expect(told([alpha(), beta()], 9, 1).every((text) => text.startsWith("alpha"))).toBe(true);
    expect(firstRuns([alpha(), alpha({ protocol: "x" }), beta()]).map(({ info }) => info.key)).toEqual([
      "alpha-1",
      "beta-1",
    ]);
    expect(told([])).toEqual([]);
  });
});

describe("chooseSequences", () => {
  const info = infoOf();
  const rights = [50, 10, 90, 30, 70];
  const run: MethodRun = { info, images: [], records: rights.map((right, i) => pairOf(info, `v_${i}`, [1, 2], right)) };

  it("keeps the order, and of too many the extremes", () => {
    expect(chooseSequences(run, 5)).toEqual(["v_0", "v_1", "v_2", "v_3", "v_4"]);
    expect(chooseSequences(run, 4)).toEqual(["v_1", "v_2", "v_3", "v_4"]);
    expect(chooseSequences(run, 3)).toEqual(["v_1", "v_2", "v_3"]);
    expect(chooseSequences(run, 1)).toEqual(["v_1"]);
    expect(chooseSequences(run, 0)).toEqual([]);
  });
});

describe("cumulativeErrors", () => {
  it("is the share of pairs up to each error; pairs without a homography never count", () => {
    const curve = new Map(cumulativeErrors(alpha().records, "magsac"));
    expect([0, 0.25, 0.5, 2.25, 2.5, 9.5, 9.75, 10].map((t) => curve.get(t))).toEqual([
      0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75,
    ]);
    expect(cumulativeErrors(alpha().records, "dlt").every(([, share]) => share === 0)).toBe(true);
    expect(cumulativeErrors([], "dlt").every(([, share]) => share === 0)).toBe(true);
  });
});
