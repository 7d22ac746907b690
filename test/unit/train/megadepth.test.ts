import { describe, expect, it } from "vitest";
import { FormatError, OptionError, ShapeError, UnsupportedError } from "../../../src/errors.js";
import { readColmapModel } from "../../../src/formats/colmap-model.js";
import type { SceneInfo } from "../../../src/formats/scene-info.js";
import { Random } from "../../../src/random.js";
import { cropBox, cropDepth, cropImage } from "../../../src/train/data/megadepth-crop.js";
import { checkCriteria, drawPair, PAIR_CRITERIA, usablePairs } from "../../../src/train/data/megadepth-pairs.js";
import { randomFor, shuffled, splitScenes } from "../../../src/train/data/megadepth-plan.js";
import { buildSceneInfo, depthName } from "../../../src/train/data/megadepth-scene.js";
import { type RawModel, textModel } from "./models.js";

/** Three cameras: at the origin; 1 nearer to the points; turned by 90° about y. */
const raw: RawModel = {
  cameras: [
    { id: 1, model: 1, width: 100, height: 80, params: [90, 110, 50, 40] },
    { id: 2, model: 0, width: 100, height: 80, params: [200, 50, 40] },
  ],
  images: [
    {
      id: 1,
      rotation: [1, 0, 0, 0],
      translation: [0, 0, 0],
      cameraId: 1,
      name: "in/a.b.jpg",
      points: [
        [1, 2, 1],
        [3, 4, 2],
        [5, 6, -1],
        [7, 8, 3],
        [9, 10, 4],
      ],
    },
    {
      id: 2,
      rotation: [3, 0, 0, 0],
      translation: [0, 0, -1],
      cameraId: 2,
      name: "b.jpg",
      points: [
        [11, 12, 4],
        [13, 14, 1],
        [15, 16, 1],
      ],
    },
    {
      id: 3,
      rotation: [Math.SQRT1_2, 0, Math.SQRT1_2, 0],
      translation: [0, 0, 8],
      cameraId: 1,
      name: "c.jpg",
      points: [[17, 18, 3]],
    },
    { id: 4, rotation: [1, 0, 0, 0], translation: [0, 0, 0], cameraId: 1, name: "d.jpg", points: [[19, 20, 1]] },
  ],
  points: [
    { id: 1, position: [0, 0, 2], track: [] },
    { id: 2, position: [0, 0, 3], track: [] },
    { id: 3, position: [4, 0, 4], track: [] },
    { id: 4, position: [0, 1, 5], track: [] },
  ],
};
const files = {
  imageFolder: "I",
  depthFolder: "D",
  depthBytes: new Map([
    ["in/a.b.jpg", 102400],
    ["b.jpg", 1e6],
    ["c.jpg", 1e6],
    ["d.jpg", 102399],
  ]),
};
const build = (change: (model: RawModel) => void = () => {}, options = {}) => {
  const model = structuredClone(raw);
  change(model);
  return buildSceneInfo(readColmapModel(textModel(model), "text"), files, options);
};

