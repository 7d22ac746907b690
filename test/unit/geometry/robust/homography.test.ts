import { describe, expect, it } from "vitest";
import { cornerError } from "../../../../src/geometry/corner-error.js";
import { compose, type Matrix3, projectPoints } from "../../../../src/geometry/matrix3.js";
import { pairedPoints } from "../../../../src/geometry/robust/correspondences.js";
import { homographyModel } from "../../../../src/geometry/robust/homography.js";
import { Random } from "../../../../src/random.js";

const SIZE: [number, number] = [640, 480];
const ALL = Int32Array.of(0, 1, 2, 3);

function drawn(random: Random, mirrored = false): Float64Array {
  const angle = random.uniform(-Math.PI, Math.PI);
  const zoom = random.uniform(0.6, 1.6);
  const [c, s] = [zoom * Math.cos(angle), zoom * Math.sin(angle)];
  const tilt = () => random.uniform(-4e-4, 4e-4);
  const map = [c, -s, random.uniform(-100, 100), s, c, random.uniform(-100, 100), tilt(), tilt(), 1];
  return mirrored ? compose(map, [-1, 0, SIZE[0] - 1, 0, 1, 0, 0, 0, 1]) : Float64Array.from(map);
}

const pointsOf = (random: Random, count: number) =>
  Float64Array.from({ length: 2 * count }, (_, k) => random.uniform(0, SIZE[k & 1]));

const pairsOf = (map: Matrix3, from: Float64Array) => pairedPoints(from, projectPoints(map, from));

function solved(points: Float64Array): Float64Array {
  const model = new Float64Array(9);
  expect(homographyModel.isSampleGood(points, ALL)).toBe(true);
  expect(homographyModel.solve(points, ALL, model)).toBe(1);
  return model;
}

const scaled = (model: Matrix3) => Array.from(model, (value) => value / model[8]);

describe("the minimal solver", () => {
  it("is exact on four exact pairs, also of mirrored maps", () => {
    const random = new Random(1);
    for (let k = 0; k < 200; k++) {
      const truth = drawn(random, k % 2 === 1);
      const points = pairsOf(truth, pointsOf(random, 4));
      if (!homographyModel.isSampleGood(points, ALL)) continue; // nearly on a line
      expect(cornerError(scaled(solved(points)), truth, SIZE)).toBeLessThan(1e-5);
    }
  });

  it("does not care for the order of pairs, and follows maps of either image", () => {
    const random = new Random(2);
    const from = Float64Array.of(10, 20, 600, 40, 580, 430, 30, 400);
    const points = pairsOf(drawn(random), from);
    for (let i = 1; i < points.length; i += 2) points[i] += random.normal();
    const model = scaled(solved(points));
    const turned = Float64Array.from({ length: 16 }, (_, k) => points[(k + 4) % 16]);
    expect(cornerError(scaled(solved(turned)), model, SIZE)).toBeLessThan(1e-8);
    const [first, second] = [drawn(random), drawn(random, true)];
    const left = Float64Array.from({ length: 8 }, (_, k) => points[4 * (k >> 1) + (k & 1)]);
    const right = Float64Array.from({ length: 8 }, (_, k) => points[4 * (k >> 1) + (k & 1) + 2]);
    const carried = pairedPoints(projectPoints(first, left), projectPoints(second, right));
    expect(cornerError(compose(scaled(solved(carried)), first), compose(second, model), SIZE)).toBeLessThan(1e-6);
  });

  it("works in a strip, far from the origin, and in other units", () => {
    const truth = [1.1, 0.1, 5, -0.05, 0.9, 2, 1e-5, 2e-5, 1];
    for (const unit of [1e-3, 1, 1e4]) {
      const from = Float64Array.of(1e4, 1e4, 1.1e4, 10_001, 10_990, 10_020, 10_010, 10_019);
      const points = pairsOf(compose([unit, 0, 0, 0, unit, 0, 0, 0, 1], truth), from);
      const errors = new Float64Array(4);
      homographyModel.squaredErrors(solved(points), 0, points, errors);
      for (const error of errors) expect(Math.sqrt(error)).toBeLessThan(1e-6 * unit);
    }
  });
});

describe("samples", () => {
  const square = Float64Array.of(0, 0, 100, 0, 100, 100, 0, 100);
  const isGood = (from: Float64Array, to: Float64Array) => homographyModel.isSampleGood(pairedPoints(from, to), ALL);

  it("are refused where points repeat or three lie on a line, in either image", () => {
    const repeated = Float64Array.of(0, 0, 100, 0, 100, 100, 100, 100);
    const onLine = Float64Array.of(0, 0, 50, 50, 100, 100, 0, 100);
    for (const bad of [repeated, onLine, new Float64Array(8).fill(3)]) {
      expect(isGood(bad, square)).toBe(false);
      expect(isGood(square, bad)).toBe(false);
    }
    expect(isGood(square, square)).toBe(true);
  });

  it("keep the sense of all triangles or change that of all", () => {
    expect(isGood(square, Float64Array.of(100, 0, 0, 0, 0, 100, 100, 100))).toBe(true); // mirrored
    expect(isGood(square, Float64Array.of(0, 0, 100, 0, 0, 100, 100, 100))).toBe(false); // two corners swapped
    expect(isGood(square, Float64Array.of(0, 0, 100, 0, 100, 100, 60, 20))).toBe(false); // one corner pushed in
  });
});

