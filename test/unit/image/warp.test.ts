import { describe, expect, it } from "vitest";
import { LimitError, OptionError, ShapeError } from "../../../src/errors.js";
import { inverse3x3, projectPoints } from "../../../src/geometry/matrix3.js";
import type { Image } from "../../../src/image/image.js";
import { type WarpOptions, warpImage, warpMask } from "../../../src/image/warp.js";
import { drawImage, noiseImage } from "../../models.js";

const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1];
const shift = (x: number, y: number) => [1, 0, x, 0, 1, y, 0, 0, 1];
const pixel = ({ width, data }: Image, x: number, y: number) => [
  ...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3),
];
/** An image whose pixel (x, y) is `pick(x, y)`. */
const build = (width: number, height: number, pick: (x: number, y: number) => number[]) =>
  drawImage(width, height, (x, y) => pick(x, y) as [number, number, number]);
const clamp = (value: number, size: number) => Math.min(size - 1, Math.max(0, value));

describe("warpImage, where no pixel falls between others", () => {
  const image = noiseImage(37, 23);
  const options = { width: 37, height: 23 };

  it("leaves the image as it is under the identity, in new memory", () => {
    for (const scale of [1, -3, 1e-4]) {
      const same = warpImage(
        image,
        IDENTITY.map((value) => scale * value),
        options,
      );
      expect(same).toEqual(image);
      expect(same.data).not.toBe(image.data);
    }
  });

  it("moves by whole pixels; beyond the source its border goes on, or a colour", () => {
    for (const [dx, dy] of [
      [5, 0],
      [0, -4],
      [-7, 3],
      [100, 0],
    ]) {
      const moved = warpImage(image, shift(dx, dy), options);
      expect(moved).toEqual(build(37, 23, (x, y) => pixel(image, clamp(x - dx, 37), clamp(y - dy, 23))));
      const filled = warpImage(image, shift(dx, dy), { ...options, fill: [9, 80, 200] });
      const outside = (x: number, y: number) => x < 0 || y < 0 || x > 36 || y > 22;
      expect(filled).toEqual(
        build(37, 23, (x, y) => (outside(x - dx, y - dy) ? [9, 80, 200] : pixel(image, x - dx, y - dy))),
      );
    }
  });

  it("turns by a quarter, also with cosines that are not quite 0", () => {
    // (x, y) → (22 − y, x).
    for (const tiny of [0, Math.cos(Math.PI / 2), -Math.cos(Math.PI / 2)]) {
      const turned = warpImage(image, [tiny, -1, 22, 1, tiny, 0, 0, 0, 1], { width: 23, height: 37, fill: [1, 2, 3] });
      expect(turned).toEqual(build(23, 37, (x, y) => pixel(image, y, 22 - x)));
    }
  });

  it("mirrors, and takes a single pixel", () => {
    expect(warpImage(image, [-1, 0, 36, 0, 1, 0, 0, 0, 1], options)).toEqual(
      build(37, 23, (x, y) => pixel(image, 36 - x, y)),
    );
    expect(warpImage(image, shift(-10, -6), { width: 1, height: 1 })).toEqual(build(1, 1, () => pixel(image, 10, 6)));
    const dot = noiseImage(1, 1);
    expect(warpImage(dot, IDENTITY, { width: 3, height: 2 })).toEqual(build(3, 2, () => pixel(dot, 0, 0)));
  });
});