describe("buildSceneInfo", () => {
  const { views, overlap, scaleRatio, angles } = build();

  it("gives each image with depth its paths, camera, pose and points", () => {
    expect(views.map(({ imagePath, depthPath }) => [imagePath, depthPath])).toEqual([
      ["I/in/a.b.jpg", "D/in/a.b.h5"],
      ["I/b.jpg", "D/b.h5"],
      ["I/c.jpg", "D/c.h5"],
      [null, null], // A byte below 100 kB.
      [null, null], // The entry that stands for no image.
    ]);
    expect([...(views[0].intrinsics ?? [])]).toEqual([90, 0, 50, 0, 110, 40, 0, 0, 1]);
    expect([...(views[1].intrinsics ?? [])]).toEqual([200, 0, 50, 0, 200, 40, 0, 0, 1]);
    expect([...(views[1].pose ?? [])]).toEqual([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, -1, 0, 0, 0, 1]);
    // A turn about y by 90°: x goes to −z, z to x.
    const turned = [0, 0, 1, 0, 0, 1, 0, 0, -1, 0, 0, 8, 0, 0, 0, 1];
    expect([...(views[2].pose ?? [])]).toEqual(turned.map((value) => expect.closeTo(value, 12)));
    expect([...views[0].pointIds]).toEqual([1, 2, 3, 4]);
    expect([...views[0].points]).toEqual([1, 2, 3, 4, 7, 8, 9, 10]);
    // Point 1 is seen twice: its first turn, its last place.
    expect([...views[1].pointIds]).toEqual([4, 1]);
    expect([...views[1].points]).toEqual([11, 12, 15, 16]);
    expect(views[3]).toMatchObject({ intrinsics: null, pose: null, points: Float64Array.of(19, 20) });
    expect(views[4].pointIds.length).toBe(0);
  });

  it("divides depths by the mean focal length", () => {
    expect([...views[0].ndepths]).toEqual([2 / 100, 3 / 100, 4 / 100, 5 / 100]);
    expect([...views[1].ndepths]).toEqual([4 / 200, 1 / 200]);
    expect([...views[2].ndepths]).toEqual([expect.closeTo((8 - 4) / 100, 12)]);
    expect(views[3].ndepths.length).toBe(0);
  });

  it("compares images by the points that they share", () => {
    const row = (i: number, matrix: Float64Array) => [...matrix.slice(5 * i, 5 * i + 5)];
    expect(row(0, overlap)).toEqual([-1, 2 / 4, 1 / 4, -1, -1]);
    expect(row(1, overlap)).toEqual([1, -1, 0, -1, -1]);
    expect(row(2, overlap)).toEqual([1, 0, -1, -1, -1]);
    expect(row(3, overlap)).toEqual([-1, -1, -1, -1, -1]);
    // Point 4: .05 / .02, point 1: .02 / .005.
    expect(row(0, scaleRatio)).toEqual([-1, expect.closeTo(2.5, 12), expect.closeTo(1, 12), -1, -1]);
    expect(row(1, scaleRatio)).toEqual([expect.closeTo(2.5, 12), -1, -1, -1, -1]);
    expect(row(0, angles)).toEqual([0, 0, 90, 90, 90].map((value) => expect.closeTo(value, 5)));
    expect(row(4, angles)).toEqual([90, 90, 90, 90, 90]);
  });

  it("takes masks for depth when asked", () => {
    expect(build(() => {}, { minDepthBytes: 0 }).views.map(({ depthPath }) => depthPath)).toEqual([
      "D/in/a.b.h5",
      "D/b.h5",
      "D/c.h5",
      "D/d.h5",
      null,
    ]);
  });

  it("does not count a point behind a camera as a scale", () => {
    const behind = build(({ points }) => (points[3].position = [0, 1, 0.5]));
    expect(behind.views[1].ndepths[0]).toBeLessThan(0);
    expect(behind.scaleRatio[1]).toBeCloseTo(4, 12);
    expect(behind.overlap[1]).toBe(0.5);
  });

  it("refuses models that cannot be trained on", () => {
    expect(() => build(({ images }) => images[1].points.push([0, 0, 77]))).toThrow(/"b.jpg" observes point 77/);
    expect(() => build(({ points }) => (points[1].id = 1))).toThrow(/two points have the id 1/);
    const distorted = () =>
      build(({ cameras }) => (cameras[1] = { ...cameras[1], model: 2, params: [200, 50, 40, 0.1] }));
    expect(distorted).toThrow(UnsupportedError);
    expect(distorted).toThrow(/camera 2 is of model SIMPLE_RADIAL.*undistort/);
    expect(() => build(({ cameras }) => (cameras[1].params[0] = 0))).toThrow(FormatError);
    expect(() => build(() => {}, { minDepthBytes: -1 })).toThrow(OptionError);
    expect(() => build(() => {}, { min: 1 })).toThrow(OptionError);
  });

  it("finds depth maps by names with dots and folders", () => {
    expect(["a.jpg", "a.b/c", "a.b/c.d.png", "a"].map(depthName)).toEqual(["a.h5", "a.b/c.h5", "a.b/c.d.h5", "a.h5"]);
  });
});

