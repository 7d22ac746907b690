import { describe, expect, it } from "vitest";
import { topFeatures } from "../../../src/bench/features.js";
import {
  areaUnderShare,
  countWithin,
  matchingAccuracy,
  matchingScore,
  projectionErrors,
  repeatability,
  shareWithin,
} from "../../../src/bench/metrics.js";
import { loadOpenCv, withMats } from "../../../src/bench/opencv/index.js";
import { repeatedKeypoints } from "../../../src/bench/repeat.js";
import { FormatError, OptionError, ShapeError } from "../../../src/errors.js";
import type { Features, Matches } from "../../../src/features.js";
import { inverse3x3 } from "../../../src/geometry/matrix3.js";
import { Random } from "../../../src/random.js";
import { featuresAt } from "./made.js";

const IDENTITY = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
const VIEW = Float64Array.of(0.9, -0.2, 40, 0.15, 1.1, -30, 2e-4, -1e-4, 1);

/** Matches i–i of as many keypoints. */
function straight(count: number): Matches {
  return { count, pairs: Uint32Array.from({ length: 2 * count }, (_, k) => k >> 1), scores: new Float32Array(count) };
}

function randomFeatures(random: Random, count: number, [width, height]: [number, number], margin = 0): Features {
  const points = Array.from({ length: count }, (): [number, number] => [
    random.uniform(-margin, width + margin),
    random.uniform(-margin, height + margin),
  ]);
  return featuresAt(points, { dim: 1, axes: [], size: [width, height] });
}

describe("projectionErrors", () => {
  it("are the lengths of known shifts", () => {
    const a = featuresAt([
      [10, 10],
      [20, 30],
      [100, 50],
      [7, 7],
    ]);
    const b = featuresAt([
      [10, 10],
      [23, 34],
      [100, 51],
      [12, 19],
    ]);
    expect([...projectionErrors(a, b, straight(4), IDENTITY)]).toEqual([0, 5, 1, 13]);
    const shift = [1, 0, 3, 0, 1, 4, 0, 0, 1];
    expect(projectionErrors(a, b, straight(4), shift)[1]).toBe(0);
    expect(projectionErrors(a, b, straight(4), shift)[0]).toBe(5);
  });

  it("follow the matches, not the order of the keypoints", () => {
    const a = featuresAt([
      [0, 0],
      [50, 50],
    ]);
    const b = featuresAt([
      [50, 50],
      [0, 2],
    ]);
    const matches = { count: 2, pairs: Uint32Array.of(0, 1, 1, 0), scores: new Float32Array(2) };
    expect([...projectionErrors(a, b, matches, IDENTITY)]).toEqual([2, 0]);
  });

  it("agree with OpenCV's projections", async () => {
    const cv = await loadOpenCv();
    const random = new Random(1);
    const [a, b] = [randomFeatures(random, 200, [640, 480]), randomFeatures(random, 200, [640, 480])];
    const projected = withMats((keep) => {
      const from = keep(new cv.Mat(200, 1, cv.CV_64FC2));
      const to = keep(new cv.Mat());
      const matrix = keep(new cv.Mat(3, 3, cv.CV_64FC1));
      from.data64F.set(a.keypoints);
      matrix.data64F.set(VIEW);
      cv.perspectiveTransform(from, to, matrix);
      return to.data64F.slice();
    });
    projectionErrors(a, b, straight(200), VIEW).forEach((error, i) => {
      const wanted = Math.hypot(projected[2 * i] - b.keypoints[2 * i], projected[2 * i + 1] - b.keypoints[2 * i + 1]);
      expect(error).toBeCloseTo(wanted, 9);
    });
  });

  it("are infinite on the vanishing line and for points that are not numbers", () => {
    const a = featuresAt([
      [-100, 0],
      [0, 0],
      [Number.NaN, 1],
    ]);
    const tilt = [1, 0, 0, 0, 1, 0, 0.01, 0, 1]; // w = 0 at x = -100
    expect([...projectionErrors(a, a, straight(3), tilt)]).toEqual([Infinity, 0, Infinity]);
    expect(countWithin([Infinity, 0, Infinity])).toEqual(new Array(15).fill(1));
  });

  it("of no matches are none", () => {
    expect(projectionErrors(featuresAt([]), featuresAt([]), straight(0), IDENTITY)).toEqual(new Float64Array(0));
  });
});

