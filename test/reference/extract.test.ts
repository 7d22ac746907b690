/** Every case of the oracle, point by point, within the tolerances of reference.md §5; and the dense maps behind them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DenseExtractor } from "../../src/extract/dense.js";
import type { FloatFeatures } from "../../src/features.js";
import { readNpz } from "../../src/formats/npz.js";
import { type OpenOptions, openExtractor } from "../../src/node/extractor.js";
import { loadImage } from "../../src/node/images.js";
import { type Agreement, agreement } from "../agreement.js";
import { describeShared } from "../shared.js";
import { optionsOf, type ReferenceCase, referenceCases, WHOLE } from "./cases.js";

describeShared("reference extraction", (shared) => {
  const folder = join(shared, "reference");
  const cases = referenceCases(folder);

  const options = (c: ReferenceCase): OpenOptions => ({
    ...optionsOf(c),
    model: join(folder, WHOLE),
    ...(c.heads && { attentionCkpt: join(folder, c.heads) }),
  });

  it.each(cases)("$name", async (c) => {
    const extractor = await openExtractor(options(c));
    const features = await extractor.extract(await loadImage(join(folder, c.image)));
    await extractor.dispose();
    const arrays = readNpz(readFileSync(join(folder, c.npz)));
    const expected = {
      count: c.count,
      keypoints: arrays.keypoints.data as Float32Array,
      scores: arrays.scores.data as Float32Array,
      descriptors: arrays.descriptors.data as Float32Array,
    };
    const result: Agreement = agreement(features, expected);
    expect(Math.abs(features.count - c.count)).toBeLessThanOrEqual(Math.max(0.005 * c.count, 0));
    expect(result.share, JSON.stringify(result)).toBeGreaterThanOrEqual(0.995);
  });

  let extractor: DenseExtractor;
  beforeAll(async () => {
    extractor = (await openExtractor({ model: join(folder, WHOLE) })) as DenseExtractor;
  });
  afterAll(() => extractor?.dispose());

  it("dense maps are those of the reference within 1e-4 of their largest value", async () => {
    const arrays = readNpz(readFileSync(join(folder, "extract/dense_a.npz")));
    const maps = await extractor.dense([await loadImage(join(folder, "images/a.png"))]);
    ["early", "middle", "deep"].forEach((level, i) => {
      for (const [ours, theirs] of [
        [`map${i}`, `encoded_${level}`],
        [`score${i}`, `attention_${level}`],
      ]) {
        const expected = arrays[theirs].data as Float32Array;
        expect(maps[ours].data.length).toBe(expected.length);
        let [largest, worst] = [0, 0];
        expected.forEach((value, k) => {
          largest = Math.max(largest, Math.abs(value));
          worst = Math.max(worst, Math.abs(value - (maps[ours].data[k] as number)));
        });
        expect(worst / largest, theirs).toBeLessThan(1e-4);
      }
    });
  });

  it("a batch gives what single images give, and sizes may be mixed", async () => {
    const images = await Promise.all(["a", "b", "a", "c"].map((n) => loadImage(join(folder, `images/${n}.png`))));
    const batch = await extractor.extractBatch(images);
    const single: FloatFeatures[] = [];
    for (const image of images) single.push(await extractor.extract(image));
    batch.forEach((features, i) => {
      expect(agreement(features, single[i]).share).toBeGreaterThanOrEqual(0.995);
    });
  });
});