describe("crops", () => {
  it("lie around the point's whole place, moved inside the image", () => {
    const box = (row: number, column: number, size = 10) => cropBox([row, column], [30, 40], size);
    expect(box(15, 20)).toEqual([10, 15]);
    expect(box(15.9, 20.9)).toEqual([10, 15]);
    expect(box(2, 3)).toEqual([0, 0]);
    expect(box(29, 39)).toEqual([20, 30]);
    expect(box(25.5, 34.9)).toEqual([20, 29]);
    expect(box(15, 20, 30)).toEqual([0, 5]);
    expect(box(15, 20, 9)).toEqual([11, 16]);
    expect(() => box(15, 20, 31)).toThrow(ShapeError);
  });

  it("copy the pixels and depths of their box", () => {
    const image = { width: 5, height: 4, data: Uint8Array.from({ length: 60 }, (_, i) => i) };
    expect(cropImage(image, [1, 2], 2)).toEqual({
      width: 2,
      height: 2,
      data: Uint8Array.of(21, 22, 23, 24, 25, 26, 36, 37, 38, 39, 40, 41),
    });
    const depth = { width: 3, height: 2, data: Float32Array.of(1, -2, 3, NaN, 5, Infinity) };
    expect([...cropDepth(depth, [0, 1], 2)]).toEqual([0, 3, 5, 0]);
    expect([...cropDepth(depth, [0, 0], 2)]).toEqual([1, 0, 0, 5]);
    expect(() => cropDepth(depth, [0, 2], 2)).toThrow(OptionError);
    expect(() => cropImage(image, [3, 0], 2)).toThrow(OptionError);
    expect(() => cropImage(image, [-1, 0], 2)).toThrow(OptionError);
  });
});

