import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawDemoPair } from "../../../demo/draw.js";
import { type Change, changedCanvas, changeImage, ROTATIONS, SCALES } from "../../../src/bench/change.js";
import { covisibleFeatures, takeFeatures } from "../../../src/bench/covisible.js";
import { type ChangeCurveOptions, changeCurve } from "../../../src/bench/curves.js";
import { scorePair } from "../../../src/bench/score-pair.js";
import type { PairScores, PairTruth } from "../../../src/bench/types.js";
import { OptionError, ShapeError } from "../../../src/errors.js";
import type { Extractor } from "../../../src/extract/extractor.js";
import { emptyFeatures, type Features } from "../../../src/features.js";
import { resizePoints } from "../../../src/geometry/coordinates.js";
import { imageCorners, projectPoints } from "../../../src/geometry/matrix3.js";
import type { Image } from "../../../src/image/image.js";
import { warpMask } from "../../../src/image/warp.js";
import { openExtractor } from "../../../src/node/extractor.js";
import { drawImage, noiseImage } from "../../models.js";

const close = (actual: ArrayLike<number>, expected: number[], digits = 9) => {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, digits);
  });
};

describe("changed canvases of 100×60", () => {
  const corners = imageCorners([100, 60]);
  const r = Math.SQRT1_2;

  it.each<[Change, number, [number, number], number[]]>([
    ["rotation", 0, [100, 60], [0, 0, 99, 0, 99, 59, 0, 59]],
    ["rotation", 90, [60, 100], [59, 0, 59, 99, 0, 99, 0, 0]],
    ["rotation", 180, [100, 60], [99, 59, 0, 59, 0, 0, 99, 0]],
    ["rotation", -90, [60, 100], [0, 99, 0, 0, 59, 0, 59, 99]],
    ["rotation", 360, [100, 60], [0, 0, 99, 0, 99, 59, 0, 59]],
    // 160/√2 = 113.1, so 114 pixels, whose centre is 56.5; the corners are 49.5 and 29.5 from the middle.
    ["rotation", 45, [114, 114], [-20, -79, 79, 20, 20, 79, -79, -20].map((value) => 56.5 + r * value)],
    ["scale", 1, [100, 60], [0, 0, 99, 0, 99, 59, 0, 59]],
    ["scale", 0.5, [50, 30], [-0.25, -0.25, 49.25, -0.25, 49.25, 29.25, -0.25, 29.25]],
    ["scale", 2, [100, 60], [-49.5, -29.5, 148.5, -29.5, 148.5, 88.5, -49.5, 88.5]],
    // 33.3 and 20 pixels: 33 and 20; half of the lost third of a pixel on either side.
    ["scale", 1 / 3, [33, 20], [-0.5, -1 / 3, 32.5, -1 / 3, 32.5, 19 + 1 / 3, -0.5, 19 + 1 / 3]],
  ])("%s %d", (change, value, [width, height], expected) => {
    const canvas = changedCanvas([100, 60], change, value);
    expect([canvas.width, canvas.height]).toEqual([width, height]);
    close(projectPoints(canvas.homography, corners), expected);
  });

  it("follow the convention of resizing where the size divides", () => {
    for (const scale of [0.25, 0.5]) {
      const points = Float64Array.of(3, 7, 50.5, 0, 99, 59);
      const { homography } = changedCanvas([100, 60], "scale", scale);
      close(projectPoints(homography, points), [...resizePoints(points.slice(), scale)]);
    }
  });

  it("of turns hold the whole image, without an empty row", () => {
    for (const degrees of ROTATIONS) {
      const { width, height, homography } = changedCanvas([100, 60], "rotation", degrees);
      const at = projectPoints(homography, [-0.5, -0.5, 99.5, -0.5, 99.5, 59.5, -0.5, 59.5]);
      const xs = [0, 2, 4, 6].map((i) => at[i]);
      const ys = [1, 3, 5, 7].map((i) => at[i]);
      for (const [values, size] of [
        [xs, width],
        [ys, height],
      ] as const) {
        expect(Math.min(...values)).toBeGreaterThanOrEqual(-0.5 - 1e-9);
        expect(Math.min(...values)).toBeLessThanOrEqual(0 + 1e-9);
        expect(Math.max(...values)).toBeLessThanOrEqual(size - 0.5 + 1e-9);
      }
    }
  });

  it("of zooms show nothing but the image, and never more pixels than it has", () => {
    for (const factor of SCALES) {
      const { width, height, homography } = changedCanvas([100, 60], "scale", factor);
      expect(width <= 100 && height <= 60).toBe(true);
      expect(warpMask([100, 60], homography, { width, height }).every((inside) => inside === 1)).toBe(true);
    }
    expect(changedCanvas([10, 3], "scale", 1 / 16)).toMatchObject({ width: 1, height: 1 });
  });

  it("the values: a whole turn by 15°, ¼ to 4 by cube roots of 2", () => {
    expect([ROTATIONS.length, ROTATIONS[1], ROTATIONS[24]]).toEqual([25, 15, 360]);
    const octave = [1, 1.25992105, 1.587401052];
    close(
      SCALES,
      [...octave.map((v) => v / 4), ...octave.map((v) => v / 2), ...octave, ...octave.map((v) => 2 * v), 4],
      8,
    );
  });

  it.each([
    ["rotation", Number.NaN, '"degrees" must be a number'],
    ["rotation", Number.POSITIVE_INFINITY, '"degrees" must be a number'],
    ["scale", 0, '"factor" must be a number ≥ 0.0625 ≤ 16, got 0'],
    ["scale", -1, '"factor"'],
    ["scale", 17, '"factor"'],
    ["shear", 1, '"change" must be one of rotation, scale, got shear'],
  ])("%s by %d is refused", (change, value, message) => {
    expect(() => changedCanvas([100, 60], change as Change, value)).toThrow(OptionError);
    expect(() => changedCanvas([100, 60], change as Change, value)).toThrow(message);
  });
});

