/** What every extractor does around its network, with a tiny network of the default family. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ShapeError, StateError } from "../../../src/errors.js";
import { DenseExtractor } from "../../../src/extract/dense.js";
import { openReference, type ReferenceChoices } from "../../../src/extract/models.js";
import { type ExtractOptions, extractOptions } from "../../../src/extract/options.js";
import { openStrata } from "../../../src/families.js";
import { checkFeatures, type FloatFeatures } from "../../../src/features.js";
import { resizePoints } from "../../../src/geometry/coordinates.js";
import type { Image } from "../../../src/image/image.js";
import { fitSize, resizeImage } from "../../../src/image/resize.js";
import { agreement } from "../../agreement.js";
import { drawImage, noiseImage, referenceTensors, SLIM, strataTensors, TINY } from "../../models.js";
import { type CountingRuntime, countingRuntime } from "../match/adapter.js";

const tiny = openStrata("tiny", strataTensors(), TINY, "5a");
const runtime: CountingRuntime = countingRuntime();
const open = (options: Partial<ExtractOptions> = {}) =>
  new DenseExtractor(tiny.model, extractOptions(options, tiny.defaults), { runtime, threads: 1 });

/** The same features but for the last digits of sums taken in another order. */
function expectSame(actual: FloatFeatures, expected: FloatFeatures): void {
  expect(actual.count).toBe(expected.count);
  expect(actual.imageSize).toEqual(expected.imageSize);
  expect(agreement(actual, expected, { position: 1e-3, score: 1e-5, descriptor: 1e-4 }).share).toBe(1);
}

let extractor: DenseExtractor;
beforeAll(() => {
  extractor = open();
});
afterAll(() => extractor.dispose());

