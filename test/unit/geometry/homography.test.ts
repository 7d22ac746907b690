import { describe, expect, it } from "vitest";
import { OptionError, ShapeError } from "../../../src/errors.js";
import type { Features } from "../../../src/features.js";
import { cornerError } from "../../../src/geometry/corner-error.js";
import { estimateHomography, type HomographyOptions } from "../../../src/geometry/homography.js";
import { inverse3x3, type Matrix3, projectPoints } from "../../../src/geometry/matrix3.js";
import { verifyMatches } from "../../../src/geometry/two-view.js";
import { Random } from "../../../src/random.js";

const size: [number, number] = [640, 480];
const identity = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** Rotation, zoom, shift and perspective, as between two photographs of a plane. */
function randomHomography(random: Random): number[] {
  const angle = random.uniform(-Math.PI, Math.PI);
  const zoom = random.uniform(0.6, 1.6);
  const [c, s] = [zoom * Math.cos(angle), zoom * Math.sin(angle)];
  const tilt = () => random.uniform(-4e-4, 4e-4);
  return [c, -s, random.uniform(-100, 100), s, c, random.uniform(-100, 100), tilt(), tilt(), 1];
}

/** `count` points of image a and where `truth` takes them; with noise (sigma in pixels) and a share of random pairs. */
function scene(random: Random, truth: Matrix3, count: number, { noise = 0, outliers = 0 } = {}) {
  const a = Float32Array.from({ length: 2 * count }, (_, k) => random.uniform(0, size[k & 1]));
  const b = Float32Array.from(projectPoints(truth, a), (v) => v + noise * random.normal());
  const wrong = Math.round(outliers * count); // the first ones
  for (let k = 0; k < 2 * wrong; k++) b[k] = random.uniform(-200, 800);
  return { a, b, wrong };
}