describe("changeImage", () => {
  /** A bright blob on black, and the centre of what is bright. */
  const blob = (x: number, y: number) =>
    drawImage(90, 70, (px, py) => Math.round(255 * Math.exp(-((px - x) ** 2 + (py - y) ** 2) / 50)));
  const centre = ({ width, data }: Image) => {
    let [sum, sumX, sumY] = [0, 0, 0];
    for (let i = 0; i < data.length / 3; i++) {
      const value = data[3 * i];
      sum += value;
      sumX += value * (i % width);
      sumY += value * Math.floor(i / width);
    }
    return [sumX / sum, sumY / sum];
  };

  it.each([
    ...[0, 15, 30, 90, 135, 200, 345].map((value): [Change, number] => ["rotation", value]),
    ...[0.25, 2 ** (-2 / 3), 0.5, 1, 2 ** (1 / 3)].map((value): [Change, number] => ["scale", value]),
  ])("%s %d puts a blob where its homography says", (change, value) => {
    const { image, homography } = changeImage(blob(41.3, 27.8), change, value);
    const expected = projectPoints(homography, centre(blob(41.3, 27.8)));
    const [x, y] = centre(image);
    expect(Math.hypot(x - expected[0], y - expected[1])).toBeLessThan(0.05);
  });

  it("is the photograph itself at 0° and at zoom 1, and its pixels in another order after quarter turns", () => {
    const photo = noiseImage(31, 22);
    for (const [change, value] of [
      ["rotation", 0],
      ["rotation", 360],
      ["scale", 1],
    ] as const) {
      const { image, homography } = changeImage(photo, change, value);
      expect(image).toEqual(photo);
      close(homography, [1, 0, 0, 0, 1, 0, 0, 0, 1]);
    }
    let turned = photo;
    for (let k = 0; k < 4; k++) {
      const next = changeImage(turned, "rotation", 90).image;
      expect([...next.data.subarray(0, 3)]).toEqual([
        ...turned.data.subarray(3 * turned.width * (turned.height - 1)).subarray(0, 3),
      ]);
      turned = next;
    }
    expect(turned).toEqual(photo);
    expect(changeImage(changeImage(photo, "rotation", 180).image, "rotation", -180).image).toEqual(photo);
  });
});

/** Features at points; the descriptor and score of each say which it was. */
function featuresAt(imageSize: [number, number], points: number[], levels = false): Features {
  const count = points.length / 2;
  const indices = Array.from({ length: count }, (_, i) => i);
  return {
    count,
    dim: 2,
    imageSize,
    keypoints: Float32Array.from(points),
    scores: Float32Array.from(indices),
    descriptors: Float32Array.from(indices.flatMap((i) => [i, -i])),
    ...(levels && { levels: Uint8Array.from(indices, (i) => i % 3) }),
  };
}

