import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawDemoPair } from "../../../demo/draw.js";
import { changedCanvas, changeImage, ROTATIONS, SCALES } from "../../../src/bench/change.js";
import { covisibleFeatures } from "../../../src/bench/covisible.js";
import {
  type ChangeOptions,
  changeCurve,
  changeScoringOf,
  curvePhoto,
  plainValues,
  scoreChange,
} from "../../../src/bench/curves.js";
import type { Change, ChangeScores } from "../../../src/bench/types.js";
import { OptionError, ShapeError } from "../../../src/errors.js";
import type { Extractor } from "../../../src/extract/extractor.js";
import { emptyFeatures, type FloatFeatures, takeFeatures } from "../../../src/features.js";
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
    ["scale", 0, '"factor" must be a number ≥ 0.0625 and ≤ 16, got 0'],
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
function featuresAt(imageSize: [number, number], points: number[], levels = false): FloatFeatures {
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

describe("scoreChange", () => {
  const photo = noiseImage(40, 30);
  /** A method that finds nine keypoints on a grid, wherever it looks, and writes down the sizes of what it is shown. */
  function fake() {
    const sizes: number[][] = [];
    const extract = async ({ width, height }: Image): Promise<FloatFeatures> => {
      sizes.push([width, height]);
      const at = (edge: number, k: number) => ((edge - 1) * k) / 2;
      const points = Array.from({ length: 18 }, (_, i) =>
        i % 2 === 0 ? at(width, (i >> 1) % 3) : at(height, Math.floor((i >> 1) / 3)),
      );
      const descriptors = Float32Array.from({ length: 81 }, (_, i) => (i % 10 === 0 ? 1 : 0));
      return { ...featuresAt([width, height], points), dim: 9, descriptors };
    };
    const options = async (change: Change, value: number): Promise<ChangeOptions> => {
      const features = await extract(photo);
      return { name: "p", photo, features, extract, change, value, runtime: null };
    };
    return { sizes, options };
  }

  it("is what the photograph and its changed self have in common, by MAGSAC alone", async () => {
    const { sizes, options } = fake();
    const same = await scoreChange(await options("scale", 1));
    expect(same).toMatchObject({ matches: 9, correct: Array(15).fill(9) });
    expect(same.cornerError.magsac).toBeLessThan(1e-3);
    expect(Object.keys(same.cornerError)).toEqual(["magsac"]);
    // Shrunk to 20×15 the grid spans 0…19 where the photograph's lands at −0.25…19.25, 0…14 and −0.25…14.25: right.
    expect(await scoreChange(await options("scale", 0.5))).toMatchObject({ matches: 9, correct: Array(15).fill(9) });
    expect(sizes).toEqual([
      [40, 30],
      [40, 30],
      [40, 30],
      [20, 15],
    ]);
  });

  it("leaves out what the other image does not see", async () => {
    const { options } = fake();
    // Twice as large only the middle is in sight; what was found there is in the middle too.
    const { matches, correct, cornerError } = await scoreChange(await options("scale", 2));
    expect([matches, correct[0], cornerError.magsac]).toEqual([1, 1, null]);
    // Turned by 180° keypoint k lands on keypoint 8 − k: all in sight, all matched, only the middle one right.
    const turned = await scoreChange(await options("rotation", 180));
    expect([turned.matches, turned.correct[2]]).toEqual([9, 1]);
    // The corners of a canvas turned by 45° show nothing of the photograph.
    expect((await scoreChange(await options("rotation", 45))).matches).toBeLessThan(9);
  });

  it("refuses values and options that are not offered", async () => {
    const { options } = fake();
    await expect(scoreChange(await options("scale", 0))).rejects.toThrow('"factor"');
    await expect(scoreChange(await options("shear" as Change, 1))).rejects.toThrow('"change"');
    await expect(scoreChange({ ...(await options("scale", 1)), seed: -1 })).rejects.toThrow('"seed"');
    await expect(scoreChange({ ...(await options("scale", 1)), trials: 1 } as never)).rejects.toThrow(/"trials"/);
  });

  it("is said whole in a run's record, with the size of photographs", () => {
    expect(changeScoringOf({ seed: 4 })).toEqual({
      matching: "mutual nearest neighbours",
      estimators: { magsac: { method: "magsac", threshold: 3, maxIterations: 10_000 } },
      seed: 4,
      photoEdge: 640,
    });
  });

  it("photographs are shrunk to 640 px, never enlarged", () => {
    const sizeOf = ({ width, height }: Image) => [width, height];
    expect(sizeOf(curvePhoto(drawImage(1000, 700, () => 9)))).toEqual([640, 448]);
    expect(sizeOf(curvePhoto(drawImage(300, 1280, () => 9)))).toEqual([150, 640]);
    expect(curvePhoto(photo)).toEqual(photo);
  });
});

describe("changeCurve", () => {
  const scores = (matches: number, correct3: number, magsac: number | null): ChangeScores => ({
    matches,
    correct: Array.from({ length: 15 }, (_, i) => (i < 2 ? 0 : i === 2 ? correct3 : matches)),
    cornerError: { magsac },
  });
  const base = { method: "fake", protocol: "own", photos: ["p", "q"] };

  it("is the means over photographs of what the pairs score", () => {
    const made = new Map([
      ["p 1", scores(10, 5, 2)],
      ["p 0.5", scores(8, 8, 3)],
      ["p 2", scores(0, 0, null)],
      ["q 1", scores(20, 5, 3.01)],
      ["q 0.5", scores(6, 3, null)],
      ["q 2", scores(4, 1, 0.5)],
    ]);
    const values = [1, 0.5, 2];
    const curve = changeCurve({ ...base, change: "scale", values, scores: (p, v) => made.get(`${p} ${v}`)! });
    expect(curve).toEqual({
      ...base,
      change: "scale",
      values,
      mma3: [(0.5 + 0.25) / 2, (1 + 0.5) / 2, (0 + 0.25) / 2],
      homography3: [0.5, 0.5, 0.5],
      matches: [15, 7, 2],
    });
  });

  it("counts a whole turn as none, and goes over all values of a change unless some are given", () => {
    const asked = new Set<number>();
    const of = (change: Change, values?: number[]) =>
      changeCurve({
        ...base,
        change,
        values,
        scores(_, value) {
          asked.add(value);
          return scores(value, value, value);
        },
      });
    expect(of("rotation", [0, 45, 360, -315]).matches).toEqual([0, 45, 0, 45]);
    expect([...asked]).toEqual([0, 45]);
    expect([of("rotation").values, of("scale").values]).toEqual([ROTATIONS, SCALES]);
    expect(plainValues("rotation")).toEqual(ROTATIONS.slice(0, 24));
    expect(plainValues("scale")).toEqual(SCALES);
    expect(plainValues("scale", [2, 0.5, 2])).toEqual([2, 0.5]);
  });

  it("refuses wrong values and no photographs", () => {
    expect(() => plainValues("scale", [1, 0])).toThrow('"factor"');
    expect(() => plainValues("shear" as Change, [1])).toThrow('"change"');
    const none = { ...base, photos: [], change: "scale" as const, scores: () => scores(1, 1, 1) };
    expect(() => changeCurve(none)).toThrow("at least one photograph");
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

  async function curve(change: Change, values: number[]) {
    const extract = (image: Image) => extractor.extract(image);
    const features = await extract(photo);
    const made = new Map<number, ChangeScores>();
    for (const value of values) {
      made.set(value, await scoreChange({ name: "wall", photo, features, extract, change, value }));
    }
    const scores = (_: string, value: number) => made.get(value)!;
    return changeCurve({ method: "strata", protocol: "top-500", photos: ["wall"], change, values, scores });
  }

  it("are 1 where nothing changes, and above .9 where the model is at home", async () => {
    const rotation = await curve("rotation", [0, 30, 90]);
    const scale = await curve("scale", [1, 2 ** (1 / 3), 8]);
    for (const { mma3, homography3, matches } of [rotation, scale]) {
      expect(mma3[0]).toBeGreaterThan(0.999);
      expect(homography3.slice(0, 2)).toEqual([1, 1]);
      expect(matches[0]).toBeGreaterThan(490);
      expect(mma3[1]).toBeGreaterThan(0.9);
    }
    expect(rotation.mma3[2]).toBeGreaterThan(0.95);
    // Eight times larger is beyond what its scales bear; four times is not any more.
    expect(scale.mma3[2]).toBeLessThan(0.5);
    expect(scale.matches[2]).toBeLessThan(250);
  });
});
