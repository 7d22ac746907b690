import { describe, expect, it } from "vitest";
import { FormatError } from "../../../src/errors.js";
import type { Features, Matches } from "../../../src/features.js";
import { projectPoints } from "../../../src/geometry/matrix3.js";
import { essentialOf } from "../../../src/geometry/pose.js";
import { conditioningOf } from "../../../src/geometry/robust/essential.js";
import { unconditioned } from "../../../src/geometry/robust/sampson.js";
import {
  EVIDENCE,
  type Evidence,
  evidenceOf,
  evidenceOfGeometry,
  judgeGeometry,
  judgeHomography,
  parseVerdictModel,
  probabilityOf,
  type VerdictModel,
} from "../../../src/geometry/verdict.js";
import { Random } from "../../../src/random.js";
import { CAMERA_A, CAMERA_B, drawPairs, noisy, randomPose, split } from "./robust/scenes.js";

const SIZE: [number, number] = [640, 480];
const H = Float64Array.of(0.9, -0.2, 60, 0.15, 0.95, -20, 5e-5, -3e-5, 1);
const MODEL: VerdictModel = {
  weights: { inliers: 1, share: 2, spread: 0.5, tightness: -1, form: 3 },
  bias: -6,
  same: 0.9,
  different: 0.05,
};

const features = (keypoints: Float32Array): Features => ({
  count: keypoints.length / 2,
  dim: 1,
  imageSize: SIZE,
  keypoints,
  scores: new Float32Array(keypoints.length / 2),
  descriptors: new Float32Array(keypoints.length / 2).fill(1),
});

/** `right` points of a rectangle of image 1 carried over by `map` with some noise, `wrong` ones anywhere. */
function pair(right: number, wrong: number, [width, height] = SIZE, noise = 0.5, map: ArrayLike<number> = H) {
  const random = new Random(4);
  const from = Float32Array.from({ length: 2 * (right + wrong) }, (_, i) => random.uniform(0, i % 2 ? height : width));
  const to = Float32Array.from(projectPoints(map, from), (value) => value + noise * random.normal());
  for (let i = 2 * right; i < to.length; i++) to[i] = random.uniform(0, i % 2 ? SIZE[1] : SIZE[0]);
  const count = right + wrong;
  const pairs = Uint32Array.from({ length: 2 * count }, (_, i) => i >> 1);
  const matches: Matches = { count, pairs, scores: new Float32Array(count) };
  return [features(from), features(to), matches] as const;
}

/** Evidence that there is. */
function evidence(...given: Parameters<typeof evidenceOf>): Evidence {
  const found = evidenceOf(...given);
  if (!found) throw new Error("no evidence");
  return found;
}

