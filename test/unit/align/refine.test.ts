/** A homography a few pixels off, brought onto what the pixels show; and left where they show something else. */
import { describe, expect, it } from "vitest";
import { HomographyRefiner } from "../../../src/align/refine.js";
import { compose, type Image, projectPoints, Random, warpImage } from "../../../src/node/index.js";

/** Boxes of all sizes. */
function drawBoxes(width: number, height: number): Image {
  const random = new Random(2);
  const data = new Uint8Array(3 * width * height).fill(200);
  for (let k = 0; k < 400; k++) {
    const [x, y, w, h] = [width, height, 24, 24].map((most) => random.integer(most));
    const value = random.integer(256);
    for (let j = y; j < Math.min(height, y + h); j++) {
      data.fill(value, 3 * (j * width + x), 3 * (j * width + Math.min(width, x + w)));
    }
  }
  return { width, height, data };
}

const TRUTH = [0.9, 0.12, 20, -0.08, 0.95, 30, 2e-4, 1e-4, 1];
/** 2 px to the right, 1.5 px up, a little larger. */
const OFF = compose([1.003, 0, 2, 0, 1.003, -1.5, 0, 0, 1], TRUTH);
const GRID = Float64Array.from({ length: 2 * 60 }, (_, i) => (i % 2 ? 40 * Math.floor(i / 20) : 40 * ((i >> 1) % 10)));

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const [p, q] = [a, b].map((matrix) => projectPoints([...Array.from(matrix)], GRID));
  return Math.max(...Array.from(p, (value, i) => Math.abs(value - q[i])));
};
const pointsOf = (matrix: ArrayLike<number>) => ({
  ...{ from: GRID, to: projectPoints([...Array.from(matrix)], GRID) },
  near: 1,
});

describe("HomographyRefiner", () => {
  const image = drawBoxes(420, 320);
  const base = warpImage(image, TRUTH, { width: 440, height: 360, fill: [30, 30, 30] });

  it("finds by pixels what keypoints only come near to", () => {
    expect(farthest(OFF, TRUTH)).toBeGreaterThan(2);
    const refined = new HomographyRefiner().refine(image, base, OFF, pointsOf(TRUTH));
    expect(farthest(refined as Float64Array, TRUTH)).toBeLessThan(0.2);
  });

  it("leaves a homography that keypoints hold and pixels do not", () => {
    expect(new HomographyRefiner().refine(image, base, OFF, pointsOf(OFF))).toBeNull();
  });

  it("has nothing to say of a blank image, another image, or one a pixel wide", () => {
    const refiner = new HomographyRefiner();
    const blank: Image = { ...image, data: new Uint8Array(image.data.length).fill(90) };
    const other: Image = { ...image, data: image.data.slice().reverse() };
    const thin: Image = { width: 1, height: 1, data: new Uint8Array(3) };
    for (const one of [blank, other, thin]) expect(refiner.refine(one, base, OFF, pointsOf(TRUTH))).toBeNull();
    expect(refiner.refine(image, thin, OFF, pointsOf(TRUTH))).toBeNull();
  });
});