describe("warpImage, between pixels", () => {
  it("interpolates: halves, and quarters of four pixels", () => {
    const image = drawImage(3, 2, (x, y) => [[0, 100, 40][x], 50 * y, 10 * x + 100 * y]);
    const half = warpImage(image, shift(-0.5, 0), { width: 2, height: 2 });
    expect([...half.data]).toEqual([50, 0, 5, 70, 0, 15, 50, 50, 105, 70, 50, 115]);
    const quarter = warpImage(image, shift(-0.25, -0.5), { width: 1, height: 1 });
    expect([...quarter.data]).toEqual([25, 25, 53]); // 52.5 rounds up.
  });

  it.each([2, 3, 4])("shrinks by %i to the mean of each block", (n) => {
    const image = noiseImage(12 * n, 10 * n, n);
    const offset = (1 / n - 1) / 2;
    const small = warpImage(image, [1 / n, 0, offset, 0, 1 / n, offset, 0, 0, 1], { width: 12, height: 10 });
    let worst = 0;
    for (let y = 0; y < 10; y++) {
      for (let x = 0; x < 12; x++) {
        const sum = [0, 0, 0];
        for (let k = 0; k < n * n; k++) {
          pixel(image, n * x + (k % n), n * y + Math.floor(k / n)).forEach((value, c) => {
            sum[c] += value / n ** 2;
          });
        }
        pixel(small, x, y).forEach((value, c) => {
          worst = Math.max(worst, Math.abs(value - sum[c]));
        });
      }
    }
    expect(worst).toBeLessThanOrEqual(0.5 + 1e-9);
  });

  it("shrinks along one axis only by that axis", () => {
    const image = noiseImage(40, 20);
    const small = warpImage(image, [0.5, 0, -0.25, 0, 1, 0, 0, 0, 1], { width: 20, height: 20 });
    expect(small).toEqual(
      build(20, 20, (x, y) => {
        const right = pixel(image, 2 * x + 1, y);
        return pixel(image, 2 * x, y).map((left, c) => Math.floor((left + right[c]) / 2 + 0.5));
      }),
    );
  });

  /** Slow in every direction: its second derivatives are below 0.8, so bilinear interpolation is wrong by 0.2 at most. */
  const wave = (x: number, y: number): [number, number, number] => [
    128 + 60 * Math.cos(x / 9) + 60 * Math.cos(y / 11 + 1),
    128 + 100 * Math.cos((x + y) / 15),
    128 + 100 * Math.cos((x - 2 * y) / 30 + 2),
  ];

  it.each([
    ["perspective", [1.1, 0.15, -20, -0.1, 1.2, 8, 4e-4, -3e-4, 1]],
    ["perspective, scaled by −2", [-2.2, -0.3, 40, 0.2, -2.4, -16, -8e-4, 6e-4, -2]],
    ["turned and enlarged", [1.5, -0.9, 30, 0.9, 1.5, -110, 0, 0, 1]],
    ["smaller", [0.62, 0.02, 9, -0.01, 0.7, 8, 1e-4, 0, 1]],
  ])("gives a smooth function's values where the map takes them: %s", (_, homography) => {
    const image = drawImage(160, 120, (x, y) => wave(x, y).map(Math.round) as [number, number, number]);
    const options: WarpOptions = { width: 150, height: 130, fill: [0, 0, 0] };
    const warped = warpImage(image, homography, options);
    const mask = warpMask([160, 120], homography, { width: 150, height: 130 });
    const inverse = inverse3x3(homography)!;
    let [worst, total, inside] = [0, 0, 0];
    for (let y = 0; y < 130; y++) {
      for (let x = 0; x < 150; x++) {
        const [sx, sy] = projectPoints(inverse, [x, y]);
        // Two pixels from the border on, a pixel's whole area is inside.
        if (sx < 2 || sy < 2 || sx > 157 || sy > 117) continue;
        inside++;
        expect(mask[150 * y + x]).toBe(1);
        wave(sx, sy).forEach((value, c) => {
          const error = Math.abs(pixel(warped, x, y)[c] - value);
          worst = Math.max(worst, error);
          total += error;
        });
      }
    }
    expect(inside).toBeGreaterThan(4000);
    expect(worst).toBeLessThan(1.25); // Interpolation, and two roundings.
    expect(total / (3 * inside)).toBeLessThan(0.4);
  });

  it("makes a fine checkerboard grey where it shrinks, and coarse patterns of it without antialiasing", () => {
    const board = drawImage(256, 256, (x, y) => ((x + y) % 2 ? 255 : 0));
    for (const [zoom, degrees] of [
      [0.5, 0],
      [0.45, 20],
      [0.35, 45],
      [0.26, 70],
      [0.125, 10],
    ]) {
      const [c, s] = [Math.cos((degrees * Math.PI) / 180) * zoom, Math.sin((degrees * Math.PI) / 180) * zoom];
      const [m, n] = [15.5 - 127.5 * (c - s), 15.5 - 127.5 * (s + c)];
      const homography = [c, -s, m, s, c, n, 0, 0, 1];
      const contrast = (antialias: boolean) => {
        const { data } = warpImage(board, homography, { width: 32, height: 32, antialias });
        const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
        return Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length);
      };
      // Seen 7 at most with, 22 to 46 without; at ½ one sample already falls between four squares.
      expect(contrast(true), `zoom ${zoom}`).toBeLessThan(8);
      if (degrees > 0) expect(contrast(false), `zoom ${zoom}`).toBeGreaterThan(20);
    }
  });

  it("follows the local scale of a perspective map: grey far away, the pattern near by", () => {
    // Stripes of two pixels on a floor whose depth is 1 + 0.04·y: row 22 of the result shows depth 8.3.
    const stripes = drawImage(400, 400, (x) => (x % 4 < 2 ? 0 : 255));
    const floor = [1, 0, 0, 0, 1, 0, 0, 0.04, 1];
    const spread = (y: number, antialias: boolean) => {
      const { data } = warpImage(stripes, floor, { width: 20, height: 25, antialias });
      const row = data.subarray(3 * (20 * y + 2), 3 * 20 * (y + 1)); // Without the border, which goes on.
      return Math.max(...row) - Math.min(...row);
    };
    expect(spread(0, true)).toBeGreaterThan(240);
    expect(spread(22, true)).toBeLessThan(40);
    expect(spread(22, false)).toBeGreaterThan(200);
  });
});

