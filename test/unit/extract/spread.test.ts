/** Fewer keypoints all over the image: shares of cells, what fills up, order, and the extraction that uses it. */
import { describe, expect, it } from "vitest";
import { topFeatures } from "../../../src/bench/features.js";
import { OptionError, UnsupportedError } from "../../../src/errors.js";
import { exportFeatures } from "../../../src/export/features.js";
import { DenseExtractor } from "../../../src/extract/dense.js";
import { extractOptions } from "../../../src/extract/options.js";
import { SPREAD_POOL, spreadFeatures } from "../../../src/extract/spread.js";
import { openStrata } from "../../../src/families.js";
import type { FloatFeatures } from "../../../src/features.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { Random } from "../../../src/random.js";
import { noiseImage, strataTensors, TINY } from "../../models.js";

const SIZE: [number, number] = [240, 120];

/** Features at places, best first. */
function at(places: readonly (readonly [number, number])[]): FloatFeatures {
  const count = places.length;
  return {
    count,
    dim: 1,
    imageSize: SIZE,
    keypoints: Float32Array.from(places.flat()),
    scores: Float32Array.from({ length: count }, (_, i) => 1 - i / count),
    descriptors: Float32Array.from({ length: count }, (_, i) => i),
  };
}

/** How many of the features lie in each cell of 12 × 12. */
function cells({ count, keypoints }: FloatFeatures): number[] {
  const found = new Array<number>(144).fill(0);
  for (let i = 0; i < count; i++) {
    const [x, y] = [0, 1].map((axis) => Math.floor(((keypoints[2 * i + axis] + 0.5) / SIZE[axis]) * 12));
    found[12 * y + x]++;
  }
  return found;
}

describe("spreadFeatures", () => {
  const random = new Random(3);
  const everywhere = Array.from(
    { length: 1000 },
    () => [random.uniform(0, SIZE[0] - 1), random.uniform(0, SIZE[1] - 1)] as const,
  );
  // The best hundred crowd in one corner.
  const crowd = Array.from({ length: 100 }, () => [random.uniform(0, 15), random.uniform(0, 7)] as const);

  it("takes no more than twice its share from a cell while others have any, best first", () => {
    const all = at([...crowd, ...everywhere]);
    const limit = 144;
    const few = spreadFeatures(all, limit);
    expect(few.count).toBe(limit);
    expect(Math.max(...cells(few))).toBe(2);
    expect(cells(topFeatures(all, limit) as FloatFeatures)[0]).toBeGreaterThan(90);
    expect(few.scores).toEqual(few.scores.slice().sort((a, b) => b - a));
    // Of the crowd the best two, with what belongs to them.
    expect([...few.descriptors.slice(0, 3)]).toEqual([0, 1, 100]);
    expect(few.keypoints.slice(0, 4)).toEqual(all.keypoints.slice(0, 4));
  });

  it("fills up with the best of the others where the rest of the image has nothing", () => {
    const few = spreadFeatures(at([...crowd, [200, 100]]), 50);
    expect(few.count).toBe(50);
    expect([...few.descriptors]).toEqual([...Array.from({ length: 49 }, (_, i) => i), 100]);
  });

  it("leaves alone what is no more than asked for, and takes points on the image's edges", () => {
    const all = at([
      [-0.5, -0.5],
      [239.49, 119.49],
      [239.5, 119.5],
    ]);
    expect(spreadFeatures(all, 3)).toBe(all);
    expect(spreadFeatures(all, 10)).toBe(all);
    expect(spreadFeatures(all, 2).count).toBe(2);
    expect(spreadFeatures(at([]), 5).count).toBe(0);
  });
});

describe("the option spread", () => {
  const config = { ...TINY, detection: { ...TINY.detection, scales: [1, 0.5] } };
  const { model, defaults } = openStrata("tiny", strataTensors(config), config, "");
  const extract = async (given: object, size: [number, number] = [200, 120]) => {
    const extractor = new DenseExtractor(model, extractOptions(given, defaults), { runtime: nodeRuntime, threads: 1 });
    const features = await extractor.extract(noiseImage(...size, 5));
    await extractor.dispose();
    return features;
  };

  it("chooses among four times as many, as the benchmark's top-K does; off, nothing changes", async () => {
    const pool = await extract({ maxFeatures: SPREAD_POOL * 40 });
    const spread = await extract({ maxFeatures: 40, spread: true });
    expect(spread).toEqual(spreadFeatures(pool, 40));
    expect(topFeatures(pool, 40, true)).toEqual(spread);
    expect(await extract({ maxFeatures: 40, spread: false })).toEqual(await extract({ maxFeatures: 40 }));
    expect(spread.keypoints).not.toEqual((await extract({ maxFeatures: 40 })).keypoints);
  });

  it("is refused where it has nothing to choose by, or a graph cannot have it", async () => {
    expect(() => extractOptions({ spread: true, maxFeatures: null })).toThrow(OptionError);
    expect(() => extractOptions({ spread: true, maxFeatures: null })).toThrow(/needs a number of them/);
    expect(() => extractOptions({ spread: "yes" } as never)).toThrow(/"spread" must be true or false/);
    const exported = exportFeatures(model, extractOptions({ spread: true }, defaults));
    await expect(exported).rejects.toThrow(UnsupportedError);
  });
});
