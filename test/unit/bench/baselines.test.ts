import { afterAll, describe, expect, it } from "vitest";
import { drawDemoPair } from "../../../demo/draw.js";
import { type Baseline, type BaselineName, openBaseline } from "../../../src/bench/baselines.js";
import { loadOpenCv, withMats } from "../../../src/bench/opencv/index.js";
import { loadOpenCv4 } from "../../../src/bench/opencv4/index.js";
import { scorePair } from "../../../src/bench/score-pair.js";
import { OptionError, ShapeError, StateError } from "../../../src/errors.js";
import type { Features } from "../../../src/features.js";
import type { Image } from "../../../src/image/image.js";
import { disposeMatching } from "../../../src/match/index.js";

const { a, b, truth } = drawDemoPair(7);

async function using<T>(
  name: BaselineName,
  work: (baseline: Baseline) => Promise<T>,
  maxFeatures?: number,
): Promise<T> {
  const baseline = await openBaseline(name, maxFeatures === undefined ? {} : { maxFeatures });
  try {
    return await work(baseline);
  } finally {
    baseline.dispose();
  }
}

/** Blurred bright spots on dark ground, centred exactly on the given pixels. */
function spots(width: number, height: number, centres: readonly [number, number][], sigma: number): Image {
  const image: Image = { width, height, data: new Uint8Array(3 * width * height) };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let value = 20;
      for (const [cx, cy] of centres) value += 200 * Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma * sigma));
      image.data.fill(Math.min(255, Math.round(value)), 3 * (y * width + x), 3 * (y * width + x) + 3);
    }
  }
  return image;
}

/** The image `shift` pixels further right and down; the new margin is black. */
function moved(image: Image, shift: number): Image {
  const [width, height] = [image.width + shift, image.height + shift];
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < image.height; y++) {
    const row = image.data.subarray(3 * y * image.width, 3 * (y + 1) * image.width);
    data.set(row, 3 * ((y + shift) * width + shift));
  }
  return { width, height, data };
}

afterAll(disposeMatching);

describe.each([
  ["orb", 256, "5.0.0"],
  ["akaze", 486, "4.12.0"],
] as const)("%s", (name, bits, version) => {
  it("finds features of unit length, best first, inside the image, and says what it is", async () => {
    await using(name, async (baseline) => {
      const features = await baseline.extract(a);
      expect(baseline).toMatchObject({ name, versions: { opencv: version } });
      expect(features).toMatchObject({ dim: bits, imageSize: [a.width, a.height] });
      expect(features.count).toBeGreaterThan(300);
      const unit = Math.fround(1 / Math.sqrt(bits));
      expect(features.descriptors.every((value) => Math.abs(value) === unit)).toBe(true);
      for (let i = 0; i < features.count; i++) {
        const [x, y] = features.keypoints.subarray(2 * i, 2 * i + 2);
        expect(x >= 0 && y >= 0 && x <= a.width - 1 && y <= a.height - 1).toBe(true);
        if (i > 0) expect(features.scores[i]).toBeLessThanOrEqual(features.scores[i - 1]);
      }
    });
  });

  it("maxFeatures keeps the strongest; the same image gives the same features", async () => {
    const [all, again] = await using(name, async (baseline) => [await baseline.extract(a), await baseline.extract(a)]);
    const other = await using(name, (baseline) => baseline.extract(a));
    for (const features of [again, other]) {
      for (const key of ["keypoints", "scores", "descriptors"] as const) {
        expect(features[key].length).toBe(all[key].length);
        expect(features[key].every((value, i) => value === all[key][i])).toBe(true);
      }
    }
    const few = await using(name, (baseline) => baseline.extract(a), 100);
    expect(few.count).toBe(100);
    // ORB shares its number among its scales, so a smaller number is no part of the larger one.
    if (name === "akaze") expect(few.keypoints).toEqual(all.keypoints.slice(0, 200));
  });

  it("matches the drawn pair and finds its homography", async () => {
    const [of, to] = await using(name, async (baseline) => [await baseline.extract(a), await baseline.extract(b)]);
    const pair = { sequence: "demo", kind: "other", images: [1, 2] as [number, number], homography: truth } as const;
    const { scores } = await scorePair(of, to, pair, { runtime: null });
    expect(scores.correct[2] / scores.matches).toBeGreaterThan(0.3);
    expect(scores.refined.correct[2] / scores.refined.matches).toBeGreaterThan(0.8);
    expect(scores.cornerError.magsac).toBeLessThan(2);
  });

  it("small and empty images have no features", async () => {
    await using(name, async (baseline) => {
      for (const [width, height] of [
        [1, 1],
        [1, 300],
        [300, 1],
        [2, 2],
        [16, 9],
        [300, 3],
        [200, 150],
      ]) {
        const features = await baseline.extract({ width, height, data: new Uint8Array(3 * width * height).fill(90) });
        expect(features, `${width}×${height}`).toMatchObject({ count: 0, dim: bits, imageSize: [width, height] });
        expect(features.descriptors.length).toBe(0);
      }
    });
  });

  it("refuses what is no image, and works no more once disposed of", async () => {
    const baseline = await openBaseline(name);
    await expect(baseline.extract({ ...a, width: 3 })).rejects.toThrow(ShapeError);
    baseline.dispose();
    baseline.dispose();
    await expect(baseline.extract(a)).rejects.toThrow(StateError);
  });

  it("an image moved by whole pixels has its keypoints moved by as much", async () => {
    // A multiple of 8, which AKAZE's four octaves halve without a rest; the margin has corners of its own.
    const shift = 64;
    const [before, after] = await using(name, async (baseline) => [
      await baseline.extract(a),
      await baseline.extract(moved(a, shift)),
    ]);
    const near = (from: Features, x: number, y: number) => {
      let best = Infinity;
      for (let i = 0; i < from.count; i++) {
        best = Math.min(best, Math.hypot(from.keypoints[2 * i] - x, from.keypoints[2 * i + 1] - y));
      }
      return best;
    };
    const distances = Array.from({ length: 200 }, (_, i) =>
      near(after, before.keypoints[2 * i] + shift, before.keypoints[2 * i + 1] + shift),
    ).sort((x, y) => x - y);
    expect(distances[100]).toBeLessThan(0.1);
  });

  it("leaves nothing behind in WebAssembly memory", async () => {
    const cv = name === "orb" ? await loadOpenCv() : await loadOpenCv4();
    // Where the allocator puts 4 MB: further up, for every picture that was not freed.
    const place = () => withMats((keep) => keep(new cv.Mat(1200, 1200, cv.CV_8UC3)).data.byteOffset);
    await using(name, async (baseline) => {
      await baseline.extract(a);
      const before = place();
      for (let k = 0; k < 5; k++) await baseline.extract(a);
      expect(place()).toBe(before);
    });
  });
});