describe("pairs", () => {
  const info = build();

  it("are those whose overlap and scale meet the criteria, in both orders by themselves", () => {
    const pairs = (criteria = {}) => [...usablePairs(info, { ...PAIR_CRITERIA, ...criteria })];
    expect(pairs()).toEqual([1, 5, 10]); // 0→1, 1→0, 2→0; a quarter of image 0 is too little for 0→2.
    expect(pairs({ minOverlap: 0.2 })).toEqual([1, 2, 5, 10]);
    expect(pairs({ maxOverlap: 0.9 })).toEqual([1]);
    expect(pairs({ maxScaleRatio: 2.4 })).toEqual([10]);
    expect(pairs({ maxScaleRatio: 2.6 })).toEqual([1, 5, 10]);
    // Images 1 and 2 share nothing; no criterion makes them a pair.
    expect(pairs({ minOverlap: 0 })).toEqual([1, 2, 5, 10]);
  });

  it("are drawn with one of their points, evenly, the same for the same seed", () => {
    const draw = (seed: number, pairs: number[], maxScaleRatio = Infinity) =>
      drawPair(info, Uint32Array.from(pairs), maxScaleRatio, new Random(seed));
    expect(draw(3, [1, 5, 10])).toEqual(draw(3, [1, 5, 10]));
    const seen = new Map<string, number>();
    const random = new Random(1);
    const pairs = Uint32Array.of(1, 5, 10);
    for (let n = 0; n < 6000; n++) {
      const drawn = drawPair(info, pairs, Infinity, random);
      const key = `${drawn?.views.map(({ imagePath }) => imagePath)} ${drawn?.centers.join(" ")}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect([...seen.keys()].sort()).toEqual([
      "I/b.jpg,I/in/a.b.jpg 12,11 10,9",
      "I/b.jpg,I/in/a.b.jpg 16,15 2,1",
      "I/c.jpg,I/in/a.b.jpg 18,17 8,7",
      "I/in/a.b.jpg,I/b.jpg 10,9 12,11",
      "I/in/a.b.jpg,I/b.jpg 2,1 16,15",
    ]);
    // A third each, halved where there are two points; 5 standard deviations.
    for (const [key, count] of seen) expect(Math.abs(count - (key.includes("c.jpg") ? 2000 : 1000))).toBeLessThan(185);
    // Of point 1, with scale ratio 4, and point 4, with 2.5, only the latter is left.
    for (let seed = 0; seed < 20; seed++) {
      const drawn = draw(seed, [1], 3);
      expect(drawn?.centers[0]).toEqual([10, 9]);
      expect(drawn?.scaleRatio).toBeCloseTo(2.5, 12);
    }
    expect(draw(1, [1], 2)).toBeNull();
  });

  it("need images with depth whatever the matrices say", () => {
    const views = info.views.slice(2, 4).map((view) => ({ ...view }));
    const matrix = Float64Array.of(1, 1, 1, 1);
    const lying: SceneInfo = { views, overlap: matrix, scaleRatio: matrix, angles: matrix };
    expect([...usablePairs(lying, PAIR_CRITERIA)]).toEqual([]);
  });

  it("are asked for with criteria that make sense", () => {
    const check = (change: object) => () => checkCriteria("t", { ...PAIR_CRITERIA, ...change });
    expect(check({})).not.toThrow();
    for (const wrong of [{ minOverlap: -1 }, { maxOverlap: 1.1 }, { minOverlap: NaN }, { maxScaleRatio: 0.5 }]) {
      expect(check(wrong)).toThrow(OptionError);
    }
    expect(check({ minOverlap: 0.8, maxOverlap: 0.7 })).toThrow(/"minOverlap" 0.8 is larger than "maxOverlap" 0.7/);
  });
});

describe("the plan", () => {
  it("splits scenes 80 / 20, in the list's order, by the seed", () => {
    const scenes = Array.from({ length: 10 }, (_, i) => `s${i}`);
    const [train, validation] = [splitScenes(scenes, "train", 42), splitScenes(scenes, "validation", 42)];
    expect([train.length, validation.length]).toEqual([8, 2]);
    expect([...train, ...validation].sort()).toEqual(scenes);
    expect(train).toEqual([...train].sort());
    expect(splitScenes(scenes, "train", 42)).toEqual(train);
    const others = Array.from({ length: 20 }, (_, seed) => splitScenes(scenes, "validation", seed).join());
    expect(new Set(others).size).toBeGreaterThan(10);
    expect(splitScenes(scenes, "all", 1)).toEqual(scenes);
    for (const count of [2, 3]) {
      const few = scenes.slice(0, count);
      expect(splitScenes(few, "train", 1).length).toBe(count - 1);
      expect(splitScenes(few, "validation", 1).length).toBe(1);
    }
  });

  it("has generators that differ in every number", () => {
    const first = (...numbers: number[]) => randomFor(...numbers).uint32();
    const values = [
      first(1, 2, 3),
      first(1, 2, 4),
      first(1, 3, 3),
      first(2, 2, 3),
      first(2, 1, 3),
      first(1, 2, 2 ** 31),
    ];
    expect(new Set(values).size).toBe(values.length);
    expect(first(1, 2, 3)).toBe(values[0]);
  });

  it("shuffles without loss", () => {
    const values = Array.from({ length: 100 }, (_, i) => i);
    const mixed = shuffled(values, new Random(5));
    expect(mixed).not.toEqual(values);
    expect([...mixed].sort((a, b) => a - b)).toEqual(values);
    expect(values[0]).toBe(0);
    const firsts = Array.from({ length: 300 }, (_, seed) => shuffled([0, 1, 2], new Random(seed)).join(""));
    expect(new Set(firsts).size).toBe(6);
  });
});
