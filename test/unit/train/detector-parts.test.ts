/** Points and losses of the detector against plain loops; gradients against slopes, in the graph and the interpreter. */
import { numpy as np } from "@jax-js/jax";
import { describe, expect, it } from "vitest";
import { softArgmax } from "../../../src/extract/localize.js";
import { compose, projectPoints } from "../../../src/geometry/matrix3.js";
import { inside, pixelRows, sampleRows } from "../../../src/model/sampling.js";
import { Random } from "../../../src/random.js";
import { type Contrast, contrastLoss, isDistinct } from "../../../src/train/detector/contrast.js";
import { matchingAccuracy } from "../../../src/train/detector/matching.js";
import {
  bestPixels,
  project,
  softPositions,
  squaredDistances,
  swapHalves,
} from "../../../src/train/detector/points.js";
import { logScores, rankingLoss } from "../../../src/train/detector/ranking.js";
import { outcomeLoss, shareOf } from "../../../src/train/detector/reliability.js";
import { reprojectionLoss } from "../../../src/train/detector/reprojection.js";
import { similarityLoss } from "../../../src/train/detector/similarity.js";
import { checkGradients, graphGradients, type Named } from "../../gradients.js";
import { interpret, uniform, type Values, values } from "../../networks.js";

/** What a function of named arrays gives in the interpreter. */
async function outputs(
  fn: (x: Named<np.Array>) => Record<string, np.Array>,
  given: Named<Values>,
): Promise<Record<string, Values>> {
  return interpret(fn as never, given as never);
}

const MILD = Float64Array.of(1.1, -0.2, 3, 0.15, 0.95, -2, 2e-3, -1e-3, 1);