describe("conventions", () => {
  it("AKAZE's and ORB's pixel centres lie on integers", async () => {
    const centres: [number, number][] = [];
    for (let k = 0; k < 12; k++) centres.push([60 + 47 * (k % 4), 60 + 53 * Math.floor(k / 4)]);
    for (const [name, sigma] of [
      ["akaze", 2.5],
      ["orb", 1.2],
    ] as const) {
      const features = await using(name, (baseline) => baseline.extract(spots(270, 240, centres, sigma)));
      let [sumX, sumY, found] = [0, 0, 0];
      for (const [cx, cy] of centres) {
        for (let i = 0; i < features.count; i++) {
          const [x, y] = features.keypoints.subarray(2 * i, 2 * i + 2);
          if (Math.hypot(x - cx, y - cy) > 2.5) continue;
          // ORB's keypoints of the full image lie on whole pixels; those of smaller scales are off, as the head says.
          if (name === "orb" && (x % 1 !== 0 || y % 1 !== 0)) continue;
          sumX += x - cx;
          sumY += y - cy;
          found++;
        }
      }
      expect(found, name).toBeGreaterThanOrEqual(6);
      expect(Math.abs(sumX / found), `${name} ${sumX / found}`).toBeLessThan(0.15);
      expect(Math.abs(sumY / found), `${name} ${sumY / found}`).toBeLessThan(0.15);
    }
  });

  it("descriptors are OpenCV's bits: cosine similarity is 1 − 2·hamming/bits", async () => {
    const cv = await loadOpenCv();
    const features = await using("orb", (baseline) => baseline.extract(a), 50);
    const rows = withMats((keep) => {
      const orb = keep(new cv.ORB());
      orb.setMaxFeatures(50);
      const rgb = keep(new cv.Mat(a.height, a.width, cv.CV_8UC3));
      rgb.data.set(a.data);
      const grey = keep(new cv.Mat());
      cv.cvtColor(rgb, grey, cv.COLOR_RGB2GRAY);
      const keypoints = keep(new cv.KeyPointVector());
      const descriptors = keep(new cv.Mat());
      orb.detectAndCompute(grey, keep(new cv.Mat()), keypoints, descriptors);
      return Array.from({ length: keypoints.size() }, (_, i) => ({
        ...keypoints.get(i),
        bytes: descriptors.data.slice(32 * i, 32 * i + 32),
      })).sort((x, y) => y.response - x.response);
    });
    const hamming = (x: Uint8Array, y: Uint8Array) =>
      x.reduce((sum, byte, i) => sum + (byte ^ y[i]).toString(2).replaceAll("0", "").length, 0);
    for (const [i, j] of [
      [0, 1],
      [3, 40],
      [7, 7],
      [20, 49],
    ]) {
      let cosine = 0;
      for (let k = 0; k < 256; k++) cosine += features.descriptors[256 * i + k] * features.descriptors[256 * j + k];
      expect(cosine).toBeCloseTo(1 - (2 * hamming(rows[i].bytes, rows[j].bytes)) / 256, 5);
      expect(features.keypoints[2 * i]).toBe(rows[i].pt.x);
    }
  });
});

describe("openBaseline", () => {
  it("echoes its options with OpenCV's defaults", async () => {
    await using("orb", async ({ options }) => expect(options).toMatchObject({ maxFeatures: 2000, levels: 8 }));
    await using("akaze", async ({ options }) => expect(options).toMatchObject({ maxFeatures: null, threshold: 0.001 }));
  });

  it("refuses other names and options, and says what", async () => {
    await expect(openBaseline("sift" as BaselineName)).rejects.toThrow(/orb, akaze, got sift/);
    await expect(openBaseline("orb", { maxFeatures: null })).rejects.toThrow(OptionError);
    for (const maxFeatures of [0, -1, 1.5, Number.NaN]) {
      await expect(openBaseline("akaze", { maxFeatures })).rejects.toThrow('"maxFeatures"');
    }
    await expect(openBaseline("orb", { levels: 3 } as object)).rejects.toThrow('"levels"');
  });
});
