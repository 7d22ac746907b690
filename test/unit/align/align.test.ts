/** Aligning over an extractor that knows where it looks: places, canvases, pictures, and what is refused. */
import { describe, expect, it } from "vitest";
import { toCanvas } from "../../../src/align/canvas.js";
import { shrinkImage } from "../../../src/image/shrink.js";
import {
  type AlignOptions,
  alignImages,
  compose,
  type Extractor,
  emptyFeatures,
  type FloatFeatures,
  type Image,
  inverse3x3,
  LimitError,
  OptionError,
  projectPoints,
  Random,
  resizePoints,
  warpImage,
} from "../../../src/node/index.js";

const SIZE: [number, number] = [240, 180];
const COUNT = 300;

/** A wall of soft spots and points on it; `look` photographs a part of it by a homography from wall to image. */
function wall() {
  const random = new Random(5);
  const [width, height] = [600, 400];
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        data[3 * (y * width + x) + c] = 128 + 60 * Math.sin(x / (9 + c)) + 60 * Math.cos(y / (7 + 2 * c));
      }
    }
  }
  const points = Float64Array.from({ length: 2 * COUNT }, (_, i) => random.uniform() * (i % 2 ? height : width));
  const descriptors = Float32Array.from({ length: 16 * COUNT }, () => random.normal());
  for (let i = 0; i < COUNT; i++) {
    const row = descriptors.subarray(16 * i, 16 * i + 16);
    const length = Math.hypot(...row);
    row.forEach((value, k) => {
      row[k] = value / length;
    });
  }
  const seen = new Map<Image, Float64Array>();
  const look = (homography: readonly number[]): Image => {
    const image = warpImage({ width, height, data }, homography, { width: SIZE[0], height: SIZE[1] });
    seen.set(image, Float64Array.from(homography));
    return image;
  };
  let extracted = 0;
  const extractor: Extractor = {
    info: { model: "wall", sha256: "00", dim: 16 },
    options: {} as never,
    async extract(image): Promise<FloatFeatures> {
      extracted++;
      const homography = seen.get(image);
      if (!homography) return emptyFeatures([image.width, image.height], 16);
      const places = projectPoints(homography, points);
      const inside = Array.from({ length: COUNT }, (_, i) => i).filter((i) => {
        const [x, y] = [places[2 * i], places[2 * i + 1]];
        return x >= 0 && y >= 0 && x < image.width && y < image.height;
      });
      return {
        ...{ count: inside.length, dim: 16, imageSize: [image.width, image.height] },
        keypoints: Float32Array.from(inside.flatMap((i) => [places[2 * i], places[2 * i + 1]])),
        scores: new Float32Array(inside.length).fill(1),
        descriptors: Float32Array.from(inside.flatMap((i) => [...descriptors.subarray(16 * i, 16 * i + 16)])),
      };
    },
    extractBatch: async () => [],
    dispose: async () => {},
  };
  const between = (from: Image, to: Image): Float64Array =>
    compose(seen.get(to) as Float64Array, inverse3x3(seen.get(from) as Float64Array) as Float64Array);
  return { look, extractor, between, extracted: () => extracted };
}

const at = (x: number, y: number, zoom = 1): number[] => [zoom, 0, -zoom * x, 0, zoom, -zoom * y, 0, 0, 1];
const TILTED = [0.9, 0.15, -60, -0.1, 1, -20, 3e-4, 1e-4, 1];

/** Mean difference of two pictures where `mask` (default: everywhere) says so. */
function difference(a: Image, b: Image, mask: (x: number, y: number) => boolean = () => true): number {
  let [sum, count] = [0, 0];
  for (let y = 0; y < a.height; y++) {
    for (let x = 0; x < a.width; x++) {
      if (!mask(x, y)) continue;
      for (let c = 0; c < 3; c++)
        sum += Math.abs(a.data[3 * (y * a.width + x) + c] - b.data[3 * (y * a.width + x) + c]);
      count += 3;
    }
  }
  return sum / count;
}