describe("evidence", () => {
  it("counts inliers, their share, their spread and how near they are", () => {
    const found = evidence(...pair(200, 100), H);
    // Noise of half a pixel along each axis hardly leaves 3 px; a few of the wrong ones fall inside. Four do not count.
    expect(Math.exp(found.inliers) - 1).toBeGreaterThanOrEqual(195);
    expect(Math.exp(found.inliers) - 1).toBeLessThan(201);
    expect(found.share).toBeCloseTo(Math.log(2), 0);
    expect(Math.exp(found.spread)).toBeGreaterThan(0.75);
    // Mean squared error 2 · 0.25 of 4.5.
    expect(found.tightness).toBeGreaterThan(0.08);
    expect(found.tightness).toBeLessThan(0.16);
    expect(found.form).toBe(1);
  });

  it("a corner of the image is little spread, errors without a cause are not tight", () => {
    const corner = evidence(...pair(200, 0, [64, 48]), H);
    expect(Math.exp(corner.spread)).toBeLessThan(0.02);
    const chance = evidence(...pair(0, 200_000), H);
    expect(chance.tightness).toBeGreaterThan(0.7);
    expect(chance.share).toBeLessThan(-6);
  });

  it.each<[string, number[]]>([
    ["mirrored", [-1, 0, 640, 0, 1, 0, 0, 0, 1]],
    ["folded at a line through the image", [1, 0, 0, 0, 1, 0, -0.01, 0, 1]],
    ["too small", [0.1, 0, 0, 0, 0.1, 0, 0, 0, 1]],
    ["too large", [10, 0, 0, 0, 10, 0, 0, 0, 1]],
    ["behind the camera", [-1, 0, 0, 0, -1, 0, 0, 0, -1].map((v, i) => (i === 8 ? v : -v))],
  ])("%s is no view", (_, matrix) => {
    expect(evidence(...pair(50, 0, SIZE, 0.5, matrix), Float64Array.from(matrix)).form).toBe(0);
  });

  it("as many matches as any homography agrees with are none, however few there are", () => {
    for (const right of [0, 1, 4]) expect(evidenceOf(...pair(right, 0, SIZE, 0), H)).toBeNull();
    const five = evidence(...pair(5, 0, SIZE, 0), H);
    expect(EVIDENCE.every((name) => Number.isFinite(five[name]))).toBe(true);
    expect(five.inliers).toBeCloseTo(Math.log(2), 12);
    // Nothing else says how near they are: four of five count as errors without a cause.
    expect(five.tightness).toBeCloseTo(0.8, 5);
    expect(evidence(...pair(50, 0, SIZE, 0), H).tightness).toBeLessThan(0.1);
  });
});

describe("judgeHomography", () => {
  const verdict = (right: number, wrong: number) =>
    judgeHomography(MODEL, ...pair(right, wrong), { matrix: H, inliers: new Uint32Array(0) });

  it("many inliers are the same, none different, and in between is uncertain", () => {
    expect(verdict(200, 100).verdict).toBe("same");
    expect(verdict(0, 300).verdict).toBe("different");
    expect(verdict(40, 150)).toMatchObject({ verdict: "uncertain" });
  });

  it("the probability is the logistic function of the weighted evidence", () => {
    const found = evidence(...pair(40, 150), H);
    const sum = found.inliers + 2 * found.share + 0.5 * found.spread - found.tightness + 3 * found.form - 6;
    expect(verdict(40, 150).probability).toBeCloseTo(1 / (1 + Math.exp(-sum)), 12);
    expect(probabilityOf(MODEL, { inliers: 0, share: 0, spread: 0, tightness: 0, form: 2 })).toBe(0.5);
  });

  it("without a homography they are different, probability 0", () => {
    const none = judgeHomography(MODEL, ...pair(3, 0), { matrix: null, inliers: new Uint32Array(0) });
    expect(none).toEqual({ verdict: "different", probability: 0 });
    expect(verdict(4, 0)).toEqual({ verdict: "different", probability: 0 });
  });
});

