import { describe, expect, it } from "vitest";
import { spanPlane } from "../../../../src/geometry/robust/breadth.js";
import { estimateModel } from "../../../../src/geometry/robust/estimate.js";
import type { RobustModel } from "../../../../src/geometry/robust/model.js";
import { Sampler } from "../../../../src/geometry/robust/sampling.js";
import { KERNELS, supportOf, writeWeights } from "../../../../src/geometry/robust/score.js";
import { Random } from "../../../../src/random.js";

describe("samples", () => {
  const draw = (sampler: Sampler, size: number) => {
    const sample = new Int32Array(size);
    sampler.draw(sample);
    return [...sample];
  };

  it("are distinct ranks, each as often as the others where nothing is known of them", () => {
    const sampler = new Sampler(10, 4, false, new Random(1));
    const counts = new Array(10).fill(0);
    for (let k = 0; k < 5000; k++) {
      const sample = draw(sampler, 4);
      expect(new Set(sample).size).toBe(4);
      for (const rank of sample) counts[rank]++;
    }
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(150);
  });

  it("begin with the best and reach out; every other one is drawn from all", () => {
    const sampler = new Sampler(1000, 4, true, new Random(2));
    const largest: number[] = [];
    for (let k = 0; k < 2000; k++) largest.push(Math.max(...draw(sampler, 4)));
    const progressive = largest.filter((_, k) => k % 2 === 0);
    const even = largest.filter((_, k) => k % 2 === 1);
    expect(progressive[0]).toBe(3);
    expect(progressive.every((rank, k) => k === 0 || rank >= progressive[k - 1])).toBe(true);
    expect(progressive[999]).toBeGreaterThan(200);
    expect(progressive[999]).toBeLessThan(400);
    expect(even.reduce((sum, rank) => sum + rank, 0) / 1000).toBeGreaterThan(780); // the mean of the largest of four: 800
  });

  it("come from as few as a sample needs", () => {
    for (const ranked of [true, false]) {
      const sampler = new Sampler(4, 4, ranked, new Random(3));
      for (let k = 0; k < 20; k++) expect(draw(sampler, 4).sort()).toEqual([0, 1, 2, 3]);
    }
  });
});

describe("kernels", () => {
  it.each(Object.entries(KERNELS))(
    "%s: support falls from 1 to 0 at its reach, and its slope is the weight",
    (_, kernel) => {
      const threshold = 3;
      const most = (kernel.reach * threshold) ** 2;
      const support = (error: number) => supportOf(kernel, Float64Array.of(error), 1, threshold);
      expect(support(0)).toBe(1);
      expect(support(most)).toBe(0);
      expect(supportOf(kernel, Float64Array.of(Infinity, 1.01 * most, Number.NaN), 3, threshold)).toBe(0);
      const errors = Float64Array.from({ length: 90 }, (_, k) => (k * most) / 90);
      const weights = new Float64Array(90);
      writeWeights(kernel, errors, threshold, weights);
      const slope = (error: number) => (support(error) - support(error + most / 1000)) * 1000;
      for (let k = 1; k < 90; k++) {
        expect(support(errors[k])).toBeLessThan(support(errors[k - 1]));
        expect(weights[k] / weights[1]).toBeCloseTo(slope(errors[k]) / slope(errors[1]), 1);
      }
      expect(supportOf(kernel, errors, 2, threshold)).toBeCloseTo(support(0) + support(most / 90), 12);
    },
  );
});

/** A model that anything can be checked with: image 2 is image 1 shifted along x. */
const shift: RobustModel = {
  name: "homography",
  sampleSize: 1,
  mostSolutions: 2,
  isSampleGood: (points, sample) => points[4 * sample[0] + 1] >= 0,
  solve(points, sample, models) {
    models.fill(0, 0, 18);
    models[0] = 1e6; // one solution that nothing agrees with
    models[9] = points[4 * sample[0] + 2] - points[4 * sample[0]];
    return 2;
  },
  fit(points, weights, _near, model) {
    let [sum, total] = [0, 0];
    for (let i = 0; i < weights.length; i++) {
      sum += weights[i] * (points[4 * i + 2] - points[4 * i]);
      total += weights[i];
    }
    if (!(total > 0)) return false;
    model.fill(0);
    model[0] = sum / total;
    return true;
  },
  squaredErrors(model, offset, points, errors) {
    for (let i = 0; i < errors.length; i++) errors[i] = (points[4 * i] + model[offset] - points[4 * i + 2]) ** 2;
  },
};

