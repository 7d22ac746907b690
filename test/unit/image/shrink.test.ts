import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { cropImage } from "../../../src/image/crop.js";
import type { Image } from "../../../src/image/image.js";
import { shrinkImage, shrinking, shrinkToEdge } from "../../../src/image/shrink.js";
import { Random } from "../../../src/random.js";
import { readInParts } from "../../parts.js";

function noise(width: number, height: number, seed: number): Image {
  const random = new Random(seed);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => random.integer(256)) };
}

/** A value that grows evenly to the right and down, which linear interpolation keeps. */
const ramp = (x: number, y: number) => 20 + 0.9 * x + 0.7 * y;
function slope(width: number, height: number): Image {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return ramp(pixel % width, Math.floor(pixel / width)) + 0.5;
  });
  return { width, height, data };
}

describe("shrinkImage", () => {
  it.each([0.8, 0.71, 0.57, 0.5, 0.4, 0.25, 0.13])("at scale %f a pixel shows what lies at its place", (scale) => {
    const { image, step } = shrinkImage(slope(101, 77), scale);
    expect(Math.abs(image.width - 101 * scale)).toBeLessThanOrEqual(1);
    expect(Math.abs(image.height - 77 * scale)).toBeLessThanOrEqual(1);
    // Away from the edges, where the last halving may have counted a column twice.
    for (let y = 1; y < image.height - 1; y++) {
      for (let x = 1; x < image.width - 1; x++) {
        const expected = ramp((x + 0.5) * step[0] - 0.5, (y + 0.5) * step[1] - 0.5);
        expect(Math.abs(image.data[3 * (y * image.width + x)] - expected), `${x}, ${y}`).toBeLessThan(1.6);
      }
    }
  });

  it("halves by means of 2×2 pixels, rounded; what is odd at the end counts twice", () => {
    const data = Uint8Array.of(0, 0, 0, 1, 10, 2, 100, 7, 3, 1, 0, 0, 1, 20, 2, 100, 8, 4);
    const { image, step } = shrinkImage({ width: 3, height: 2, data }, 0.5);
    expect(image).toEqual({ width: 2, height: 1, data: Uint8Array.of(1, 8, 1, 100, 8, 4) });
    expect(step).toEqual([2, 2]);
  });

  it("is the image itself at scale 1, and keeps a pixel of the smallest", () => {
    const image = noise(5, 4, 1);
    expect(shrinkImage(image, 1)).toEqual({ image, step: [1, 1] });
    expect(shrinkImage(image, 1).image).toBe(image);
    expect(shrinkImage(noise(1, 1, 2), 0.01).image).toMatchObject({ width: 1, height: 1 });
    expect(shrinkImage(noise(9, 1, 3), 0.3).image).toMatchObject({ width: 3, height: 1 });
  });

  it("brings the longer edge to what is asked, however odd it is", () => {
    for (let longer = 1; longer <= 300; longer++) {
      for (const edge of [1, 16, 37]) {
        const image = longer % 2 ? noise(longer, 2, longer) : noise(2, longer, longer);
        const { image: small } = shrinkToEdge(image, edge);
        expect(Math.max(small.width, small.height), `${longer} to ${edge}`).toBe(Math.min(edge, Math.max(longer, 2)));
      }
    }
    const image = noise(30, 20, 5);
    expect(shrinkToEdge(image, 30).image).toBe(image);
    expect(shrinkToEdge(image, Infinity).image).toBe(image);
    expect(() => shrinkToEdge(image, 0)).toThrow(OptionError);
  });

  it("leaves the image as it was", () => {
    const image = noise(31, 17, 4);
    const before = image.data.slice();
    shrinkImage(image, 0.4);
    expect(image.data).toEqual(before);
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses scale %f", (scale) => {
    expect(() => shrinkImage(noise(4, 4, 5), scale)).toThrow(OptionError);
  });
});

describe("shrinking", () => {
  it.each([1, 0.8, 0.5, 0.4, 0.3])("gives parts of what shrinkImage gives at scale %f, to the last bit", (scale) => {
    const image = noise(101, 77, 4);
    const whole = shrinkImage(image, scale).image;
    const { width, height, part } = shrinking(image, scale);
    expect([width, height]).toEqual([whole.width, whole.height]);
    for (const [left, top, right, bottom] of [
      [0, 0, width, height],
      [0, 3, width, 9],
      [5, 0, 6, height],
      [7, 11, width, height],
      [width - 1, height - 1, width, height],
    ]) {
      const [w, h] = [right - left, bottom - top];
      const rows = Array.from({ length: h }, (_, y) => {
        const from = 3 * ((top + y) * width + left);
        return [...whole.data.subarray(from, from + 3 * w)];
      });
      for (const found of [part(left, top, w, h), cropImage(whole, left, top, w, h)]) {
        expect(found).toEqual({ width: w, height: h, data: Uint8Array.from(rows.flat()) });
      }
    }
  });

  it.each([1, 0.8, 0.5, 0.4, 0.3, 0.2, 0.13])(
    "gives the same of an image that is read part by part, at scale %f",
    (scale) => {
      const image = noise(1501, 1003, 6);
      const parts = readInParts(image);
      const [whole, lazy] = [shrinking(image, scale), shrinking(parts, scale)];
      const { width, height, step } = whole;
      expect([lazy.width, lazy.height, lazy.step]).toEqual([width, height, step]);
      for (const [left, top, w, h] of [
        [0, 0, width, height],
        [17, 5, 60, 70],
        [width - 31, height - 3, 31, 3],
        [width - 1, 0, 1, 1],
      ]) {
        expect(lazy.part(left, top, w, h)).toEqual(whole.part(left, top, w, h));
      }
      // Of what is halved again and again no more than bands are read at once.
      if (scale <= 0.5) expect(Math.max(...parts.asked)).toBeLessThan(image.width * image.height);
    },
  );
});