describe("estimateHomography", () => {
  it("finds the identity and a translation", async () => {
    const random = new Random(1);
    for (const truth of [identity, [1, 0, 25, 0, 1, -13, 0, 0, 1]]) {
      const { a, b } = scene(random, truth, 60);
      for (const method of ["magsac", "ransac", "dlt"] as const) {
        const { matrix, inliers } = await estimateHomography(a, b, { method });
        expect(matrix![8]).toBe(1);
        expect(cornerError(matrix, truth, size)).toBeLessThan(1e-3);
        expect([...inliers]).toEqual(Array.from({ length: 60 }, (_, i) => i));
      }
    }
  });

  it("recovers homographies among 50 % outliers and noise to 0.5 px; different seeds agree", async () => {
    const random = new Random(2);
    for (let k = 0; k < 8; k++) {
      const truth = randomHomography(random);
      const { a, b, wrong } = scene(random, truth, 400, { noise: 0.5, outliers: 0.5 });
      const first = await estimateHomography(a, b);
      // In pixels of image b, which the zoom of `truth` makes larger or smaller.
      expect(cornerError(first.matrix, truth, size)).toBeLessThan(0.5);
      expect(first.inliers.filter((i) => i >= wrong).length).toBeGreaterThan(0.97 * (400 - wrong));
      expect(first.inliers.filter((i) => i < wrong).length).toBeLessThan(8);
      for (const seed of [1, 2, 4294967295]) {
        const { matrix } = await estimateHomography(a, b, { seed });
        expect(cornerError(matrix, first.matrix!, size)).toBeLessThan(0.01);
      }
    }
  });

  it("counts as inliers exactly the pairs within the threshold, ascending", async () => {
    const random = new Random(3);
    const { a, b } = scene(random, randomHomography(random), 300, { noise: 2, outliers: 0.3 });
    for (const threshold of [2, 5]) {
      const { matrix, inliers } = await estimateHomography(a, b, { threshold });
      const projected = projectPoints(matrix!, a);
      const wanted: number[] = [];
      for (let i = 0; i < 300; i++) {
        if (Math.hypot(projected[2 * i] - b[2 * i], projected[2 * i + 1] - b[2 * i + 1]) <= threshold) wanted.push(i);
      }
      expect([...inliers]).toEqual(wanted);
    }
  });

  it("gives the same seed the same matrix, bit for bit, and lets the seed matter", async () => {
    const random = new Random(4);
    const { a, b } = scene(random, randomHomography(random), 200, { noise: 1.5, outliers: 0.8 });
    for (const method of ["magsac", "ransac"] as const) {
      const of = async (seed: number) => (await estimateHomography(a, b, { method, seed, maxIterations: 60 })).matrix;
      const seeds = [0, 1, 2, 3, 4, 5];
      const once: string[] = [];
      for (const seed of seeds) once.push(`${await of(seed)}`);
      const again: string[] = [];
      for (const seed of [...seeds].reverse()) again.unshift(`${await of(seed)}`); // other history, same answers
      expect(again).toEqual(once);
      expect(new Set(once).size).toBeGreaterThan(1);
    }
  });

  it("magsac errs less than ransac where precise and rough pairs are mixed, and as little where they are not", async () => {
    const random = new Random(5);
    const sums = { mixed: { ransac: 0, magsac: 0 }, alike: { ransac: 0, magsac: 0 } };
    for (const kind of ["mixed", "alike"] as const) {
      for (let k = 0; k < 30; k++) {
        const truth = randomHomography(random);
        const { a, b } = scene(random, truth, 200, { outliers: 0.3 });
        for (let i = 0; i < b.length; i++) b[i] += random.normal() * (kind === "alike" ? 0.7 : i % 4 < 2 ? 0.05 : 1);
        for (const method of ["ransac", "magsac"] as const) {
          sums[kind][method] += cornerError((await estimateHomography(a, b, { method })).matrix, truth, size);
        }
      }
    }
    expect(sums.mixed.magsac).toBeLessThan(0.5 * sums.mixed.ransac);
    expect(sums.alike.magsac).toBeLessThan(1.03 * sums.alike.ransac);
  });

  it("long tails of errors hardly matter, nor many wrong pairs beside few right ones", async () => {
    const random = new Random(6);
    const sums = { normal: 0, tails: 0 };
    for (let k = 0; k < 20; k++) {
      const truth = randomHomography(random);
      for (const kind of ["normal", "tails"] as const) {
        const { a, b } = scene(random, truth, 200, { outliers: 0.3 });
        for (let i = 0; i < b.length; i += 2) {
          // Student's t of two degrees of freedom: the same middle, no variance.
          const scale = kind === "normal" ? 0.5 : 0.5 / Math.sqrt(-Math.log(1 - random.uniform()));
          b[i] += scale * random.normal();
          b[i + 1] += scale * random.normal();
        }
        sums[kind] += cornerError((await estimateHomography(a, b)).matrix, truth, size);
      }
    }
    expect(sums.tails).toBeLessThan(2 * sums.normal);
    const truth = randomHomography(random);
    const { a, b, wrong } = scene(random, truth, 400, { noise: 0.7, outliers: 0.9 });
    const { matrix, inliers } = await estimateHomography(a, b);
    expect(cornerError(matrix, truth, size)).toBeLessThan(6);
    expect(inliers.filter((i) => i >= wrong).length).toBeGreaterThan(0.8 * (400 - wrong));
  });

  it("an error in either image counts: a map and its inverse agree", async () => {
    const random = new Random(8);
    // Areas grow five-hundredfold from one end to the other.
    const truth = [1, 0, 0, 0, 1, 0, -1.4e-3, 0, 1];
    const sums = { apart: 0, wrong: 0 };
    for (let k = 0; k < 10; k++) {
      const { a, b } = scene(random, truth, 300);
      for (const points of [a, b]) for (let i = 0; i < points.length; i++) points[i] += 0.3 * random.normal();
      const there = (await estimateHomography(a, b, { threshold: 10 })).matrix as Float64Array;
      const back = inverse3x3((await estimateHomography(b, a, { threshold: 10 })).matrix as Float64Array);
      sums.apart += cornerError(there, back as Float64Array, size);
      sums.wrong += cornerError(there, truth, size);
    }
    expect(sums.apart).toBeLessThan(0.6 * sums.wrong);
  });

  it("samples by score, and is not misled by scores that say nothing or the opposite", async () => {
    const random = new Random(11);
    const truth = randomHomography(random);
    const { a, b, wrong } = scene(random, truth, 300, { noise: 0.5, outliers: 0.6 });
    const of = (score: (i: number) => number) => Float32Array.from({ length: 300 }, (_, i) => score(i));
    const told = of((i) => (i < wrong ? 0 : 1) + 0.1 * random.uniform());
    // Few samples are enough where the right pairs come first.
    const quick = await estimateHomography(a, b, { scores: told, maxIterations: 5 });
    expect(cornerError(quick.matrix, truth, size)).toBeLessThan(1);
    for (const scores of [
      told.map((score) => -score),
      of(() => 7),
      of(() => Number.NaN),
      of((i) => i % 3 || Number.NaN),
    ]) {
      const { matrix } = await estimateHomography(a, b, { scores });
      expect(cornerError(matrix, truth, size)).toBeLessThan(1);
    }
    await expect(estimateHomography(a, b, { scores: told.slice(1) })).rejects.toThrow(
      "300 pairs need as many scores, got 299",
    );
  });

  it("finds mirrored maps like others, at every share of wrong pairs up to 50 %", async () => {
    const random = new Random(12);
    const maps: Record<string, number[]> = {
      "left and right": [-1, 0, 799, 0, 1, 0, 0, 0, 1],
      "y up": [1, 0, 0, 0, -1, 639, 0, 0, 1],
      "rows and columns swapped": [0, 1, 0, 1, 0, 0, 0, 0, 1],
      "seen from behind, tilted": [-0.8, 0.1, 600, 0.1, 0.9, 10, 2e-4, -1e-4, 1],
    };
    for (const [name, truth] of Object.entries(maps)) {
      for (const outliers of [0, 0.05, 0.2, 0.5]) {
        for (let seed = 0; seed < 5; seed++) {
          const { a, b } = scene(random, truth, 200, { noise: 0.3, outliers });
          const { matrix, inliers } = await estimateHomography(a, b, { seed });
          expect(cornerError(matrix, truth, size), `${name}, ${outliers}`).toBeLessThan(0.5);
          expect(inliers.length).toBeGreaterThanOrEqual(0.97 * 200 * (1 - outliers));
        }
      }
    }
  });

  it("finds maps of a photograph to metres, the threshold in metres", async () => {
    const random = new Random(13);
    const truth = [0.02, 0.001, 3, 0, -0.021, 60, 0, 2e-4, 1];
    const a = Float32Array.from({ length: 400 }, (_, k) => random.uniform(0, size[k & 1]));
    const b = Float32Array.from(projectPoints(truth, a), (value) => value + 0.01 * random.normal());
    for (let k = 0; k < 160; k++) b[k] = random.uniform(0, 60);
    for (const method of ["magsac", "ransac"] as const) {
      const { matrix, inliers } = await estimateHomography(a, b, { method, threshold: 0.05 });
      expect(cornerError(matrix, truth, size)).toBeLessThan(0.02);
      expect(inliers.length).toBeGreaterThan(115);
      expect(inliers.length).toBeLessThan(125);
    }
  });

  it("finds maps of strips fifty times as long as wide, whichever way they lie", async () => {
    const random = new Random(14);
    for (let k = 0; k < 10; k++) {
      const angle = (k * Math.PI) / 10;
      const truth = randomHomography(random);
      const at = (along: number, across: number) => [
        300 + along * Math.cos(angle) - across * Math.sin(angle),
        200 + along * Math.sin(angle) + across * Math.cos(angle),
      ];
      const a = Float32Array.from(
        Array.from({ length: 200 }, () => at(random.uniform(-500, 500), random.uniform(-10, 10))).flat(),
      );
      const b = Float32Array.from(projectPoints(truth, a), (value) => value + 0.2 * random.normal());
      for (let i = 0; i < 120; i++) b[i] = random.uniform(-200, 800);
      const ends = [-450, 0, 450].flatMap((along) => at(along, 0));
      for (const method of ["magsac", "ransac", "dlt"] as const) {
        const [from, to] = method === "dlt" ? [a.slice(120), b.slice(120)] : [a, b];
        const { matrix } = await estimateHomography(from, to, { method });
        const [found, wanted] = [matrix!, truth].map((map) => projectPoints(map, ends));
        for (let i = 0; i < 6; i++) expect(Math.abs(found[i] - wanted[i])).toBeLessThan(1);
      }
    }
  });

  it("answers degenerate pairs with null, not with an exception", async () => {
    const random = new Random(6);
    const { a, b } = scene(random, identity, 50);
    const onLine = (noise: number) =>
      Float32Array.from({ length: 100 }, (_, k) => (k & 1 ? 3 * k + noise * random.normal() : 5 * (k + 1)));
    const allButOne = onLine(0);
    allButOne.set([400, 20]);
    const withOneBeside = (points: Float32Array) => {
      points.set([400, 20]);
      return points;
    };
    const cases: Record<string, [Float32Array, Float32Array]> = {
      none: [new Float32Array(0), new Float32Array(0)],
      three: [a.slice(0, 6), b.slice(0, 6)],
      "all on a line": [onLine(0), onLine(0)],
      "nearly on a line": [onLine(0.05), onLine(0.05)],
      "all but one on a line": [allButOne, allButOne],
      "nearly all but one on a line": [withOneBeside(onLine(0.05)), withOneBeside(onLine(0.05))],
      "all identical": [new Float32Array(100).fill(7), new Float32Array(100).fill(9)],
      "identical in b": [a, new Float32Array(100).fill(9)],
      "not numbers": [new Float32Array(100).fill(Number.NaN), b],
      infinite: [a, new Float32Array(100).fill(Infinity)],
      "absurdly large": [a.map((v) => v * 1e36), b],
    };
    for (const method of ["magsac", "ransac", "dlt"] as const) {
      for (const [name, [from, to]] of Object.entries(cases)) {
        const { matrix, inliers } = await estimateHomography(from, to, { method });
        if (name === "absurdly large") continue; // no exception is all that is asked
        expect(matrix, `${method}, ${name}`).toBeNull();
        expect(inliers.length).toBe(0);
      }
    }
  });

  it("leaves out pairs that are not finite and keeps the indices of the others", async () => {
    const random = new Random(7);
    const { a, b } = scene(random, identity, 30);
    a[8] = Number.NaN; // pair 4
    b[21] = Infinity; // pair 10
    for (const method of ["magsac", "dlt"] as const) {
      const { inliers } = await estimateHomography(a, b, { method });
      expect([...inliers]).toEqual(Array.from({ length: 30 }, (_, i) => i).filter((i) => i !== 4 && i !== 10));
    }
  });

  it("works from four pairs on, and honours minInliers", async () => {
    const truth = [1.1, 0.1, 5, -0.05, 0.9, 2, 1e-4, 2e-4, 1];
    const a = Float32Array.of(10, 10, 600, 20, 580, 450, 30, 440);
    const b = Float32Array.from(projectPoints(truth, a));
    for (const method of ["magsac", "ransac", "dlt"] as const) {
      expect(cornerError((await estimateHomography(a, b, { method })).matrix, truth, size)).toBeLessThan(0.01);
      expect((await estimateHomography(a, b, { method, minInliers: 5 })).matrix).toBeNull();
    }
  });

  it("refuses what does not fit, and says what", async () => {
    const points = new Float32Array(8);
    await expect(estimateHomography(points, new Float32Array(6))).rejects.toThrow(ShapeError);
    await expect(estimateHomography(new Float32Array(3), new Float32Array(3))).rejects.toThrow(/3 and 3/);
    for (const [options, word] of [
      [{ method: "lmeds" }, "method"],
      [{ threshold: 0 }, "threshold"],
      [{ confidence: 1 }, "confidence"],
      [{ maxIterations: 0.5 }, "maxIterations"],
      [{ seed: -1 }, "seed"],
      [{ minInliers: 3 }, "minInliers"],
      [{ restarts: 4 }, "restarts"],
      [{ polish: true }, "polish"],
      [{ iterations: 3 }, "iterations"],
    ] as [object, string][]) {
      const failed = estimateHomography(points, points, options as HomographyOptions);
      await expect(failed).rejects.toThrow(OptionError);
      await expect(failed).rejects.toThrow(`"${word}"`);
    }
  });
});