describe("covisibleFeatures", () => {
  it("keeps what lands inside the other image, half a pixel beyond centres included, in order", () => {
    // b shows a, 10 pixels to the left: x ↦ x − 10.
    const a = featuresAt([40, 30], [5, 5, 9.5, 0, 9.25, 1, 20, 29.5, 39, 10, 30, 29.75], true);
    const b = featuresAt([40, 25], [0, 0, 29.5, 3, 29.75, 3, 12, 24, -0.5, 2]);
    const [keptA, keptB] = covisibleFeatures(a, b, [1, 0, -10, 0, 1, 0, 0, 0, 1]);
    expect(keptA).toEqual({
      count: 2,
      dim: 2,
      imageSize: [40, 30],
      keypoints: Float32Array.of(9.5, 0, 39, 10),
      scores: Float32Array.of(1, 4),
      descriptors: Float32Array.of(1, -1, 4, -4),
      levels: Uint8Array.of(1, 1),
    });
    expect(keptB.keypoints).toEqual(Float32Array.of(0, 0, 29.5, 3, 12, 24, -0.5, 2));
    expect(keptB).not.toHaveProperty("levels");
    expect(b.count).toBe(5);
  });

  it("may keep nothing, and takes images without keypoints", () => {
    const far = [1, 0, 1000, 0, 1, 0, 0, 0, 1];
    const [a, b] = covisibleFeatures(featuresAt([40, 30], [5, 5]), emptyFeatures([40, 30], 2), far);
    expect(a).toEqual(emptyFeatures([40, 30], 2));
    expect(b).toEqual(emptyFeatures([40, 30], 2));
  });

  it("takes features by index, and refuses a homography without an inverse", () => {
    const taken = takeFeatures(featuresAt([9, 9], [1, 2, 3, 4, 5, 6], true), Uint32Array.of(2, 0));
    expect([...taken.keypoints, ...taken.scores, ...taken.levels!]).toEqual([5, 6, 1, 2, 2, 0, 2, 0]);
    const none = emptyFeatures([9, 9], 2);
    expect(() => covisibleFeatures(none, none, new Float64Array(9))).toThrow(ShapeError);
  });
});

const scores = (matches: number, correct3: number, magsac: number | null): PairScores => ({
  keypoints: [10, 10],
  matches,
  correct: Array.from({ length: 15 }, (_, i) => (i < 2 ? 0 : i === 2 ? correct3 : matches)),
  refined: { matches: 0, correct: new Array(15).fill(0) },
  covisible: [10, 10],
  repeated: [0, 0],
  cornerError: { magsac, ransac: 0, dlt: 0 },
  seconds: { match: 0, score: 0 },
});

