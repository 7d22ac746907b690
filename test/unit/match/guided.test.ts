import { describe, expect, it } from "vitest";
import type { FloatFeatures } from "../../../src/features.js";
import { matchGuided } from "../../../src/match/guided.js";
import { matchFeatures } from "../../../src/match/mutual.js";
import { Random } from "../../../src/random.js";

const SHIFT = [1, 0, 40, 0, 1, -20, 0, 0, 1];
/** Lines of rows: y₂ = y₁. */
const ROWS = [0, 0, 0, 0, 0, -1, 0, 1, 0];

/** Features with few words of descriptors, so that every keypoint has rivals all over the image. */
function drawn(random: Random, count: number, words: number, place: (x: number, y: number) => [number, number]) {
  const dim = 16;
  const vocabulary = Float32Array.from({ length: words * dim }, () => random.normal());
  const make = (): FloatFeatures => ({
    count,
    dim,
    imageSize: [640, 480],
    keypoints: new Float32Array(2 * count),
    scores: new Float32Array(count).fill(1),
    descriptors: new Float32Array(count * dim),
  });
  const [a, b] = [make(), make()];
  for (let i = 0; i < count; i++) {
    const [x, y] = [random.uniform(50, 590), random.uniform(50, 430)];
    a.keypoints.set([x, y], 2 * i);
    b.keypoints.set(place(x, y), 2 * i);
    const word = random.integer(words) * dim;
    for (const one of [a, b]) {
      for (let k = 0; k < dim; k++) one.descriptors[i * dim + k] = vocabulary[word + k] + 0.05 * random.normal();
    }
  }
  return [a, b] as const;
}

const right = ({ pairs, count }: { pairs: Uint32Array; count: number }) =>
  Array.from({ length: count }, (_, m) => Number(pairs[2 * m] === pairs[2 * m + 1])).reduce((x, y) => x + y, 0);

describe("matchGuided", () => {
  it("tells rivals apart by where a homography, or a line, allows them", async () => {
    const random = new Random(1);
    const [a, b] = drawn(random, 300, 20, (x, y) => [x + 40, y - 20]);
    const free = right(await matchFeatures(a, b, { runtime: null }));
    const guided = matchGuided(a, b, { model: "homography", matrix: SHIFT }, { radius: 2 });
    expect(free).toBeLessThan(150);
    expect(right(guided)).toBeGreaterThan(280);
    expect(guided.count).toBeLessThan(305);
    const [left, rightImage] = drawn(random, 300, 60, (x, y) => [x - random.uniform(0, 100), y]);
    const rows = matchGuided(left, rightImage, { model: "fundamental", matrix: ROWS }, { radius: 1 });
    expect(right(rows)).toBeGreaterThan(270);
    expect(right(await matchFeatures(left, rightImage, { runtime: null }))).toBeLessThan(200);
  });

  it("is the same as comparing all with all and looking at the distances, lines of any direction", () => {
    const random = new Random(2);
    const [a, b] = drawn(random, 120, 30, () => [random.uniform(0, 640), random.uniform(0, 480)]);
    for (let trial = 0; trial < 20; trial++) {
      const fundamental = trial % 2 === 0;
      const matrix = fundamental
        ? Array.from({ length: 9 }, (_, k) => random.normal() * (k % 3 === 2 ? 300 : 1) * (k > 5 ? 300 : 1))
        : [1 + 0.1 * random.normal(), 0.1, 10, 0.1, 1, 20, 1e-4 * random.normal(), 0, 1];
      const radius = random.uniform(1, 40);
      const found = matchGuided(
        a,
        b,
        { model: fundamental ? "fundamental" : "homography", matrix },
        { radius, mutual: false },
      );
      const wanted: number[] = [];
      for (let i = 0; i < a.count; i++) {
        const [x, y] = a.keypoints.subarray(2 * i, 2 * i + 2);
        const [p, q, r] = [0, 3, 6].map((k) => matrix[k] * x + matrix[k + 1] * y + matrix[k + 2]);
        let [best, index] = [-Infinity, -1];
        for (let j = 0; j < b.count; j++) {
          const [u, v] = b.keypoints.subarray(2 * j, 2 * j + 2);
          const distance = fundamental
            ? Math.abs(p * u + q * v + r) / Math.hypot(p, q)
            : Math.hypot(p / r - u, q / r - v);
          if (distance > radius) continue;
          const [one, other] = [a, b].map(({ descriptors }, k) =>
            descriptors.subarray(16 * (k ? j : i), 16 * (k ? j : i) + 16),
          );
          const value = one.reduce((sum, d, k) => sum + d * other[k], 0) / Math.hypot(...one) / Math.hypot(...other);
          if (value > best) [best, index] = [value, j];
        }
        if (index >= 0) wanted.push(i, index);
      }
      expect([...found.pairs]).toEqual(wanted);
    }
  });

  it("compares bits, applies ratio and least similarity, and passes over what is not finite", () => {
    const keypoints = Float32Array.of(10, 10, 12, 10, 300, 300, Number.NaN, 5);
    const bits = {
      count: 4,
      dim: 2,
      kind: "binary" as const,
      imageSize: [640, 480] as [number, number],
      keypoints,
      scores: new Float32Array(4),
    };
    const a = { ...bits, descriptors: Uint8Array.of(255, 0, 255, 1, 7, 7, 1, 1) };
    const geometry = { model: "homography" as const, matrix: [1, 0, 0, 0, 1, 0, 0, 0, 1] };
    expect([...matchGuided(a, a, geometry).pairs]).toEqual([0, 0, 1, 1, 2, 2]);
    const b = { ...bits, descriptors: Uint8Array.of(255, 3, 255, 7, 248, 248, 1, 1) };
    expect([...matchGuided(a, b, geometry, { ratio: 0.6, minSimilarity: 0 }).pairs]).toEqual([1, 0]);
    expect([...matchGuided(a, b, geometry, { minSimilarity: 0, mutual: false }).pairs]).toEqual([0, 0, 1, 0]);
    expect(
      matchGuided(
        {
          ...a,
          count: 0,
          keypoints: keypoints.subarray(0, 0),
          scores: new Float32Array(0),
          descriptors: new Uint8Array(0),
        },
        b,
        geometry,
      ).count,
    ).toBe(0);
  });

  it("refuses other descriptors and matrices", () => {
    const [a, b] = drawn(new Random(3), 3, 2, (x, y) => [x, y]);
    const call =
      (geometry: object, other: object = b) =>
      () =>
        matchGuided(a, other as never, geometry as never);
    expect(call({ model: "essential", matrix: SHIFT })).toThrow("must be one of homography, fundamental");
    expect(call({ model: "homography", matrix: [1] })).toThrow("the matrix has 9 numbers, got 1");
    const short = { ...b, dim: 8, descriptors: b.descriptors.subarray(0, 24) };
    expect(call({ model: "homography", matrix: SHIFT }, short)).toThrow("extract both with the same model");
  });
});