describe("points", () => {
  it("are projected as projectPoints does, each image by its own homography", async () => {
    const second = compose(MILD, MILD);
    const points = uniform([2, 7, 2], 1, 0, 30);
    const { out } = await outputs((x) => ({ out: project(x.points, x.matrices) }), {
      points,
      matrices: values([2, 9], (i) => (i < 9 ? MILD[i] : second[i - 9])),
    });
    const expected = [
      ...projectPoints(MILD, Float64Array.from(points.data.subarray(0, 14))),
      ...projectPoints(second, Float64Array.from(points.data.subarray(14))),
    ];
    expected.forEach((v, i) => {
      expect(out.data[i]).toBeCloseTo(v, 3);
    });
  });

  it("inside counts the border itself, and each side", async () => {
    const { out } = await outputs((x) => ({ out: inside(x.points, 10, 8, 2) }), {
      points: {
        shape: [1, 8, 2],
        data: Float32Array.of(2, 2, 7, 5, 1.99, 3, 7.01, 3, 3, 1.99, 3, 5.01, 5, 3, -1, -1),
      },
    });
    expect([...out.data]).toEqual([1, 1, 0, 0, 0, 0, 1, 0]);
  });

  it("swapHalves gives each image what belongs to the other", async () => {
    const { out } = await outputs((x) => ({ out: swapHalves(x.a) }), { a: values([4, 2], (i) => i) });
    expect([...out.data]).toEqual([4, 5, 6, 7, 0, 1, 2, 3]);
  });

  it("bestPixels: the best of each cell, cells row by row", async () => {
    const [m, w, h, cell] = [2, 12, 8, 4];
    const score = uniform([m, 1, h, w], 3);
    const { out } = await outputs((x) => ({ out: bestPixels(x.score, cell) }), { score });
    const expected: number[] = [];
    for (let image = 0; image < m; image++) {
      for (let top = 0; top < h; top += cell) {
        for (let left = 0; left < w; left += cell) {
          let best = [left, top, -1];
          for (let y = top; y < top + cell; y++) {
            for (let x = left; x < left + cell; x++) {
              const value = score.data[(image * h + y) * w + x];
              if (value > best[2]) best = [x, y, value];
            }
          }
          expected.push(best[0], best[1]);
        }
      }
    }
    expect(out.shape).toEqual([m, 6, 2]);
    expect([...out.data]).toEqual(expected);
  });

  it("sampleRows: bilinear, zero outside, its gradient scattered to four cells", async () => {
    const [m, c, w, h, p] = [2, 3, 6, 5, 9];
    const map = uniform([m, c, h, w], 5, -1, 1);
    // Inside, across the edges, and far outside.
    const points = uniform([m, p, 2], 6, -1.5, 7);
    const { rows, coverage } = await outputs((x) => ({ ...sampleRows(x.map, x.points) }), { map, points });
    for (let i = 0; i < m * p; i++) {
      const image = Math.floor(i / p);
      const [x, y] = points.data.subarray(2 * i, 2 * i + 2);
      for (let k = 0; k < c; k++) {
        let [sum, weights] = [0, 0];
        for (let v = 0; v < h; v++) {
          for (let u = 0; u < w; u++) {
            const weight = Math.max(0, 1 - Math.abs(u - x)) * Math.max(0, 1 - Math.abs(v - y));
            sum += weight * map.data[((image * c + k) * h + v) * w + u];
            weights += weight;
          }
        }
        expect(rows.data[i * c + k]).toBeCloseTo(sum, 5);
        expect(coverage.data[i]).toBeCloseTo(weights, 5);
      }
    }
    await checkGradients((v, { points: at }) => np.sum(np.square(sampleRows(v.map, at).rows)), { map }, { points });
  });

  it("pixelRows: whole cells, zero outside", async () => {
    const map = values([1, 2, 2, 3], (i) => i + 1);
    const cells = { shape: [1, 4, 2], data: Float32Array.of(0, 0, 2, 1, 3, 0, 0, -1) };
    const { out } = await outputs((x) => ({ out: pixelRows(x.map, x.cells) }), { map, cells });
    expect([...out.data]).toEqual([1, 7, 6, 12, 0, 0, 0, 0]);
  });

  it("softPositions: as extraction refines, at the map's edge too", async () => {
    const [w, h] = [12, 10];
    const score = uniform([1, 1, h, w], 8, 0.01, 1);
    const cells = [0, 0, 11, 9, 5, 4, 1, 8, 6, 0];
    const keypoints = { shape: [1, 5, 2], data: Float32Array.from(cells) };
    const { out } = await outputs((x) => ({ out: softPositions(x.score, x.keypoints, 2) }), { score, keypoints });
    const step = new Float64Array(2);
    for (let k = 0; k < 5; k++) {
      const [x, y] = cells.slice(2 * k, 2 * k + 2);
      softArgmax(score.data, x, y, w, h, w, 2, step);
      expect(out.data[2 * k]).toBeCloseTo(x + step[0], 4);
      expect(out.data[2 * k + 1]).toBeCloseTo(y + step[1], 4);
    }
  });

  it("squaredDistances", async () => {
    const { out } = await outputs((x) => ({ out: squaredDistances(x.a, x.b) }), {
      a: { shape: [1, 2, 2], data: Float32Array.of(0, 0, 1, 2) },
      b: { shape: [1, 3, 2], data: Float32Array.of(3, 4, 1, 2, 0, -1) },
    });
    expect([...out.data]).toEqual([25, 5, 1, 8, 0, 10]);
  });
});

const [M, P] = [2, 6];

function contrastValues(): Named<Values> {
  const random = new Random(11);
  return {
    positive: uniform([M, P], 12, -0.2, 0.95),
    others: uniform([M, P, P], 13, -0.5, 0.9),
    wrong: values([M, P, P], (i) => (i % (P + 1) === 0 || random.uniform() < 0.1 ? 0 : 1)),
    valid: values([M, P], (i) => (i % 4 === 3 ? 0 : 1)),
  };
}

const contrastOf = (x: Named<np.Array>): Contrast => x as unknown as Contrast;