describe("DenseExtractor", () => {
  it("says what it is, and once it has run, where", async () => {
    const own = open({ maxFeatures: 7 });
    expect(own.info).toEqual({ model: "tiny", sha256: "5a", dim: 8 });
    expect(own.options).toEqual(extractOptions({ threshold: 0, nms: true, maxFeatures: 7 }));
    await own.extract(noiseImage(16, 16));
    expect(own.info.session).toMatchObject({ backend: "cpu", threads: 1 });
    await own.dispose();
  });

  it("finds the same twice, to the last bit", async () => {
    const image = noiseImage(50, 40);
    const [first, second] = [await extractor.extract(image), await extractor.extract(image)];
    expect(first.count).toBeGreaterThan(10);
    expect(second).toEqual(first);
    const other = open();
    expect(await other.extract(image)).toEqual(first);
    await other.dispose();
  });

  it("takes images of any size, with one session", async () => {
    const before = runtime.opened;
    const own = open();
    for (const [width, height] of [
      [1, 1],
      [5, 3],
      [17, 1],
      [1, 40],
      [33, 31],
      [16, 48],
      [101, 67],
    ]) {
      const features = await own.extract(noiseImage(width, height));
      expect(features.imageSize).toEqual([width, height]);
      for (let k = 0; k < features.count; k++) {
        const [x, y] = features.keypoints.subarray(2 * k, 2 * k + 2);
        expect(x >= 3 && y >= 3 && x <= width - 4 && y <= height - 4).toBe(true);
      }
    }
    expect(runtime.opened - before).toBe(1);
    await own.dispose();
  });

  it("a batch gives what single images give, in order, and sizes may be mixed", async () => {
    const sizes = [[40, 32], [40, 32], [37, 30], [48, 48], [40, 32], ...Array.from({ length: 6 }, () => [32, 32])];
    const images = sizes.map(([width, height], i) => noiseImage(width, height, i));
    const batch = await extractor.extractBatch(images);
    expect(batch).toHaveLength(images.length);
    for (const [i, image] of images.entries()) expectSame(batch[i], await extractor.extract(image));
    expect(await extractor.extractBatch([])).toEqual([]);
  });

  it("calls may overlap", async () => {
    const images = [1, 2, 3, 4].map((seed) => noiseImage(40, 32 + (seed & 1), seed));
    const own = open();
    const together = await Promise.all(images.map((image) => own.extract(image)));
    for (const [i, image] of images.entries()) expect(together[i]).toEqual(await own.extract(image));
    await own.dispose();
  });

  it("an image that is refused does not stop those after it", async () => {
    const wrong: Image = { width: 4, height: 4, data: new Uint8Array(5) };
    await expect(extractor.extract(wrong)).rejects.toThrow(ShapeError);
    await expect(extractor.extractBatch([noiseImage(8, 8), wrong])).rejects.toThrow(/4×4 RGB needs 48 bytes/);
    await expect(extractor.extract({ ...wrong, width: 0 })).rejects.toThrow(ShapeError);
    expect((await extractor.extract(noiseImage(16, 16))).imageSize).toEqual([16, 16]);
  });

  it.each<[Partial<ExtractOptions>, number, number]>([
    [{ maxEdge: 48 }, 96, 71],
    [{ maxSumEdges: 90 }, 96, 71],
    [{ maxEdge: 60, maxSumEdges: 80 }, 51, 96],
  ])("scales images down to %j and keypoints back: (p + 0.5)·s − 0.5", async (limits, width, height) => {
    const image = noiseImage(width, height, 3);
    const [w, h] = fitSize(width, height, limits as { maxEdge?: number });
    expect(w).toBeLessThan(width);
    const own = open(limits);
    const scaled = await own.extract(image);
    await own.dispose();
    const small = await extractor.extract(resizeImage(image, w, h));
    expect(scaled.count).toBeGreaterThan(5);
    expect(scaled.imageSize).toEqual([width, height]);
    expect(scaled.descriptors).toEqual(small.descriptors);
    expect(scaled.keypoints).toEqual(resizePoints(small.keypoints, width / w, height / h));
  });

  it("leaves images alone that fit already", async () => {
    const image = noiseImage(40, 30);
    const own = open({ maxEdge: 40, maxSumEdges: 70 });
    expect(await own.extract(image)).toEqual(await extractor.extract(image));
    await own.dispose();
  });

  it("frees its session once, after the work under way, and takes no more", async () => {
    const own = open();
    const before = runtime.disposed;
    const image = noiseImage(40, 32);
    const running = own.extract(image);
    await Promise.all([own.dispose(), own.dispose()]);
    await own.dispose();
    expect(runtime.disposed - before).toBe(1);
    await expect(own.extract(image)).rejects.toThrow(StateError);
    await expect(own.extract(image)).rejects.toThrow(/disposed/);
    expect(await running).toEqual(await extractor.extract(image));
    // One that never ran has nothing to free.
    await open().dispose();
    expect(runtime.disposed - before).toBe(1);
  });

  it("passes on a runtime's failure, call after call, and can be disposed then", async () => {
    const broken = { name: "broken", open: () => Promise.reject(new Error("no memory")) };
    const own = new DenseExtractor(tiny.model, extractOptions({}, tiny.defaults), { runtime: broken });
    for (let i = 0; i < 2; i++) await expect(own.extract(noiseImage(8, 8))).rejects.toThrow("no memory");
    await own.dispose();
  });
});