describe("verifyMatches", () => {
  const features = (keypoints: Float32Array): Features => ({
    count: keypoints.length / 2,
    dim: 0,
    imageSize: size,
    keypoints,
    scores: new Float32Array(keypoints.length / 2),
    descriptors: new Float32Array(0),
  });

  it("estimates on the keypoints that the matches join", async () => {
    const random = new Random(8);
    const truth = randomHomography(random);
    const { a, b } = scene(random, truth, 100);
    const reversed = Float32Array.from({ length: 200 }, (_, k) => b[2 * (99 - (k >> 1)) + (k & 1)]);
    const pairs = Uint32Array.from({ length: 120 }, (_, k) => (k & 1 ? 99 - (k >> 1) : k >> 1));
    const matches = { count: 60, pairs, scores: new Float32Array(60) };
    const { matrix, inliers } = await verifyMatches(features(a), features(reversed), matches);
    expect(cornerError(matrix, truth, size)).toBeLessThan(0.01);
    expect(inliers.length).toBe(60);
  });

  it("answers no matches with null and refuses matches of other features", async () => {
    const some = features(new Float32Array(8));
    const none = { count: 0, pairs: new Uint32Array(0), scores: new Float32Array(0) };
    expect(await verifyMatches(some, some, none)).toEqual({
      model: "homography",
      matrix: null,
      inliers: new Uint32Array(0),
    });
    const foreign = { count: 1, pairs: Uint32Array.of(0, 4), scores: new Float32Array(1) };
    await expect(verifyMatches(some, some, foreign)).rejects.toThrow(/0 and 4 of 4 and 4/);
    await expect(verifyMatches(some, some, { ...none, count: 2 })).rejects.toThrow(ShapeError);
  });
});