describe("descriptors", () => {
  it("cross-entropy against what is wrong, over what counts; gradients to cosines and temperature", async () => {
    const given = contrastValues();
    const t = 12;
    let [sum, count] = [0, 0];
    for (let i = 0; i < M * P; i++) {
      if (!given.valid.data[i]) continue;
      let total = Math.exp(t * given.positive.data[i]);
      for (let j = 0; j < P; j++) {
        if (given.wrong.data[i * P + j]) total += Math.exp(t * given.others.data[i * P + j]);
      }
      sum += Math.log(total) - t * given.positive.data[i];
      count++;
    }
    const { positive, others, ...constants } = given;
    const temperature = values([1], () => t);
    const loss = await checkGradients(
      (v, k) => contrastLoss(contrastOf({ ...v, ...k } as never), v.temperature),
      { positive, others, temperature },
      constants,
    );
    expect(loss).toBeCloseTo(sum / count, 4);
  });

  it("stays finite where nothing counts, and at the largest temperature", async () => {
    const given = contrastValues();
    const at = (name: string, value: number) => ({ ...given, [name]: values([...given[name].shape], () => value) });
    const loss = async (x: Named<Values>, t: number) =>
      (await outputs((v) => ({ out: contrastLoss(contrastOf(v), np.array([t])) }), x)).out.data[0];
    expect(await loss(at("valid", 0), 20)).toBe(0);
    expect(await loss({ ...at("positive", -1), others: values([M, P, P], () => -1) }, 40)).toBeGreaterThan(0);
    // Nothing wrong at all: certain.
    expect(await loss({ ...at("positive", -1), wrong: values([M, P, P], () => 0) }, 40)).toBeCloseTo(0, 4);
  });

  it("isDistinct: more alike than everything wrong, whatever the rest is", async () => {
    const given = contrastValues();
    const { out } = await outputs((x) => ({ out: isDistinct(contrastOf(x)) }), given);
    for (let i = 0; i < M * P; i++) {
      const rivals = [...given.others.data.subarray(i * P, (i + 1) * P)].filter((_, j) => given.wrong.data[i * P + j]);
      expect(out.data[i]).toBe(given.positive.data[i] > Math.max(...rivals) ? 1 : 0);
    }
    expect([...out.data]).toContain(0);
    expect([...out.data]).toContain(1);
  });
});

describe("reliability", () => {
  it("binary cross-entropy of what counts", async () => {
    const logits = uniform([M, P], 21, -8, 8);
    const constants = {
      outcomes: values([M, P], (i) => i % 2),
      valid: values([M, P], (i) => (i % 5 === 0 ? 0 : 1)),
    };
    let [sum, count] = [0, 0];
    logits.data.forEach((z, i) => {
      if (!constants.valid.data[i]) return;
      const chance = 1 / (1 + Math.exp(-z));
      sum -= Math.log(i % 2 ? chance : 1 - chance);
      count++;
    });
    const loss = await checkGradients((v, k) => outcomeLoss(v.logits, k.outcomes, k.valid), { logits }, constants);
    expect(loss).toBeCloseTo(sum / count, 4);
    const { out } = await outputs((x) => ({ out: shareOf(x.outcomes, x.valid) }), constants);
    expect(out.data[0]).toBeCloseTo(5 / 9, 5);
  });
});