describe("features read inside the graph", () => {
  // The same model without its reading: features come from the maps.
  const onMaps = (options: Partial<ExtractOptions>) =>
    new DenseExtractor({ ...tiny.model, reading: undefined }, extractOptions(options, tiny.defaults), { runtime });

  it.each<[Partial<ExtractOptions>, [number, number][]]>([
    [
      {},
      [
        [64, 48],
        [61, 37],
        [33, 80],
        [8, 8],
        [9, 9],
        [3, 2],
      ],
    ],
    [
      { maxFeatures: 5 },
      [
        [64, 48],
        [50, 50],
        [50, 50],
        [50, 50],
      ],
    ],
    [{ maxFeatures: 1 }, [[40, 40]]],
    [
      { maxFeatures: 100_000 },
      [
        [40, 40],
        [17, 90],
      ],
    ],
    [
      { threshold: 0.28 },
      [
        [64, 48],
        [64, 48],
      ],
    ],
    [{ threshold: 0.9 }, [[64, 48]]],
    [
      { maxEdge: 50 },
      [
        [64, 48],
        [49, 30],
      ],
    ],
  ])("are those that the maps give with %j", async (options, sizes) => {
    const [inside, outside] = [open(options), onMaps(options)];
    const images = sizes.map(([width, height], i) => noiseImage(width, height, i));
    const [actual, expected] = [await inside.extractBatch(images), await outside.extractBatch(images)];
    for (const [i, features] of actual.entries()) {
      expect(checkFeatures("inside", features)).toBe(features);
      expectSame(features, expected[i]);
    }
    await inside.dispose();
    await outside.dispose();
  });

  it("are those that the maps give of a slim network, whose score is at half resolution", async () => {
    const { model, defaults } = openStrata("slim", strataTensors(SLIM), SLIM, "");
    const options = extractOptions({}, defaults);
    const inside = new DenseExtractor(model, options, { runtime });
    const outside = new DenseExtractor({ ...model, reading: undefined }, options, { runtime });
    for (const [width, height] of [
      [64, 48],
      [33, 80],
    ]) {
      const image = noiseImage(width, height, 4);
      const features = await inside.extract(image);
      expect(features.count).toBeGreaterThan(10);
      expectSame(features, await outside.extract(image));
    }
    await inside.dispose();
    await outside.dispose();
  });

  it.each<Partial<ExtractOptions>>([{ nms: false }, { refine: "grid" }, { maxFeatures: null }])(
    "not with %j, which the maps serve",
    (options) => {
      expect(tiny.model.reading?.(extractOptions({}, tiny.defaults))).not.toBeNull();
      expect(tiny.model.reading?.(extractOptions(options, tiny.defaults))).toBeNull();
    },
  );
});

/** TINY with weights set by hand: its score is highest on the top left corner of something bright. */
function cornerModel() {
  const tensors = strataTensors();
  for (const [name, { data }] of tensors)
    (data as Float32Array).fill(/\.bn\.(weight|var)$|^encoders\.\d\.bias$/.test(name) ? 1 : 0);
  const set = (name: string, index: number, value: number) => {
    tensors.get(name)!.data[index] = value;
  };
  // Bright below and to the right, dark above and to the left, the same in each channel.
  for (let c = 0; c < 3; c++) {
    [-1, -1, -1, -1, 1, 1, -1, 1, 1].forEach((sign, i) => {
      set("levels.0.a.conv.weight", 9 * c + i, sign > 0 ? 1 / 4 : -1 / 5);
    });
  }
  set("levels.0.b.conv.weight", 4, 1);
  set("attention.taps.0.weight", 0, 1);
  set("attention.fuse.conv.weight", 4, 1);
  for (const channel of [0, 1]) {
    set("attention.out.weight", 4 * channel, 1);
    set("attention.out.bias", channel, -4);
  }
  return openStrata("corners", tensors, TINY, "");
}

