import { afterAll, describe, expect, it } from "vitest";
import { scorePair, scoringOf } from "../../../src/bench/score-pair.js";
import { type PairTruth, THRESHOLDS } from "../../../src/bench/types.js";
import { FormatError, OptionError, ShapeError } from "../../../src/errors.js";
import type { Features } from "../../../src/features.js";
import { disposeMatching } from "../../../src/match/index.js";
import { Random } from "../../../src/random.js";
import { featuresAt } from "./made.js";

const truthOf = (...homography: number[]): PairTruth => ({
  sequence: "v_made",
  kind: "viewpoint",
  images: [1, 3],
  homography: Float64Array.from(homography),
});
const IDENTITY = truthOf(1, 0, 0, 0, 1, 0, 0, 0, 1);
const VIEW = truthOf(0.9, -0.2, 40, 0.15, 1.1, -30, 2e-4, -1e-4, 1);
const scalar = { runtime: null } as const;

/** `count` keypoints with random descriptors; in b, `right` of them where the view takes them (1 px noise), others anywhere. */
function scene(seed: number, count: number, right: number): [Features, Features] {
  const random = new Random(seed);
  const h = VIEW.homography;
  const dim = 32;
  const points = Array.from({ length: count }, (): [number, number] => [
    random.uniform(60, 580),
    random.uniform(60, 420),
  ]);
  const a = featuresAt(points, { dim, axes: [] });
  for (let i = 0; i < count; i++) {
    const row = a.descriptors.subarray(i * dim, (i + 1) * dim);
    for (let k = 0; k < dim; k++) row[k] = random.normal();
    const norm = Math.hypot(...row);
    for (let k = 0; k < dim; k++) row[k] /= norm;
  }
  const b: Features = { ...a, imageSize: [700, 520], keypoints: a.keypoints.map(() => random.uniform(0, 500)) };
  for (let i = 0; i < right; i++) {
    const [x, y] = points[i];
    const w = h[6] * x + h[7] * y + h[8];
    b.keypoints[2 * i] = (h[0] * x + h[1] * y + h[2]) / w + random.normal();
    b.keypoints[2 * i + 1] = (h[3] * x + h[4] * y + h[5]) / w + random.normal();
  }
  return [a, b];
}

afterAll(disposeMatching);