describe("ranking", () => {
  const constants = {
    good: values([M, P], (i) => i % 2),
    valid: values([M, P], (i) => (i % 5 === 0 ? 0 : 1)),
  };

  it("asks for good keypoints before bad ones of the same image, of those that count", async () => {
    const scores = uniform([M, P], 23, -4, 0);
    let [sum, count] = [0, 0];
    for (let m = 0; m < M; m++) {
      for (let a = m * P; a < (m + 1) * P; a++) {
        for (let b = m * P; b < (m + 1) * P; b++) {
          if (a % 2 === 0 || b % 2 === 1 || a % 5 === 0 || b % 5 === 0) continue;
          sum += Math.log(1 + Math.exp(scores.data[b] - scores.data[a]));
          count++;
        }
      }
    }
    const loss = await checkGradients((v, k) => rankingLoss(v.scores, k.good, k.valid), { scores }, constants);
    expect(loss).toBeCloseTo(sum / count, 4);
  });

  it("is next to 0 in the right order, and 0 where all are alike", async () => {
    const of = async (scores: Values, good: Values) =>
      (await outputs((x) => ({ out: rankingLoss(x.scores, x.good, x.valid) }), { ...constants, scores, good })).out
        .data[0];
    expect(
      await of(
        values([M, P], (i) => (i % 2 ? -1 : -30)),
        constants.good,
      ),
    ).toBeLessThan(1e-6);
    expect(
      await of(
        values([M, P], (i) => (i % 2 ? -30 : -1)),
        constants.good,
      ),
    ).toBeGreaterThan(20);
    expect(
      await of(
        uniform([M, P], 5),
        values([M, P], () => 1),
      ),
    ).toBe(0);
  });

  it("reads the score as extraction does: repeatability times reliability", async () => {
    const logits = uniform([M, P, 2], 24, -5, 5);
    const { out } = await outputs((x) => ({ out: logScores(x.logits) }), { logits });
    const chance = (i: number) => 1 / (1 + Math.exp(-logits.data[i]));
    for (let i = 0; i < M * P; i++) expect(Math.exp(out.data[i])).toBeCloseTo(chance(2 * i) * chance(2 * i + 1), 5);
  });
});

describe("similarity", () => {
  const [W, H, PATCH] = [16, 8, 4];
  const identity = values([1, 9], (i) => (i % 4 === 0 ? 1 : 0));

  it("is 0 for equal maps, and for maps that differ by a factor; 1 for maps without a common pixel", async () => {
    const map = uniform([1, 1, H, W], 31);
    const loss = async (second: Values, matrix = identity) =>
      (
        await outputs((x) => ({ out: similarityLoss(x.first, x.second, { matrices: x.matrix }, PATCH) }), {
          first: map,
          second,
          matrix,
        })
      ).out.data[0];
    expect(await loss(map)).toBeCloseTo(0, 5);
    expect(await loss({ ...map, data: map.data.map((v) => 0.3 * v) })).toBeCloseTo(0, 4);
    const chess = (odd: number) => values([1, 1, H, W], (i) => ((i + Math.floor(i / W)) % 2 === odd ? 1 : 0));
    const apart = await outputs((x) => ({ out: similarityLoss(x.first, x.second, { matrices: x.matrix }, PATCH) }), {
      first: chess(0),
      second: chess(1),
      matrix: identity,
    });
    expect(apart.out.data[0]).toBeCloseTo(1, 5);
  });

  it("follows the homography: patches seen by half at least, cosine by cosine", async () => {
    const [first, second] = [uniform([2, 1, H, W], 32), uniform([2, 1, H, W], 33)];
    // Image 2 of the first pair is moved by (5.5, 0); of the second it is far away.
    const shift = Float32Array.of(1, 0, -5.5, 0, 1, 0, 0, 0, 1, 1, 0, 500, 0, 1, 0, 0, 0, 1);
    const matrices = { shape: [2, 9], data: shift };
    const cosines: number[] = [];
    for (let top = 0; top < H; top += PATCH) {
      for (let left = 0; left < W; left += PATCH) {
        let [ab, aa, bb, seen] = [0, 0, 0, 0];
        for (let y = top; y < top + PATCH; y++) {
          for (let x = left; x < left + PATCH; x++) {
            const u = x - 5.5;
            if (u < 0) continue;
            const a = first.data[y * W + x];
            const b = 0.5 * (second.data[y * W + u - 0.5] + second.data[y * W + u + 0.5]);
            ab += a * b;
            aa += a * a;
            bb += b * b;
            seen++;
          }
        }
        if (seen >= (PATCH * PATCH) / 2) cosines.push(ab / Math.sqrt(aa * bb));
      }
    }
    expect(cosines).toHaveLength(6);
    const mean = cosines.reduce((a, b) => a + b, 0) / cosines.length;
    const loss = await checkGradients(
      (v, k) => similarityLoss(v.first, v.second, { matrices: k.matrices }, PATCH),
      { first, second },
      {
        matrices,
      },
    );
    expect(loss).toBeCloseTo(1 - mean, 4);
  });
});