describe("warpMask", () => {
  it("marks the pixels whose centres come from inside the source", () => {
    const mask = warpMask([4, 3], shift(2, 1), { width: 8, height: 5 });
    expect(mask).toEqual(
      Uint8Array.from({ length: 40 }, (_, i) => {
        const [x, y] = [i % 8, Math.floor(i / 8)];
        return Number(x >= 2 && x < 6 && y >= 1 && y < 4);
      }),
    );
    // Resized images are inside everywhere, also their outermost pixels, whose centres lie beyond the border's centres.
    expect(warpMask([4, 3], [2, 0, 0.5, 0, 2, 0.5, 0, 0, 1], { width: 8, height: 6 })).toEqual(
      new Uint8Array(48).fill(1),
    );
  });

  it("agrees with the fill colour, and with the corners' quadrilateral", () => {
    const homography = [0.8, -0.3, 60, 0.25, 0.9, 10, 5e-4, 3e-4, 1];
    const options: WarpOptions = { width: 160, height: 120, fill: [255, 0, 0], antialias: false };
    const image = drawImage(100, 80, () => [0, 0, 255]);
    const warped = warpImage(image, homography, options);
    const mask = warpMask([100, 80], homography, { width: 160, height: 120 });
    const corners = projectPoints(homography, [-0.5, -0.5, 99.5, -0.5, 99.5, 79.5, -0.5, 79.5]);
    let inside = 0;
    for (const [at, flag] of mask.entries()) {
      expect([...warped.data.subarray(3 * at, 3 * at + 3)]).toEqual(flag ? [0, 0, 255] : [255, 0, 0]);
      const [x, y] = [at % 160, Math.floor(at / 160)];
      const left = [0, 1, 2, 3].every((k) => {
        const [x0, y0] = [corners[2 * k], corners[2 * k + 1]];
        const [x1, y1] = [corners[(2 * k + 2) % 8], corners[(2 * k + 3) % 8]];
        return (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0;
      });
      expect(flag).toBe(Number(left));
      inside += flag;
    }
    expect(inside).toBeGreaterThan(3000);
  });

  it("shows nothing behind the horizon", () => {
    // Depth 1 − x/50 at x of the result: from x = 50 on the inverse map looks backwards.
    const homography = inverse3x3([1, 0, 0, 0, 1, 0, -0.02, 0, 1])!;
    const mask = warpMask([40, 40], homography, { width: 100, height: 20 });
    const warped = warpImage(noiseImage(40, 40), homography, { width: 100, height: 20, fill: [7, 7, 7] });
    for (let y = 0; y < 20; y++) {
      for (let x = 0; x < 100; x++) {
        const depth = 1 - x / 50;
        const inside = depth > 0 && x / depth <= 39.5 && y / depth <= 39.5;
        expect(mask[100 * y + x]).toBe(Number(inside));
        if (x >= 50) expect(pixel(warped, x, y)).toEqual([7, 7, 7]);
      }
    }
    const replicated = warpImage(noiseImage(40, 40), homography, { width: 100, height: 20 });
    expect(pixel(replicated, 99, 0)).toEqual(pixel(noiseImage(40, 40), 39, 0));
  });
});

describe("what is refused", () => {
  const image = noiseImage(8, 6);
  const options = { width: 8, height: 6 };

  it.each([
    ["8 numbers", [1, 0, 0, 0, 1, 0, 0, 0], ShapeError, "has 9 numbers, row by row, got 8"],
    ["NaN", [1, 0, 0, 0, Number.NaN, 0, 0, 0, 1], OptionError, "finite and invertible"],
    ["infinity", [1, 0, Number.POSITIVE_INFINITY, 0, 1, 0, 0, 0, 1], OptionError, "finite and invertible"],
    ["a singular matrix", [1, 2, 3, 2, 4, 6, 0, 0, 1], OptionError, "finite and invertible"],
    ["a centre at infinity", [1, 0, 0, 0, 1, 0, 2, 0, -7], OptionError, "centre to infinity"],
  ] as const)("%s", (_, homography, kind, message) => {
    for (const act of [() => warpImage(image, homography, options), () => warpMask([8, 6], homography, options)]) {
      expect(act).toThrow(kind);
      expect(act).toThrow(message);
    }
  });

  it.each([
    [{ width: 0, height: 6 }, OptionError, '"width" must be a whole number ≥ 1, got 0'],
    [{ width: 8, height: 2.5 }, OptionError, '"height" must be a whole number ≥ 1, got 2.5'],
    [{ width: 8 } as WarpOptions, OptionError, '"height"'],
    [{ width: 20_000, height: 20_000 }, LimitError, "megapixels"],
    [{ ...options, fill: "black" } as unknown as WarpOptions, OptionError, '"fill" must be "replicate" or a colour'],
    [{ ...options, fill: [0, 0] } as unknown as WarpOptions, OptionError, '"fill" must be "replicate" or a colour'],
    [{ ...options, fill: [0, 0, 256] } as WarpOptions, OptionError, '"fill" must be a number ≥ 0 and ≤ 255, got 256'],
    [{ ...options, antialias: 1 } as unknown as WarpOptions, OptionError, '"antialias" must be true or false, got 1'],
    [{ ...options, mode: "cubic" } as unknown as WarpOptions, OptionError, 'unknown option "mode"'],
  ])("%j", (given, kind, message) => {
    expect(() => warpImage(image, IDENTITY, given)).toThrow(kind);
    expect(() => warpImage(image, IDENTITY, given)).toThrow(message);
  });

  it("masks and images of wrong sizes", () => {
    expect(() => warpMask([0, 6], IDENTITY, options)).toThrow(
      "size must be [width, height], whole and positive, got [0,6]",
    );
    expect(() => warpMask([8, 6], IDENTITY, { width: 8, height: -1 })).toThrow('"height"');
    expect(() => warpMask([8, 6], IDENTITY, { ...options, fill: [0, 0, 0] } as WarpOptions)).toThrow(
      'unknown option "fill"',
    );
    expect(() => warpImage({ ...image, width: 9 }, IDENTITY, options)).toThrow(ShapeError);
  });
});