describe("estimateModel", () => {
  const options = {
    threshold: 1,
    confidence: 0.99,
    maxIterations: 1000,
    seed: 0,
    kernel: "magsac",
    scores: null,
  } as const;
  const pairs = (random: Random, count: number, outliers: number) =>
    Float64Array.from({ length: 4 * count }, (_, k) => {
      if (k % 4 !== 2) return k % 4 === 0 ? 10 : 1;
      return k < 4 * outliers ? random.uniform(-500, 500) : 17 + 0.1 * random.normal();
    });

  it("serves any model: takes the best of its solutions, on few pairs and on many", () => {
    const random = new Random(4);
    for (const count of [5, 100, 3000]) {
      for (const kernel of ["magsac", "ransac"] as const) {
        const points = pairs(random, count, 0.4 * count);
        const kept = points.slice();
        const found = estimateModel(shift, points, { ...options, kernel })!;
        expect(found.model[0]).toBeGreaterThan(6.8);
        expect(found.model[0]).toBeLessThan(7.2);
        expect(points).toEqual(kept);
      }
    }
  });

  it("ends early where most pairs are right, at maxIterations where nothing is", () => {
    const random = new Random(5);
    const right = estimateModel(shift, pairs(random, 500, 50), options)!;
    expect(right.iterations).toBeLessThanOrEqual(50);
    expect(
      estimateModel(shift, pairs(random, 500, 500), { ...options, confidence: 0.9999 })!.iterations,
    ).toBeGreaterThan(500);
    expect(estimateModel(shift, pairs(random, 500, 500), { ...options, maxIterations: 7 })!.iterations).toBe(7);
  });

  it("has no answer without pairs, or where no sample is good", () => {
    expect(estimateModel(shift, new Float64Array(0), options)).toBeNull();
    expect(estimateModel(shift, pairs(new Random(6), 20, 0).fill(-1), options)).toBeNull();
  });
});

describe("spanPlane", () => {
  const random = new Random(7);
  const spans = (from: (i: number) => [number, number], noise: number, error = 2 * noise ** 2) => {
    const points = new Float64Array(400);
    for (let i = 0; i < 100; i++) {
      const [x, y] = from(i);
      const moved = () => noise * random.normal();
      points.set([x + moved(), y + moved(), 2 * x + moved(), 2 * y + moved()], 4 * i);
    }
    return spanPlane(points, new Float64Array(100).fill(error), 9);
  };

  it("tells strips from lines by their breadth against the error", () => {
    for (const angle of [0, 0.5, 1.5, 2.5]) {
      const along =
        (across: number) =>
        (i: number): [number, number] => {
          const by = across * random.uniform(-1, 1);
          return [6 * i * Math.cos(angle) - by * Math.sin(angle), 6 * i * Math.sin(angle) + by * Math.cos(angle)];
        };
      expect(spans(along(6), 0.5)).toBe(true);
      expect(spans(along(0.01), 0, 0)).toBe(true);
      expect(spans(along(0), 0.5)).toBe(false);
      expect(spans(along(0), 0, 0)).toBe(false);
      const beside = along(0);
      expect(spans((i) => (i === 50 ? [90, -200] : beside(i)), 0.5)).toBe(false);
    }
  });

  it("asks for four pairs that are near", () => {
    const square = Float64Array.of(0, 0, 0, 0, 9, 0, 9, 0, 9, 9, 9, 9, 0, 9, 0, 9);
    expect(spanPlane(square, new Float64Array(4), 1)).toBe(true);
    expect(spanPlane(square, Float64Array.of(0, 0, 0, 2), 1)).toBe(false);
    expect(spanPlane(square, Float64Array.of(0, 0, 0, Number.NaN), 1)).toBe(false);
  });
});
