/** matchImages over an extractor that knows its answer. */
import { describe, expect, it } from "vitest";
import {
  type Extractor,
  emptyFeatures,
  type FloatFeatures,
  matchImages,
  OptionError,
  Random,
  ShapeError,
} from "../../src/node/index.js";

const COUNT = 60;
const SIZE = { width: 200, height: 150 };
const image = (value: number) => ({ ...SIZE, data: new Uint8Array(3 * SIZE.width * SIZE.height).fill(value) });

/** Features on a random pattern; an image of value v sees it shifted by v pixels, in black there is nothing. */
function patternExtractor(verdict?: Record<string, unknown>): Extractor & { extracted: number } {
  const random = new Random(3);
  const descriptors = Float32Array.from({ length: 8 * COUNT }, () => random.uniform() - 0.5);
  for (let i = 0; i < COUNT; i++) {
    const row = descriptors.subarray(8 * i, 8 * i + 8);
    const length = Math.hypot(...row);
    row.forEach((value, k) => {
      row[k] = value / length;
    });
  }
  const points = Float32Array.from({ length: 2 * COUNT }, () => 10 + 100 * random.uniform());
  const extractor = {
    extracted: 0,
    info: { model: "pattern", sha256: "00", dim: 8, verdict },
    options: {} as never,
    async extract({ width, height, data }: typeof SIZE & { data: Uint8Array }): Promise<FloatFeatures> {
      extractor.extracted++;
      if (data[0] === 0) return emptyFeatures([width, height], 8);
      const keypoints = points.map((value) => value + data[0]);
      return {
        count: COUNT,
        dim: 8,
        imageSize: [width, height],
        keypoints,
        scores: new Float32Array(COUNT),
        descriptors,
      };
    },
    extractBatch: async () => [],
    dispose: async () => {},
  };
  return extractor;
}

const VERDICT = {
  weights: { inliers: 1, share: 0, spread: 0, tightness: 0, form: 0 },
  bias: 0,
  same: 0.9,
  different: 0.1,
};

describe("matchImages", () => {
  it("gives features, matches, homography, verdict and times", async () => {
    const steps: string[] = [];
    const result = await matchImages(patternExtractor(VERDICT), image(10), image(14), { onStep: (s) => steps.push(s) });
    expect(result.features.map(({ count }) => count)).toEqual([COUNT, COUNT]);
    expect(result.matches.count).toBe(COUNT);
    expect(result.homography.inliers).toHaveLength(COUNT);
    expect([...result.homography.matrix!]).toEqual([1, 0, 4, 0, 1, 4, 0, 0, 1].map((v) => expect.closeTo(v, 3)));
    // ln(1 + 60 − 4) as the only evidence: 57 / 58.
    expect(result.verdict).toEqual({ verdict: "same", probability: expect.closeTo(57 / 58, 6) });
    expect(steps).toEqual(["extract1", "extract2", "match", "verify"]);
    expect(Object.keys(result.seconds)).toEqual(steps);
  });

  it("guided: searches again, without a word in the verdict", async () => {
    const plain = await matchImages(patternExtractor(VERDICT), image(10), image(14));
    const guided = await matchImages(patternExtractor(VERDICT), image(10), image(14), { guided: true });
    expect(guided.homography.inliers).toHaveLength(COUNT);
    expect(guided.verdict).toEqual(plain.verdict);
    await expect(matchImages(patternExtractor(), image(1), image(2), { guided: 1 as never })).rejects.toThrow(
      '"guided"',
    );
  });

  it("other geometries come with a verdict of their own, where the model has one", async () => {
    // Shifted patterns: any of the models explains them.
    const deep = { ...VERDICT, fundamental: { ...VERDICT, bias: -100 } };
    const asked = async (verdict: Record<string, unknown>, geometry: object) =>
      matchImages(patternExtractor(verdict), image(10), image(14), { geometry });
    const found = await asked(deep, { model: "fundamental" });
    expect(found.geometry.model).toBe("fundamental");
    expect(found.geometry.inliers.length).toBe(COUNT);
    expect(found.homography).toEqual({ matrix: null, inliers: new Uint32Array(0) });
    expect(found.verdict?.verdict).toBe("different");
    expect((await asked(VERDICT, { model: "fundamental" })).verdict).toBeNull();
    const auto = await asked(deep, { model: "auto" });
    expect(auto.geometry).toEqual({ model: "homography", ...auto.homography });
    expect(auto.verdict?.verdict).toBe("same");
    await expect(asked(deep, { model: "essential" })).rejects.toThrow('needs "intrinsicsA"');
    await expect(asked(deep, { model: "plane" })).rejects.toThrow(OptionError);
    const both = { geometry: {}, homography: {} };
    await expect(matchImages(patternExtractor(), image(1), image(2), both)).rejects.toThrow("not both");
  });

  it("zero keypoints are an answer; without weights there is no verdict", async () => {
    const result = await matchImages(patternExtractor(), image(0), image(14));
    expect(result).toMatchObject({ matches: { count: 0 }, homography: { matrix: null }, verdict: null });
  });

  it("passes options on, and refuses wrong ones before work begins", async () => {
    const extractor = patternExtractor();
    const { matches } = await matchImages(extractor, image(9), image(9), {
      match: { minSimilarity: 1, runtime: null },
    });
    expect(matches.count).toBeLessThanOrEqual(COUNT);
    extractor.extracted = 0;
    const bad = (...args: unknown[]) => matchImages(...(args as Parameters<typeof matchImages>));
    await expect(bad(null, image(1), image(1))).rejects.toThrow(OptionError);
    await expect(bad(extractor, {}, image(1))).rejects.toThrow(/matchImages: a/);
    await expect(bad(extractor, image(1), { ...image(1), width: 3 })).rejects.toThrow(ShapeError);
    await expect(bad(extractor, image(1), image(1), { ratio: 0.8 })).rejects.toThrow('unknown option "ratio"');
    await expect(bad(patternExtractor({ weights: 1 }), image(1), image(1))).rejects.toThrow(
      "pattern, its configuration",
    );
    expect(extractor.extracted).toBe(0);
  });

  it("stops between steps when its signal says so", async () => {
    const stop = new AbortController();
    const extractor = patternExtractor();
    const onStep = (step: string) => step === "extract2" && stop.abort(new Error("enough"));
    await expect(matchImages(extractor, image(1), image(2), { signal: stop.signal, onStep })).rejects.toThrow("enough");
    expect(extractor.extracted).toBe(2);
  });
});