describe("scorePair", () => {
  it("an image with itself is perfect", async () => {
    const random = new Random(1);
    const features = featuresAt(
      Array.from({ length: 60 }, (): [number, number] => [random.uniform(0, 639), random.uniform(0, 479)]),
    );
    const { scores, matches, errors, refined, homographies } = await scorePair(features, features, IDENTITY, scalar);
    const all = THRESHOLDS.map(() => 60);
    expect(scores).toMatchObject({
      keypoints: [60, 60],
      matches: 60,
      correct: all,
      refined: { matches: 60, correct: all },
      covisible: [60, 60],
      repeated: [60, 60],
    });
    for (const error of Object.values(scores.cornerError)) expect(error).toBeLessThan(1e-3);
    expect(matches.count).toBe(60);
    expect(errors).toEqual(new Float64Array(60));
    expect(refined.inliers.length).toBe(60);
    expect(homographies.dlt.inliers.length).toBe(60);
    expect(scores.seconds.match).toBeGreaterThan(0);
    expect(scores.seconds.score).toBeGreaterThan(0);
  });

  it("counts known shifts at their thresholds", async () => {
    const points: [number, number][] = [
      [50, 50],
      [300, 80],
      [80, 400],
      [500, 420],
      [320, 240],
    ];
    const lengths = [0, 1, 2.5, 7, 20];
    const a = featuresAt(points);
    const b = featuresAt(points.map(([x, y], i) => [x + 0.6 * lengths[i], y - 0.8 * lengths[i]]));
    const { scores, errors } = await scorePair(a, b, IDENTITY, scalar);
    for (const [i, length] of lengths.entries()) expect(errors[i]).toBeCloseTo(length, 4);
    expect(scores.correct[1]).toBe(2);
    expect(scores.correct.slice(2, 6)).toEqual([3, 3, 3, 3]);
    expect(scores.correct[14]).toBe(4);
    expect(scores.repeated).toEqual([3, 3]);
  });

  it("refined matches and corner errors are what the exported matches give, computed plainly", async () => {
    const [a, b] = scene(2, 300, 180);
    const { scores, matches, homographies, refined } = await scorePair(a, b, VIEW, { ...scalar, seed: 5 });
    const project = (h: ArrayLike<number>, x: number, y: number) => {
      const w = h[6] * x + h[7] * y + h[8];
      return [(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w];
    };
    const residual = (h: ArrayLike<number>, m: number) => {
      const [i, j] = matches.pairs.subarray(2 * m, 2 * m + 2);
      const [x, y] = project(h, a.keypoints[2 * i], a.keypoints[2 * i + 1]);
      return Math.hypot(x - b.keypoints[2 * j], y - b.keypoints[2 * j + 1]);
    };
    const all = Array.from({ length: matches.count }, (_, m) => m);
    const kept = all.filter((m) => residual(refined.matrix!, m) <= 4);
    const right = (list: number[]) =>
      THRESHOLDS.map((t) => list.filter((m) => residual(VIEW.homography, m) <= t).length);
    expect(matches.count).toBe(300);
    expect(scores.correct).toEqual(right(all));
    expect(scores.refined).toEqual({ matches: kept.length, correct: right(kept) });
    expect(kept.length).toBeGreaterThan(170);
    expect(kept.length).toBeLessThan(200);

    for (const estimator of ["magsac", "ransac"] as const) {
      const { matrix, inliers } = homographies[estimator];
      let sum = 0;
      for (const [x, y] of [
        [0, 0],
        [639, 0],
        [639, 479],
        [0, 479],
      ]) {
        const [found, wanted] = [project(matrix!, x, y), project(VIEW.homography, x, y)];
        sum += Math.hypot(found[0] - wanted[0], found[1] - wanted[1]);
      }
      expect(scores.cornerError[estimator]).toBeCloseTo(sum / 4, 9);
      expect(scores.cornerError[estimator]).toBeLessThan(2);
      expect([...inliers]).toEqual(all.filter((m) => residual(matrix!, m) <= 3));
    }
    // 40 % wrong matches are too many for least squares.
    expect(scores.cornerError.dlt ?? Infinity).toBeGreaterThan(10);
  });

  it("the estimators differ as their names say: least squares is the best of them on right matches alone", async () => {
    const [a, b] = scene(3, 250, 250);
    const { scores, homographies } = await scorePair(a, b, VIEW, scalar);
    expect(scores.cornerError.dlt).toBeLessThan(0.6);
    expect(homographies.dlt.matrix).not.toEqual(homographies.magsac.matrix);
    expect(homographies.ransac.matrix).not.toEqual(homographies.magsac.matrix);
  });

  it("the same seed gives the same scores", async () => {
    const [a, b] = scene(4, 120, 30);
    const of = async (seed: number) => {
      const { seconds: _, ...scores } = (await scorePair(a, b, VIEW, { ...scalar, seed })).scores;
      return scores;
    };
    const first = await of(1);
    expect(await of(1)).toEqual(first);
    expect((await of(2)).correct).toEqual(first.correct);
  });

  it("a pair without matches scores 0 and has all its fields", async () => {
    const none = featuresAt([]);
    const some = featuresAt([
      [5, 5],
      [60, 80],
    ]);
    for (const [a, b] of [
      [none, some],
      [some, none],
      [none, none],
      [featuresAt([], { dim: 3 }), some],
    ]) {
      const { scores } = await scorePair(a, b, IDENTITY, scalar);
      expect(scores).toMatchObject({
        matches: 0,
        correct: new Array(15).fill(0),
        refined: { matches: 0, correct: new Array(15).fill(0) },
        repeated: [0, 0],
        cornerError: { magsac: null, ransac: null, dlt: null },
      });
    }
  });

  it("too few matches for a homography leave their raw score", async () => {
    const three = featuresAt([
      [5, 5],
      [60, 80],
      [200, 10],
    ]);
    const { scores } = await scorePair(three, three, IDENTITY, scalar);
    expect(scores.matches).toBe(3);
    expect(scores.correct[0]).toBe(3);
    expect(scores.refined.matches).toBe(0);
    expect(scores.cornerError).toEqual({ magsac: null, ransac: null, dlt: null });
  });

  it("refuses descriptors of different lengths, wrong arrays, bad truths and options, and says what", async () => {
    const [a, b] = [featuresAt([[1, 1]]), featuresAt([[1, 1]], { dim: 32 })];
    await expect(scorePair(a, b, IDENTITY)).rejects.toThrow(ShapeError);
    await expect(scorePair(a, b, IDENTITY)).rejects.toThrow(/64.*32/);
    await expect(scorePair({ ...a, count: 2 }, a, IDENTITY)).rejects.toThrow(ShapeError);
    for (const bad of [
      truthOf(0, 0, 0, 0, 0, 0, 0, 0, 0),
      truthOf(1, 2, 3),
      truthOf(1, 0, 0, 0, Number.NaN, 0, 0, 0, 1),
    ]) {
      await expect(scorePair(a, a, bad)).rejects.toThrow(FormatError);
      await expect(scorePair(a, a, bad)).rejects.toThrow("v_made 1-3");
    }
    for (const [options, word] of [
      [{ seed: -1 }, "seed"],
      [{ seed: 0.5 }, "seed"],
      [{ trials: 3 }, "trials"],
    ] as const) {
      await expect(scorePair(a, a, IDENTITY, options as object)).rejects.toThrow(OptionError);
      await expect(scorePair(a, a, IDENTITY, options as object)).rejects.toThrow(`"${word}"`);
    }
  });
});

describe("scoringOf", () => {
  it("names everything that scores depend on", () => {
    expect(scoringOf({ seed: 7 })).toMatchObject({
      seed: 7,
      repeatDistance: 3,
      refinement: { method: "magsac", threshold: 4, maxIterations: 10_000 },
      estimators: { magsac: { threshold: 3 }, ransac: { threshold: 3 }, dlt: { method: "dlt" } },
    });
    expect(JSON.parse(JSON.stringify(scoringOf()))).toEqual(scoringOf());
    expect(() => scoringOf({ seed: -1 })).toThrow(OptionError);
  });
});