describe("counts and shares", () => {
  it("count errors up to 1 … 15 px, the threshold itself included", () => {
    const counts = countWithin([0, 1, 1.0001, 3, 14.9, 15, 15.1]);
    expect(counts).toEqual([2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 6]);
    expect(countWithin([0.5, 2], [0.4, 0.5, 2])).toEqual([0, 1, 2]);
  });

  it("accuracy is right of all matches, 0 without matches", () => {
    expect(matchingAccuracy({ matches: 8, correct: [2, 8] })).toEqual([0.25, 1]);
    expect(matchingAccuracy({ matches: 0, correct: [0, 0] })).toEqual([0, 0]);
  });

  it("repeatability is over both images together, 0 without common keypoints", () => {
    expect(repeatability({ covisible: [10, 30], repeated: [5, 5] })).toBe(0.25);
    expect(repeatability({ covisible: [0, 0], repeated: [0, 0] })).toBe(0);
  });

  it("matching score takes the matches right at 3 px, mean of both images, at most 1 each", () => {
    const correct = [1, 2, 10, ...new Array(12).fill(40)];
    expect(matchingScore({ covisible: [20, 40], correct })).toBe((0.5 + 0.25) / 2);
    expect(matchingScore({ covisible: [8, 40], correct })).toBe((1 + 0.25) / 2);
    expect(matchingScore({ covisible: [0, 40], correct })).toBe(0.125);
  });

  it("share of errors: null is never within, none is 0", () => {
    expect(shareWithin([0.5, 1, null, 7], 1)).toBe(0.5);
    expect(shareWithin([null], 1e9)).toBe(0);
    expect(shareWithin([], 1)).toBe(0);
  });

  it("area is that of the staircase, integrated by brute force", () => {
    const random = new Random(2);
    const errors = Array.from({ length: 30 }, () => (random.uniform() < 0.1 ? null : random.uniform(0, 8)));
    for (const threshold of [1, 3, 5]) {
      const steps = 200_000;
      let sum = 0;
      for (let s = 0; s < steps; s++) sum += shareWithin(errors, ((s + 0.5) / steps) * threshold);
      expect(areaUnderShare(errors, threshold)).toBeCloseTo(sum / steps, 4);
    }
    expect(areaUnderShare([0, 0], 3)).toBe(1);
    expect(areaUnderShare([3, null], 3)).toBe(0);
    expect(areaUnderShare([1.5], 3)).toBe(0.5);
    expect(areaUnderShare([], 3)).toBe(0);
  });
});

