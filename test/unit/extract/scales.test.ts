import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DenseExtractor } from "../../../src/extract/dense.js";
import { type ExtractOptions, extractOptions } from "../../../src/extract/options.js";
import { mergeScales, scaleLimits } from "../../../src/extract/scales.js";
import { openStrata } from "../../../src/families.js";
import type { FloatFeatures } from "../../../src/features.js";
import { resizePoints } from "../../../src/geometry/coordinates.js";
import { shrinkImage } from "../../../src/image/shrink.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { Random } from "../../../src/random.js";
import { strataTensors, TINY } from "../../models.js";

/** Features with these scores, at (10·i, i) of the given offset, descriptors telling where they came from. */
function found(scores: number[], offset: number): FloatFeatures {
  return {
    count: scores.length,
    dim: 2,
    imageSize: [50, 40],
    keypoints: Float32Array.from(scores.flatMap((_, i) => [offset + 10 * i, i])),
    scores: Float32Array.from(scores),
    descriptors: Float32Array.from(scores.flatMap((_, i) => [offset, i])),
  };
}

describe("scaleLimits", () => {
  it("three times a scale's share of the pixels, and never more than are wanted in all", () => {
    expect(scaleLimits([1], 500)).toEqual([500]);
    expect(scaleLimits([1, 0.5], null)).toEqual([null, null]);
    // Shares .8 and .2; .762, .19 and .048.
    expect(scaleLimits([1, 0.5], 1000)).toEqual([1000, 600]);
    expect(scaleLimits([1, 0.5, 0.25], 1000)).toEqual([1000, 572, 143]);
    expect(scaleLimits([1, 0.01], 1)).toEqual([1, 1]);
  });
});

describe("mergeScales", () => {
  it("puts the best of all first, at their places in the image", () => {
    const parts = [
      { features: found([0.9, 0.4], 1), step: [1, 1] as const },
      { features: found([0.7, 0.4, 0.1], 3), step: [2, 4] as const },
    ];
    const merged = mergeScales(parts, [100, 160], 4);
    expect(merged.count).toBe(4);
    expect(merged.imageSize).toEqual([100, 160]);
    expect([...merged.scores]).toEqual([0.9, 0.7, 0.4, 0.4].map(Math.fround));
    // Of equal scores the first scale's comes first.
    expect([...merged.keypoints]).toEqual([1, 0, 6.5, 1.5, 11, 1, 26.5, 5.5]);
    expect([...merged.descriptors]).toEqual([1, 0, 3, 0, 1, 1, 3, 1]);
    expect("levels" in merged).toBe(false);
  });

  it("keeps all without a limit, levels where there are any, and nothing where nothing was found", () => {
    const parts = () => [
      { features: { ...found([0.9], 1), levels: Uint8Array.of(2) }, step: [1, 1] as const },
      { features: found([], 1), step: [2, 2] as const },
      { features: { ...found([0.95, 0.2], 1), levels: Uint8Array.of(0, 1) }, step: [3, 3] as const },
    ];
    const merged = mergeScales(parts(), [50, 40], null);
    expect([...(merged.levels ?? [])]).toEqual([0, 2, 1]);
    const none = mergeScales([parts()[1], parts()[1]], [50, 40], 10);
    expect(none).toMatchObject({ count: 0, dim: 2, imageSize: [50, 40] });
  });
});

describe("extraction at several scales", () => {
  const { model, defaults } = openStrata("tiny", strataTensors(), TINY, "");
  const random = new Random(8);
  const image = { width: 90, height: 71, data: Uint8Array.from({ length: 3 * 90 * 71 }, () => random.integer(256)) };
  const open = (options: Partial<ExtractOptions>) =>
    new DenseExtractor(model, extractOptions({ maxFeatures: 60, ...options }, defaults), { runtime: nodeRuntime });
  let single: DenseExtractor;
  beforeAll(() => {
    single = open({ scales: [1] });
  });
  afterAll(() => single.dispose());

  it.each<Partial<ExtractOptions>>([{}, { refine: "grid" }])(
    "finds what each scale finds by itself, %j",
    async (more) => {
      const scales = [1, 0.6, 0.4];
      const several = open({ scales, ...more });
      const parts = [];
      for (const [s, maxFeatures] of scaleLimits(scales, 60).entries()) {
        const { image: small, step } = shrinkImage(image, scales[s]);
        const alone = open({ scales: [1], ...more, maxFeatures });
        parts.push({ features: await alone.extract(small), step });
        await alone.dispose();
      }
      expect(parts.map(({ features }) => features.count)).toEqual([60, 43, 19]);
      expect(await several.extract(image)).toEqual(mergeScales(parts, [90, 71], 60));
      await several.dispose();
    },
  );

  it("reduces large images first, and takes positions back through both", async () => {
    const own = open({ scales: [0.5], maxEdge: 45 });
    const half = open({ scales: [0.5] });
    const features = await own.extract(image);
    expect(features.imageSize).toEqual([90, 71]);
    await own.dispose();
    const { resizeImage } = await import("../../../src/image/resize.js");
    const reduced = await half.extract(resizeImage(image, 45, 35));
    expect(features.keypoints).toEqual(resizePoints(reduced.keypoints, 90 / 45, 71 / 35));
    await half.dispose();
  });

  it("a batch is its images one by one", async () => {
    const own = open({ scales: [1, 0.4] });
    const other = { ...image, data: image.data.slice().reverse() };
    const batch = await own.extractBatch([image, other]);
    for (const [i, one] of [image, other].entries()) {
      const { keypoints, descriptors } = await own.extract(one);
      expect(batch[i].keypoints).toEqual(keypoints);
      // Products of matrices add up in another order when there are more of them.
      batch[i].descriptors.forEach((value, k) => {
        expect(value).toBeCloseTo(descriptors[k], 5);
      });
    }
    await own.dispose();
  });

  it("the model's own scales hold where none are given", () => {
    const { defaults: own } = openStrata(
      "tiny",
      strataTensors(),
      { ...TINY, detection: { ...TINY.detection, scales: [0.8, 0.4] } },
      "",
    );
    expect(extractOptions({}, own).scales).toEqual([0.8, 0.4]);
    expect(extractOptions({ scales: [0.3] }, own).scales).toEqual([0.3]);
    expect(extractOptions({}, defaults).scales).toEqual([1]);
  });

  it.each([[[]], [[0]], [[1.2]], [[1, 1]], ["1"], [[Number.NaN]]])("refuses scales %j", (scales) => {
    expect(() => extractOptions({ scales: scales as number[] })).toThrow(/"scales" must be 1 to 16 different numbers/);
  });
});