describe("least squares", () => {
  const fitted = (points: Float64Array, weights: Float64Array, near: Float64Array | null = null) => {
    const model = new Float64Array(9);
    return homographyModel.fit(points, weights, near, model) ? model : null;
  };

  it("are exact on exact pairs of either sense, and ignore pairs of weight 0", () => {
    const random = new Random(3);
    for (let k = 0; k < 50; k++) {
      const truth = drawn(random, k % 2 === 1);
      const points = pairsOf(truth, pointsOf(random, 20));
      const weights = Float64Array.from({ length: 20 }, (_, i) => (i < 5 ? 0 : random.uniform(0.1, 1)));
      for (let i = 0; i < 20; i++) points[i] = random.uniform(0, 500); // the first five pairs
      const algebraic = fitted(points, weights)!;
      expect(cornerError(scaled(algebraic), truth, SIZE)).toBeLessThan(1e-6);
      expect(cornerError(scaled(fitted(points, weights, algebraic)!), truth, SIZE)).toBeLessThan(1e-6);
    }
  });

  it("give the smallest distances in image 2: no small change of the matrix makes them smaller", () => {
    const random = new Random(4);
    const points = pairsOf(drawn(random), pointsOf(random, 30)).map((v, k) => v + (k & 2 ? random.normal() : 0));
    const weights = new Float64Array(30).fill(1);
    let model = fitted(points, weights)!;
    for (let k = 0; k < 10; k++) model = fitted(points, weights, model)!;
    const errors = new Float64Array(30);
    const loss = (of: Float64Array) => {
      homographyModel.squaredErrors(of, 0, points, errors);
      return errors.reduce((sum, error) => sum + error, 0);
    };
    // The rows' denominators are those of the last round, so it is the optimum but for what they would still move.
    const least = loss(model);
    const sizes = [1e-4, 1e-4, 0.05, 1e-4, 1e-4, 0.05, 2e-7, 2e-7];
    for (const [k, by] of sizes.entries()) {
      for (const sign of [-1, 1]) {
        const changed = model.slice();
        changed[k] += sign * by * model[8];
        expect(loss(changed)).toBeGreaterThan(least * (1 - 1e-3));
      }
    }
  });

  it("do not depend on the unit of either image, nor on how a strip lies", () => {
    const random = new Random(5);
    const strip = Float64Array.from({ length: 80 }, (_, k) => random.uniform(0, k & 1 ? 20 : 1000));
    const points = pairsOf(drawn(random), strip).map((v, k) => v + (k & 2 ? 0.2 * random.normal() : 0));
    const weights = new Float64Array(40).fill(1);
    const model = fitted(points, weights)!;
    const near = scaled(fitted(points, weights, model)!);
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    const turn = [c, -s, 40, s, c, -300, 0, 0, 1];
    const unturn = [c, s, 300 * s - 40 * c, -s, c, 300 * c + 40 * s, 0, 0, 1];
    const left = Float64Array.from({ length: 80 }, (_, k) => points[4 * (k >> 1) + (k & 1)]);
    const right = Float64Array.from({ length: 80 }, (_, k) => points[4 * (k >> 1) + (k & 1) + 2] / 1000);
    const turned = pairedPoints(projectPoints(turn, left), right);
    const inMetres = compose([0.001, 0, 0, 0, 0.001, 0, 0, 0, 1], model);
    const found = scaled(fitted(turned, weights, Float64Array.from(compose(inMetres, unturn)))!);
    const back = compose(compose([1000, 0, 0, 0, 1000, 0, 0, 0, 1], found), turn);
    const ends = [0, 10, 500, 0, 1000, 20];
    const [a, b] = [projectPoints(back, ends), projectPoints(near, ends)];
    for (let k = 0; k < 6; k++) expect(a[k]).toBeCloseTo(b[k], 6);
  });

  it("say where pairs do not determine a homography", () => {
    const random = new Random(6);
    const weights = new Float64Array(10).fill(1);
    const line = Float64Array.from({ length: 20 }, (_, k) => (k & 1 ? 3 * k : 5 * (k + 1)));
    expect(fitted(pairsOf(drawn(random), line), weights)).toBeNull();
    expect(fitted(pairedPoints(new Float64Array(20).fill(4), line), weights)).toBeNull();
    expect(fitted(pairsOf(drawn(random), pointsOf(random, 10)), new Float64Array(10))).toBeNull();
    const three = Float64Array.from({ length: 10 }, (_, i) => (i < 3 ? 1 : 0));
    expect(fitted(pairsOf(drawn(random), pointsOf(random, 10)), three)).toBeNull();
  });
});

describe("errors", () => {
  it("are squared distances in image 2, of the model at an offset; Infinity on the vanishing line", () => {
    const random = new Random(7);
    const models = new Float64Array(18);
    models.set([1, 0, 0, 0, 1, 0, 0.01, 0, 1], 9);
    const points = Float64Array.of(0, 0, 3, 4, 100, 50, 50, 25, -100, 7, 1, 1, -100, 0, 0, 0);
    const errors = new Float64Array(4);
    homographyModel.squaredErrors(models, 9, points, errors);
    expect([...errors]).toEqual([25, 0, Infinity, Infinity]);
    const truth = drawn(random);
    homographyModel.squaredErrors(
      Float64Array.from(truth, (v) => -2 * v),
      0,
      pairsOf(truth, pointsOf(random, 4)),
      errors,
    );
    for (const error of errors) expect(error).toBeLessThan(1e-18); // whatever the scale
  });
});
