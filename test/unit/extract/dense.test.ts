/** What every extractor does around its network, with a tiny network of the default family. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ShapeError, StateError } from "../../../src/errors.js";
import { DenseExtractor } from "../../../src/extract/dense.js";
import { openStrata } from "../../../src/extract/models.js";
import { type ExtractOptions, extractOptions } from "../../../src/extract/options.js";
import type { Features } from "../../../src/features.js";
import { resizePoints } from "../../../src/geometry/coordinates.js";
import type { Image } from "../../../src/image/image.js";
import { fitSize, resizeImage } from "../../../src/image/resize.js";
import { agreement } from "../../agreement.js";
import { noiseImage, strataTensors, TINY } from "../../models.js";
import { type CountingRuntime, countingRuntime } from "../match/adapter.js";

const tiny = openStrata("tiny", strataTensors(), TINY, "5a");
const runtime: CountingRuntime = countingRuntime();
const open = (options: Partial<ExtractOptions> = {}) =>
  new DenseExtractor(tiny.model, extractOptions(options, tiny.defaults), { runtime, threads: 1 });

/** The same features but for the last digits of sums taken in another order. */
function expectSame(actual: Features, expected: Features): void {
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