describe("judgeGeometry", () => {
  const DEEP: VerdictModel = { ...MODEL, fundamental: MODEL, essential: { ...MODEL, bias: -4 } };
  const cameras = { intrinsicsA: CAMERA_A, intrinsicsB: CAMERA_B };

  /** A scene with depth, `wrong` of its matches anywhere, and its true geometry. */
  function scene(right: number, wrong: number) {
    const random = new Random(7);
    const pose = randomPose(random);
    const pairs = noisy(random, drawPairs(random, pose, right), 0.3);
    const outliers = Array.from({ length: 4 * wrong }, (_, k) => random.uniform(0, SIZE[k % 2]));
    const [from, to] = split(Float64Array.of(...pairs, ...outliers));
    const count = right + wrong;
    const matches = {
      count,
      pairs: Uint32Array.from({ length: 2 * count }, (_, i) => i >> 1),
      scores: new Float32Array(count),
    };
    const essential = essentialOf(pose);
    const fundamental = new Float64Array(9);
    unconditioned(essential, conditioningOf(CAMERA_A, CAMERA_B), fundamental);
    const geometry = (model: "fundamental" | "essential") => ({
      model,
      matrix: model === "essential" ? essential : fundamental,
      inliers: new Uint32Array(0),
    });
    return { ends: [features(from), features(to), matches] as const, geometry };
  }

  it("sees a scene with depth as such, by either matrix, and unrelated matches as none", () => {
    for (const model of ["fundamental", "essential"] as const) {
      const seen = scene(120, 60);
      const found = evidenceOfGeometry(...seen.ends, seen.geometry(model), cameras) as Evidence;
      const sample = model === "essential" ? 5 : 7;
      expect(Math.exp(found.inliers) - 1).toBeGreaterThan(110 - sample);
      expect(Math.exp(found.inliers) - 1).toBeLessThan(126 - sample);
      expect(found.form).toBeGreaterThan(0.9);
      // Errors of 0.3 px of 1.5.
      expect(found.tightness).toBeLessThan(0.35);
      expect(judgeGeometry(DEEP, ...seen.ends, seen.geometry(model), cameras)?.verdict).toBe("same");
      const chance = scene(0, 30_000);
      const none = evidenceOfGeometry(...chance.ends, chance.geometry(model), cameras) as Evidence;
      expect(none.share).toBeLessThan(-3);
      expect(none.tightness).toBeGreaterThan(0.7);
      expect(judgeGeometry(DEEP, ...chance.ends, chance.geometry(model), cameras)?.verdict).toBe("different");
    }
  });

  it("a minimal sample proves nothing, nor does no matrix; without weights there is no verdict", () => {
    const { ends, geometry } = scene(5, 0);
    const nothing = { verdict: "different", probability: 0 };
    expect(judgeGeometry(DEEP, ...ends, geometry("essential"), cameras)).toEqual(nothing);
    expect(judgeGeometry(DEEP, ...ends, geometry("fundamental"))).toEqual(nothing);
    expect(judgeGeometry(DEEP, ...ends, { ...geometry("fundamental"), matrix: null })).toEqual(nothing);
    expect(judgeGeometry(MODEL, ...ends, geometry("fundamental"))).toBeNull();
  });

  it("of a homography it is judgeHomography's; an essential matrix needs its cameras", () => {
    const plane = { model: "homography" as const, matrix: H, inliers: new Uint32Array(0) };
    expect(judgeGeometry(DEEP, ...pair(40, 150), plane)).toEqual(judgeHomography(MODEL, ...pair(40, 150), plane));
    const { ends, geometry } = scene(30, 0);
    expect(() => judgeGeometry(DEEP, ...ends, geometry("essential"))).toThrow(/needs "intrinsicsA"/);
  });
});

describe("parseVerdictModel", () => {
  it("keeps what it knows", () => {
    expect(parseVerdictModel("m", { ...MODEL, fitted: { pairs: 3 } })).toEqual(MODEL);
    const deep = { ...MODEL, essential: { ...MODEL, bias: 2 } };
    expect(parseVerdictModel("m", { ...deep, essential: { ...deep.essential, fitted: {} } })).toEqual(deep);
  });

  it.each<[string, unknown]>([
    ['"verdict" must be an object', null],
    ['"verdict.weights" must be an object', { ...MODEL, weights: 3 }],
    ['"verdict.weights.form" must be a number', { ...MODEL, weights: { ...MODEL.weights, form: "1" } }],
    ['"verdict.bias" must be a number', { ...MODEL, bias: Number.NaN }],
    ['"verdict.same" must be between 0 and 1', { ...MODEL, same: 1 }],
    ['"verdict.fundamental" must be an object', { ...MODEL, fundamental: [] }],
    ['"verdict.essential.bias" must be a number', { ...MODEL, essential: { ...MODEL, bias: "1" } }],
    ['"verdict.different" must be at most verdict.same', { ...MODEL, different: 0.95 }],
  ])("refuses: %s", (message, value) => {
    expect(() => parseVerdictModel("m", value)).toThrow(FormatError);
    expect(() => parseVerdictModel("m", value)).toThrow(`m: ${message}`);
  });
});