describe("alignImages", () => {
  it("warps an image onto the last one, or onto the one that is named", async () => {
    const { look, extractor, between } = wall();
    const [a, b] = [look(TILTED), look(at(60, 30))];
    const { image, parts, onto, canvas } = await alignImages(extractor, [a, b]);
    expect(onto).toBe(1);
    expect(canvas).toEqual({ left: 0, top: 0, width: 240, height: 180 });
    const found = projectPoints(parts[0].homography as Float64Array, [20, 20, 200, 150]);
    const truth = projectPoints(between(a, b), [20, 20, 200, 150]);
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(truth[i], 2);
    });
    expect(parts[0]).toMatchObject({ by: 1, verdict: null });
    expect(parts[0].inliers).toBeGreaterThan(20);
    expect(difference(image as Image, b, (x, y) => x > 60 && x < 180 && y > 50 && y < 130)).toBeLessThan(4);
    const other = await alignImages(extractor, [a, b], { onto: 0 });
    expect(other.parts[0].homography).toEqual(Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1));
    expect(other.parts[1].by).toBe(0);
  });

  it("matches smaller images, and draws them as they are", async () => {
    const { look, extractor, between } = wall();
    const [a, b] = [look(TILTED), look(at(60, 30))];
    const seen: [number, number][] = [];
    const small: Extractor = {
      ...extractor,
      async extract(image) {
        seen.push([image.width, image.height]);
        // Both have the same size, so their pixels tell which is which.
        const whole = [a, b].find((one) => difference(shrinkImage(one, 0.5).image, image) === 0) as Image;
        const features = await extractor.extract(whole);
        return { ...features, keypoints: resizePoints(features.keypoints, 0.5) };
      },
    };
    const { image, parts } = await alignImages(small, [a, b], { maxEdge: 120 });
    expect(seen).toEqual([
      [120, 90],
      [120, 90],
    ]);
    expect([image?.width, image?.height]).toEqual([240, 180]);
    expect(parts[0].homography?.[8]).toBe(1);
    const found = projectPoints(parts[0].homography as Float64Array, [20, 20, 200, 150]);
    const truth = projectPoints(between(a, b), [20, 20, 200, 150]);
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(truth[i], 2);
    });
  });

  it("crops to what all show, and grows to all that any shows", async () => {
    const { look, extractor } = wall();
    const [a, b] = [look(at(100, 40)), look(at(60, 30))];
    const overlap = await alignImages(extractor, [a, b], { crop: "overlap" });
    expect(overlap.canvas).toEqual({ left: 40, top: 10, width: 200, height: 170 });
    const all = await alignImages(extractor, [a, b], { crop: "all", fill: [9, 8, 7] });
    // A corner may lie a thousandth beyond a whole pixel.
    expect(all.canvas).toMatchObject({ left: 0, top: 0 });
    expect(Math.abs(all.canvas.width - 280)).toBeLessThanOrEqual(1);
    expect(Math.abs(all.canvas.height - 190)).toBeLessThanOrEqual(1);
    const { data, width } = all.image as Image;
    expect([...data.subarray(3 * (width - 1), 3 * width)]).toEqual([9, 8, 7]);
    // Where the reference alone shows something, its pixels are untouched.
    for (const [x, y] of [
      [5, 5],
      [30, 120],
    ]) {
      expect(data[3 * (y * width + x)]).toBe(b.data[3 * (y * 240 + x)]);
    }
    expect([...all.layers()].map((layer) => layer && [layer.width, layer.height])).toEqual([
      [all.canvas.width, all.canvas.height],
      null,
    ]);
  });

  it("shows the mean and the difference", async () => {
    const { look, extractor } = wall();
    const [a, b] = [look(at(60, 30)), look(at(60, 30))];
    a.data.fill(250, 0, 3000);
    const blend = (await alignImages(extractor, [a, b], { overlay: "blend" })).image as Image;
    expect(blend.data[300]).toBe(Math.floor((a.data[300] + b.data[300]) / 2 + 0.5));
    const diff = (await alignImages(extractor, [a, b], { overlay: "diff" })).image as Image;
    expect(diff.data[300]).toBe(Math.abs(a.data[300] - b.data[300]));
    expect(Math.max(...diff.data.subarray(3 * 240 * 20))).toBeLessThanOrEqual(1);
  });

  it("places an image by way of another only when the model is sure, and extracts each once", async () => {
    const { look, extractor, between, extracted } = wall();
    const verdict = {
      weights: { inliers: 1, share: 0, spread: 0, tightness: 0, form: 0 },
      ...{ bias: -2, same: 0.75, different: 0.7 },
    };
    const sure: Extractor = { ...extractor, info: { ...extractor.info, verdict } };
    const images = [look(at(270, 60)), look(at(150, 60)), look(at(30, 60))];
    const { parts } = await alignImages(sure, images, { crop: "all" });
    expect(extracted()).toBe(3);
    expect(parts.map(({ by }) => by)).toEqual([1, 2, null]);
    const [x, y] = projectPoints(parts[0].homography as Float64Array, [100, 90]);
    const [tx, ty] = projectPoints(between(images[0], images[2]), [100, 90]);
    expect(Math.hypot(x - tx, y - ty)).toBeLessThan(0.5);
  });

  it("answers where nothing is shared, and takes places that are known", async () => {
    const { look, extractor } = wall();
    const b = look(at(60, 30));
    const grey: Image = { width: 50, height: 40, data: new Uint8Array(6000).fill(90) };
    const none = await alignImages(extractor, [grey, b]);
    expect(none.image).toBeNull();
    expect(none.parts[0]).toMatchObject({ homography: null, by: null, matches: 0 });
    const known = await alignImages(extractor, [grey, b], { known: [[1, 0, 10, 0, 1, 20, 0, 0, 1], null] });
    const drawn = known.image as Image;
    expect([drawn.data[3 * (19 * 240 + 10)], drawn.data[3 * (20 * 240 + 10)]]).toEqual([0, 90]);
    expect(known.parts[0].by).toBeNull();
  });

  it("refuses canvases out of proportion, and options that are none", async () => {
    const { look, extractor } = wall();
    const images = [look(at(60, 30)), look(at(70, 30))];
    const align = (options: AlignOptions) => alignImages(extractor, images, options);
    const known = (matrix: number[]): AlignOptions => ({ crop: "all", known: [matrix, null] });
    await expect(align(known([1, 0, 0, 0, 1, 0, -0.01, 0, 1]))).rejects.toThrow(/reaches the horizon/);
    await expect(align(known([30, 0, 0, 0, 30, 0, 0, 0, 1]))).rejects.toThrow(LimitError);
    await expect(align({ crop: "overlap", known: [at(500, 0), null] })).rejects.toThrow(/no part that every image/);
    await expect(align({ onto: 2 })).rejects.toThrow(OptionError);
    await expect(align({ crop: "none" as never })).rejects.toThrow(/"frame", "overlap"|frame/);
    await expect(align({ known: [null] })).rejects.toThrow(/for each of the 2 images/);
    await expect(align({ known: [new Array(9).fill(0), null] })).rejects.toThrow(/inverse/);
    await expect(align({ maxEdge: 8 })).rejects.toThrow(/"maxEdge" must be a whole number ≥ 16/);
    await expect(align({ fill: [0, 0, 300] })).rejects.toThrow(OptionError);
    await expect(alignImages(extractor, images.slice(1))).rejects.toThrow(/two images or more/);
  });
});

it("moves a homography to the canvas's pixels", () => {
  const moved = toCanvas({ left: 5, top: -7, width: 10, height: 10 }, [1, 0, 20, 0, 1, 30, 0, 0, 1]);
  expect([...moved]).toEqual([1, 0, 15, 0, 1, 37, 0, 0, 1]);
});