describe("changeCurve", () => {
  /** A method that finds one keypoint in the middle and one in the corner, and writes down what it is asked. */
  function fake(results: PairScores[]) {
    const seen = {
      loads: [] as string[],
      sizes: [] as number[][],
      truths: [] as PairTruth[],
      counts: [] as number[][],
    };
    const options: ChangeCurveOptions = {
      method: "fake",
      protocol: "own",
      photos: [
        ["p", 40, 30],
        ["q", 20, 20],
      ].map(([name, width, height]) => ({
        name: name as string,
        load: () => {
          seen.loads.push(name as string);
          return noiseImage(width as number, height as number);
        },
      })),
      change: "scale",
      extract: async ({ width, height }) => {
        seen.sizes.push([width, height]);
        return featuresAt([width, height], [(width - 1) / 2, (height - 1) / 2, 0, 0]);
      },
      score: async (a, b, truth) => {
        seen.counts.push([a.count, b.count]);
        seen.truths.push(truth);
        return { scores: results[seen.truths.length - 1] };
      },
    };
    return { seen, options };
  }

  it("is the means over photographs of what the pairs score", async () => {
    const { seen, options } = fake([
      scores(10, 5, 2),
      scores(8, 8, 3),
      scores(0, 0, null),
      scores(20, 5, 3.01),
      scores(6, 3, null),
      scores(4, 1, 0.5),
    ]);
    const steps: number[][] = [];
    const curve = await changeCurve({
      ...options,
      values: [1, 0.5, 2],
      onProgress: (done, total) => steps.push([done, total]),
    });
    expect(curve).toEqual({
      method: "fake",
      protocol: "own",
      change: "scale",
      values: [1, 0.5, 2],
      mma3: [(0.5 + 0.25) / 2, (1 + 0.5) / 2, (0 + 0.25) / 2],
      homography3: [0.5, 0.5, 0.5],
      matches: [15, 7, 2],
    });
    expect(steps).toEqual([1, 2, 3, 4, 5, 6].map((done) => [done, 6]));
    expect(seen.loads).toEqual(["p", "q"]);
    expect(seen.sizes.slice(0, 4)).toEqual([
      [40, 30],
      [40, 30],
      [20, 15],
      [40, 30],
    ]);
    expect(seen.truths.map(({ sequence }) => sequence).join("")).toBe("pppqqq");
    expect(seen.truths[0]).toMatchObject({ kind: "other", images: [1, 2] });
    close(seen.truths[2].homography, [2, 0, -19.5, 0, 2, -14.5, 0, 0, 1]);
    // Enlarged, the photograph's corner is out of sight; the enlarged image's own is not.
    expect(seen.counts.slice(0, 3)).toEqual([
      [2, 2],
      [2, 2],
      [1, 2],
    ]);
  });

  it("drops the keypoints in the corners of a turned canvas, and counts a whole turn as none", async () => {
    const { seen, options } = fake([scores(1, 1, 0), scores(2, 0, 9), scores(4, 4, 1), scores(2, 2, 8)]);
    const curve = await changeCurve({ ...options, change: "rotation", values: [0, 45, 360, -315] });
    expect(curve.mma3).toEqual([1, 0.5, 1, 0.5]);
    expect(curve.homography3).toEqual([1, 0, 1, 0]);
    expect(curve.matches).toEqual([2.5, 2, 2.5, 2]);
    expect(seen.counts).toEqual([
      [2, 2],
      [2, 1],
      [2, 2],
      [2, 1],
    ]);
    expect(seen.sizes.length).toBe(2 * 3);
  });

  it("goes over all values of a change unless some are given", async () => {
    const { options } = fake(Array.from({ length: 80 }, () => scores(1, 1, 1)));
    expect((await changeCurve(options)).values).toEqual(SCALES);
    expect((await changeCurve({ ...options, change: "rotation" })).values).toEqual(ROTATIONS);
  });

  it("refuses wrong values before it loads anything; errors of a photograph come through", async () => {
    const { seen, options } = fake([]);
    await expect(changeCurve({ ...options, values: [1, 0] })).rejects.toThrow('"factor"');
    await expect(changeCurve({ ...options, change: "shear" as Change })).rejects.toThrow('"change"');
    await expect(changeCurve({ ...options, photos: [] })).rejects.toThrow("at least one photograph");
    expect(seen.loads).toEqual([]);
    const load = () => Promise.reject(new Error("no such photo"));
    await expect(changeCurve({ ...options, photos: [{ name: "x", load }] })).rejects.toThrow("no such photo");
  });
});

describe("curves of the default model on a drawn photograph", () => {
  let extractor: Extractor;
  let photo: Image;
  beforeAll(async () => {
    extractor = await openExtractor({ maxFeatures: 500 });
    photo = drawDemoPair(1).a;
  });
  afterAll(() => extractor?.dispose());

  const curve = (change: Change, values: number[]) =>
    changeCurve({
      method: "strata",
      protocol: "top-500",
      photos: [{ name: "wall", load: () => photo }],
      extract: (image) => extractor.extract(image),
      change,
      values,
      score: scorePair,
    });

  it("are 1 where nothing changes, and above .9 where the model is at home", async () => {
    const rotation = await curve("rotation", [0, 30, 90]);
    const scale = await curve("scale", [1, 2 ** (1 / 3), 4]);
    for (const { mma3, homography3, matches } of [rotation, scale]) {
      expect(mma3[0]).toBeGreaterThan(0.999);
      expect(homography3.slice(0, 2)).toEqual([1, 1]);
      expect(matches[0]).toBeGreaterThan(490);
      expect(mma3[1]).toBeGreaterThan(0.9);
    }
    expect(rotation.mma3[2]).toBeGreaterThan(0.95);
    // Four times larger is beyond what one network scale bears.
    expect(scale.mma3[2]).toBeLessThan(0.5);
    expect(scale.matches[2]).toBeLessThan(250);
  });
});