describe("a drawn corner", () => {
  const { model, defaults } = cornerModel();
  const [left, top] = [83, 47];
  const image = drawImage(161, 120, (x, y) => (x >= left && y >= top && x < left + 50 && y < top + 40 ? 220 : 20));

  it.each<Partial<ExtractOptions>>([
    {},
    { refine: "grid" },
    { maxEdge: 160 },
    { maxEdge: 120 },
    { maxEdge: 80 },
    { maxSumEdges: 200 },
  ])("is found at its place with %j", async (options) => {
    const own = new DenseExtractor(model, extractOptions({ ...options, maxFeatures: 1 }, defaults), { runtime });
    const { count, keypoints, imageSize } = await own.extract(image);
    await own.dispose();
    expect([count, imageSize]).toEqual([1, [161, 120]]);
    expect(Math.abs(keypoints[0] - left)).toBeLessThanOrEqual(1);
    expect(Math.abs(keypoints[1] - top)).toBeLessThanOrEqual(1);
  });

  it("stays where it is when the image grows to the right and down", async () => {
    const grown = drawImage(177, 131, (x, y) => (x < 161 && y < 120 ? image.data[3 * (y * 161 + x)] : 20));
    const own = new DenseExtractor(model, extractOptions({ maxFeatures: 1 }, defaults), { runtime });
    const [a, b] = await own.extractBatch([image, grown]);
    await own.dispose();
    expect(a.keypoints[0]).toBeCloseTo(b.keypoints[0], 4);
    expect(a.keypoints[1]).toBeCloseTo(b.keypoints[1], 4);
  });

  it("is not found where there is none: nothing is an answer", async () => {
    const own = new DenseExtractor(model, extractOptions({ threshold: 0.1 }, defaults), { runtime });
    expect(await own.extract(drawImage(50, 40, () => 128))).toEqual({
      count: 0,
      dim: 8,
      imageSize: [50, 40],
      keypoints: new Float32Array(0),
      scores: new Float32Array(0),
      descriptors: new Float32Array(0),
    });
    expect((await own.extract(image)).count).toBeGreaterThan(0);
    await own.dispose();
  });
});

describe("networks of the reference", () => {
  const cases: [ReferenceChoices & { attention: Exclude<ReferenceChoices["attentionModel"], "auto" | undefined> }][] = [
    [{ attention: "multi_attention_model2" }],
    [{ attention: "attention_model", firstStride: 2 }],
    [{ attention: "shared_multi_attention_model2" }],
    [{ attention: "multi_attention_model", replaceStrides: true, preprocessing: "caffe" }],
  ];
  it.each(cases)(
    "take images smaller than their stride, and keep to the image: %j",
    async ({ attention, ...choices }) => {
      const opened = openReference("r", "r", referenceTensors({ attention }), choices, "");
      const options = extractOptions({ threshold: 0, refine: "grid", nms: true }, opened.defaults);
      const own = new DenseExtractor(opened.model, options, { runtime, threads: 1 });
      const sizes = [
        [1, 1],
        [5, 3],
        [17, 1],
        [31, 64],
        [45, 38],
      ];
      for (const [width, height] of sizes) {
        const features = checkFeatures("extract", await own.extract(noiseImage(width, height)));
        expect(features).toMatchObject({ dim: 16, imageSize: [width, height] });
        for (let k = 0; k < features.count; k++) {
          const [x, y] = features.keypoints.subarray(2 * k, 2 * k + 2);
          expect(x >= 0 && y >= 0 && x <= width - 0.5 && y <= height - 0.5).toBe(true);
          // Cells lie on a grid of pixels: 2p + 0.5, so often.
          expect((2 * x) % 1).toBe(0);
        }
        if (width > 20) expect(features.count).toBeGreaterThan(3);
        if (attention === "multi_attention_model2" && width === 45)
          expect([...new Set(features.levels)].sort()).toEqual([0, 1, 2]);
      }
      await own.dispose();
    },
  );

  it("give the same in a batch, by either detection", async () => {
    for (const detection of ["attention", "d2net"] as const) {
      const opened = openReference("r", "r", referenceTensors(), {}, "");
      const options = extractOptions({ threshold: 0, detection }, opened.defaults);
      const own = new DenseExtractor(opened.model, options, { runtime, threads: 1 });
      const images = [noiseImage(70, 61, 1), noiseImage(70, 61, 2), noiseImage(40, 40, 3)];
      const batch = await own.extractBatch(images);
      for (const [i, image] of images.entries()) expectSame(batch[i], await own.extract(image));
      expect(batch[0].count).toBeGreaterThan(3);
      expect(batch[0].keypoints).not.toEqual(batch[1].keypoints);
      await own.dispose();
    }
  });
});
