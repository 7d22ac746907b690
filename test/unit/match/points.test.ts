import { expect, it } from "vitest";
import { ShapeError } from "../../../src/errors.js";
import { emptyFeatures, type Features } from "../../../src/features.js";
import { matchedPoints } from "../../../src/match/points.js";

const features = (...keypoints: number[]): Features => ({
  ...emptyFeatures([10, 10], 0),
  count: keypoints.length / 2,
  keypoints: Float32Array.from(keypoints),
  scores: new Float32Array(keypoints.length / 2),
});
const a = features(1, 2, 3, 4, 5, 6);
const b = features(7, 8, 9, 10);
const matches = (count: number, ...pairs: number[]) => ({
  count,
  pairs: Uint32Array.from(pairs),
  scores: new Float32Array(count),
});

it("gathers the points of either image in the order of the matches", () => {
  const [from, to] = matchedPoints("test", a, b, matches(3, 2, 0, 0, 1, 2, 1));
  expect([...from]).toEqual([5, 6, 1, 2, 5, 6]);
  expect([...to]).toEqual([7, 8, 9, 10, 9, 10]);
  expect(matchedPoints("test", a, b, matches(0))).toEqual([new Float32Array(0), new Float32Array(0)]);
});

it("refuses matches that are not of these features", () => {
  for (const [wrong, message] of [
    [matches(1, 3, 0), /test: match 0 joins keypoints 3 and 0 of 3 and 2/],
    [matches(1, 0, 2), /0 and 2 of 3 and 2/],
    [matches(2, 0, 0), /2 matches need 4 .* got 2 and 2/],
    [{ ...matches(1, 0, 0), scores: new Float32Array(2) }, /got 2 and 2/],
  ] as const) {
    expect(() => matchedPoints("test", a, b, wrong)).toThrow(ShapeError);
    expect(() => matchedPoints("test", a, b, wrong)).toThrow(message);
  }
  expect(() => matchedPoints("test", { ...a, count: 4 }, b, matches(0))).toThrow(/test: a/);
});