describe("repeatedKeypoints", () => {
  /** The definition: every keypoint against every other. */
  function bruteForce(a: Features, b: Features, homography: ArrayLike<number>, distance: number) {
    const one = (from: Features, to: Features, h: ArrayLike<number>) => {
      let [seen, repeated] = [0, 0];
      for (let i = 0; i < from.count; i++) {
        const [x, y] = from.keypoints.subarray(2 * i, 2 * i + 2);
        const w = h[6] * x + h[7] * y + h[8];
        const [u, v] = [(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w];
        if (!(u >= -0.5 && v >= -0.5 && u <= to.imageSize[0] - 0.5 && v <= to.imageSize[1] - 0.5)) continue;
        seen++;
        for (let j = 0; j < to.count; j++) {
          if (Math.hypot(to.keypoints[2 * j] - u, to.keypoints[2 * j + 1] - v) <= distance) {
            repeated++;
            break;
          }
        }
      }
      return [seen, repeated];
    };
    const [forth, back] = [one(a, b, homography), one(b, a, inverse3x3(homography)!)];
    return { covisible: [forth[0], back[0]], repeated: [forth[1], back[1]] };
  }

  it("is the definition, by brute force, also for keypoints outside their image and for odd sizes", () => {
    const random = new Random(3);
    for (const [na, nb, size, distance, margin] of [
      [400, 300, [640, 480], 3, 0],
      [400, 900, [200, 150], 3, 30],
      [50, 2000, [64, 48], 1.5, 5],
      [30, 30, [640, 7], 3, 4],
      [5, 1, [640, 480], 60, 0],
      [40, 40, [1, 1], 3, 6],
    ] as [number, number, [number, number], number, number][]) {
      const [a, b] = [randomFeatures(random, na, size, margin), randomFeatures(random, nb, [...size], margin)];
      for (const h of [IDENTITY, VIEW, Float64Array.of(0.5, 0, 3, 0, 0.5, 1, 0, 0, 1)]) {
        const found = repeatedKeypoints(a, b, h, distance);
        expect(found).toEqual(bruteForce(a, b, h, distance));
      }
    }
  });

  it("counts by hand: a shift that leads one keypoint out of the image, another 3 px away", () => {
    const a = featuresAt([
      [10, 10],
      [630, 10],
      [100, 100],
      [200, 200],
    ]);
    const b = featuresAt([
      [30, 10],
      [120, 103],
      [220, 203.1],
      [5, 5],
    ]);
    const shift = Float64Array.of(1, 0, 20, 0, 1, 0, 0, 0, 1);
    // (630, 10) lands at 650, (5, 5) of b at −15; (100, 100) is 3 px off, (200, 200) more.
    expect(repeatedKeypoints(a, b, shift)).toEqual({ covisible: [3, 3], repeated: [2, 2] });
  });

  it("the image's area ends half a pixel beyond the outer pixels' centres", () => {
    const a = featuresAt([
      [-0.5, -0.5],
      [639.5, 479.5],
      [639.6, 100],
      [100, -0.6],
    ]);
    expect(repeatedKeypoints(a, a, IDENTITY)).toEqual({ covisible: [2, 2], repeated: [2, 2] });
  });

  it("is 0 of 0 without keypoints, and a keypoint that is not a number is nowhere", () => {
    const none = featuresAt([]);
    const some = featuresAt([[5, 5]]);
    expect(repeatedKeypoints(none, none, IDENTITY)).toEqual({ covisible: [0, 0], repeated: [0, 0] });
    expect(repeatedKeypoints(some, none, IDENTITY)).toEqual({ covisible: [1, 0], repeated: [0, 0] });
    const bad = featuresAt([[Number.NaN, 0]]);
    expect(repeatedKeypoints(bad, featuresAt([[0, 0]]), IDENTITY)).toEqual({ covisible: [0, 1], repeated: [0, 0] });
  });

  it("a huge image with few keypoints needs no huge grid", () => {
    const size: [number, number] = [1e6, 1e6];
    const a = featuresAt(
      [
        [5, 5],
        [9e5, 9e5],
      ],
      { size },
    );
    const b = featuresAt(
      [
        [7, 5],
        [1, 9e5],
      ],
      { size },
    );
    expect(repeatedKeypoints(a, b, IDENTITY)).toEqual({ covisible: [2, 2], repeated: [1, 1] });
  });

  it("refuses a singular homography", () => {
    const some = featuresAt([[5, 5]]);
    expect(() => repeatedKeypoints(some, some, new Float64Array(9))).toThrow(ShapeError);
  });
});

describe("topFeatures", () => {
  const unsorted = (): Features => {
    const features = featuresAt(
      [
        [0, 0],
        [1, 0],
        [2, 0],
        [3, 0],
        [4, 0],
      ],
      { dim: 8 },
    );
    features.scores.set([0.2, 0.9, 0.5, 0.9, -1]);
    features.levels = Uint8Array.of(0, 1, 2, 1, 0);
    return features;
  };

  it("takes the best with all that belongs to them; equal scores keep their order", () => {
    const top = topFeatures(unsorted(), 3);
    expect(top.count).toBe(3);
    expect([...top.keypoints]).toEqual([1, 0, 3, 0, 2, 0]);
    expect([...top.scores]).toEqual([0.9, 0.9, 0.5].map(Math.fround));
    expect([...top.levels!]).toEqual([1, 1, 2]);
    expect([0, 1, 2].map((i) => top.descriptors.subarray(8 * i, 8 * i + 8).indexOf(1))).toEqual([1, 3, 2]);
    expect(topFeatures(unsorted(), 1).keypoints[0]).toBe(1);
  });

  it("a larger limit gives all, best first; null gives them as they come; 0 none", () => {
    expect([...topFeatures(unsorted(), 99).scores]).toEqual([0.9, 0.9, 0.5, 0.2, -1].map(Math.fround));
    const features = unsorted();
    expect(topFeatures(features, null)).toBe(features);
    expect(topFeatures(features, 0).count).toBe(0);
    expect(features).toEqual(unsorted());
  });

  it("refuses limits and features that it cannot serve", () => {
    for (const limit of [-1, 1.5, Number.NaN]) expect(() => topFeatures(unsorted(), limit)).toThrow(OptionError);
    expect(() => topFeatures({ ...unsorted(), count: 4 }, 2)).toThrow(ShapeError);
    const features = unsorted();
    features.scores[2] = Number.NaN;
    expect(() => topFeatures(features, 2)).toThrow(FormatError);
  });
});