describe("reprojection", () => {
  it("distance to the other image's nearest keypoint within reach, both ways", async () => {
    // One pair; three keypoints each. Image 1's third finds none within reach, image 2's second does not count.
    const positions = { shape: [2, 3, 2], data: Float32Array.of(10, 10, 20, 20, 40, 5, 11, 10, 21, 22, 90, 90) };
    const carried = { shape: [2, 3, 2], data: Float32Array.of(10, 10, 20, 20, 40, 5, 11, 10, 21, 22, 40, 4) };
    const valid = { shape: [2, 3], data: Float32Array.of(1, 1, 1, 1, 0, 1) };
    const fn = (x: Named<np.Array>) =>
      reprojectionLoss(
        {
          positions: x.positions,
          carried: x.carried,
          distances: squaredDistances(x.carried.ref, swapHalves(x.positions.ref)),
          valid: x.valid,
        },
        3,
      );
    const { loss, repeated } = await outputs((x) => ({ ...fn(x) }), { positions, carried, valid });
    // 1 and √5 from image 1; 1 and 1 from image 2, whose second is left out.
    expect(loss.data[0]).toBeCloseTo((1 + Math.sqrt(5) + 1 + 1) / 4, 4);
    expect([...repeated.data]).toEqual([1, 1, 0, 1, 0, 1]);
    await checkGradients((v, k) => fn({ ...v, ...k }).loss, { positions, carried }, { valid });
  });

  it("nothing within reach: no loss, no gradient that is not a number", async () => {
    const far = { shape: [2, 2, 2], data: Float32Array.of(0, 0, 1, 1, 50, 50, 60, 60) };
    const { gradients, loss } = await graphGradients(
      (v, k) =>
        reprojectionLoss({ positions: v.positions, carried: k.carried, distances: k.distances, valid: k.valid }, 3)
          .loss,
      { positions: far },
      { carried: far, distances: values([2, 2, 2], () => 100), valid: values([2, 2], () => 1) },
    );
    expect(loss).toBe(0);
    expect([...gradients.positions].every((g) => g === 0)).toBe(true);
  });
});

describe("matchingAccuracy", () => {
  it("share of mutual nearest neighbours within each threshold, of keypoints that count", async () => {
    const [n, p] = [2, 5];
    const cosines = uniform([n, p, p], 41, -1, 1);
    const distances = uniform([n, p, p], 42, 0, 16);
    const valid = values([n, p], (i) => (i === 2 ? 0 : 1));
    let [mutual, one, three] = [0, 0, 0];
    for (let k = 0; k < n; k++) {
      const at = (i: number, j: number) => cosines.data[(k * p + i) * p + j];
      const all = Array.from({ length: p }, (_, i) => i);
      for (const i of all) {
        const j = all.reduce((best, c) => (at(i, c) > at(i, best) ? c : best), 0);
        const back = all.reduce((best, c) => (at(c, j) > at(best, j) ? c : best), 0);
        if (back !== i || !valid.data[k * p + i]) continue;
        mutual++;
        const d = Math.sqrt(distances.data[(k * p + i) * p + j]);
        if (d <= 1) one++;
        if (d <= 3) three++;
      }
    }
    expect(mutual).toBeGreaterThan(2);
    const { a, b } = await outputs(
      (x) => {
        const [first, second] = matchingAccuracy(x.cosines, x.distances, x.valid, [1, 3]);
        return { a: first, b: second };
      },
      { cosines, distances, valid },
    );
    expect(a.data[0]).toBeCloseTo(one / mutual, 5);
    expect(b.data[0]).toBeCloseTo(three / mutual, 5);
  });
});
