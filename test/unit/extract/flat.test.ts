/** Keypoints where there is nothing to see. */
import { describe, expect, it } from "vitest";
import { withoutFlat, withoutFlatParts } from "../../../src/extract/flat.js";
import type { FloatFeatures } from "../../../src/features.js";
import type { Image } from "../../../src/image/image.js";
import { shrinking } from "../../../src/image/shrink.js";
import { Random } from "../../../src/random.js";

type Paint = (x: number, y: number, channel: number) => number;

function painted(paint: Paint, width = 120, height = 90): Image {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) {
    const cell = Math.floor(i / 3);
    data[i] = Math.round(paint(cell % width, Math.floor(cell / width), i % 3));
  }
  return { width, height, data };
}

/** Features at these places; each descriptor and score names its place. */
function at(image: Image, places: [number, number][]): FloatFeatures {
  return {
    count: places.length,
    dim: 1,
    imageSize: [image.width, image.height],
    keypoints: Float32Array.from(places.flat()),
    scores: Float32Array.from(places, (_, i) => 1 / (1 + i)),
    descriptors: Float32Array.from(places, (_, i) => i),
  };
}

const PLACES: [number, number][] = [
  [0, 0],
  [60.4, 45.2],
  [119, 89],
  [3.7, 80],
  [118.9, 2],
];

const kept = (paint: Paint, places = PLACES, size: [number, number] = [120, 90]) => {
  const image = painted(paint, ...size);
  const whole = withoutFlat(at(image, places), image);
  // Part by part it is the same.
  expect(withoutFlatParts(at(image, places), shrinking(image, 1))).toEqual(whole);
  return [...whole.descriptors];
};

describe("withoutFlat", () => {
  const random = new Random(1);

  it.each<[string, Paint]>([
    ["black", () => 0],
    ["white", () => 255],
    ["of one colour", (_x, _y, channel) => [200, 30, 90][channel]],
    ["a gradient across", (x) => (255 * x) / 119],
    ["a gradient along both, of each channel its own", (x, y, channel) => 100 + (channel - 1) * (0.4 * x - 0.3 * y)],
    ["noise of the last bit", () => 128 + random.integer(2)],
  ])("leaves out every keypoint of an image that is %s, at its edges as well", (_, paint) => {
    expect(kept(paint)).toEqual([]);
  });

  it("leaves out nothing where there is texture, and gives the same object", () => {
    const image = painted(() => random.integer(256));
    const features = at(image, PLACES);
    expect(withoutFlat(features, image)).toBe(features);
  });

  it.each<[string, Paint]>([
    ["a step", (x) => (x < 60 ? 90 : 99)],
    ["a dot", (x, y) => (x === 62 && y === 47 ? 120 : 100)],
    ["a ridge", (x) => 100 + 0.5 * Math.abs(x - 60)],
    ["a dot in one channel", (x, y, channel) => (x === 62 && y === 47 && channel === 2 ? 120 : 100)],
  ])("keeps a keypoint that sees %s, and no other", (_, paint) => {
    expect(
      kept(paint, [
        [60, 45],
        [10, 45],
        [62, 47],
        [100, 80],
      ]),
    ).toEqual([0, 2]);
  });

  it("keeps order and scores of what stays, and works on images smaller than its window", () => {
    const image = painted((x) => (x < 60 ? 90 : 140));
    const { count, scores, keypoints } = withoutFlat(
      at(image, [
        [10, 10],
        [60, 45],
        [100, 10],
        [58, 8],
      ]),
      image,
    );
    expect(count).toBe(2);
    expect([...scores]).toEqual([0.5, 0.25]);
    expect([...keypoints]).toEqual([60, 45, 58, 8]);
    expect(kept(() => 90, [[0, 0]], [1, 1])).toEqual([]);
    expect(kept(() => 90, [[5, 0]], [9, 1])).toEqual([]);
    expect(kept((x) => 90 * (x & 1), [[5, 0]], [9, 1])).toEqual([0]);
  });
});
